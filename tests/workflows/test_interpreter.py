"""`DagRun` on a real Temporal server, with workers that do as the test says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    WorkflowExecutionStatus,
    WorkflowHandle,
)
from temporalio.exceptions import CancelledError

from tests.workflows.driving import plan, step
from tests.workflows.house import House
from workflows import interpreter
from workflows.core import advance
from workflows.exchange import StepSucceeded
from workflows.messages import Cause, RunRequest
from workflows.plan import CONTROL_QUEUE, Map, Plan, Retry, Timeout

QUICK = Retry(attempts=3, delay=0.05)
SILENT = Timeout(heartbeat=0.5)


def chain(length: int) -> Plan:
    names = [f"s{number}" for number in range(length)]
    return plan(*(step(name, names[max(0, at - 1) : at], inputs={"give": at}) for at, name in enumerate(names)))


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal's limit is the attempt's own, as for a worker that does not keep to it."""
    monkeypatch.setattr(interpreter, "ATTEMPT_GRACE_SECONDS", 0.0)


# Shapes.


async def test_a_chain_runs_in_order_and_its_output_comes_back(house: House) -> None:
    shape = chain(4)
    run = await house.run(plan(*shape.steps, output={"last": "${{ steps.s3.output }}"}))
    assert run.value == {"last": 3}
    assert run.states == dict.fromkeys(["s0", "s1", "s2", "s3"], "succeeded")
    assert [each.seq for each in run.transitions] == list(range(1, 11))
    assert run.transitions[0].detail == {"cause": {"kind": "manual", "id": "ada"}}


async def test_a_diamond_joins(house: House) -> None:
    give = {"inputs": {"give": {"n": 2}}}
    join = step("d", "b c", inputs={"give": "${{ steps.b.output.n * steps.c.output.n }}"})
    run = await house.run(plan(step("a"), step("b", "a", **give), step("c", "a", **give), join))
    assert run.state == "succeeded"
    assert run.given("d") == 4


@pytest.mark.parametrize(("quality", "taken", "left"), [("good", "train", "notify"), ("bad", "notify", "train")])
async def test_one_of_two_branches_runs(house: House, quality: str, taken: str, left: str) -> None:
    run = await house.run(
        plan(
            step("check", inputs={"give": {"quality": "${{ params.quality }}"}}),
            step("train", {"check": "output.quality == 'good'"}),
            step("notify", {"check": "output.quality == 'bad'"}, trigger_rule="one_success"),
        ),
        params={"quality": quality},
    )
    assert run.state == "succeeded"
    assert run.states == {"check": "succeeded", taken: "succeeded", left: "skipped"}
    assert run.last(left).detail["conditions"][0]["values"] == {"output.quality": quality}


async def test_a_map_keeps_to_its_limit_and_tolerates_what_it_may(house: House) -> None:
    house.actors.peak = 0
    items = Map([1, 2, 0, 4, 5], "n", limit=2, min_success={"percent": 80})
    run = await house.run(
        plan(
            step("m", map=items, inputs={"give": "${{ 20 / n }}", "rest": 0.05}),
            step("all", "m", inputs={"give": "${{ steps.m.output }}"}),
        )
    )
    assert run.given("all") == [20, 10, None, 5, 4]
    assert run.states["m[2]"] == "failed"
    assert house.actors.peak == 2


async def test_a_wide_run_stays_within_its_window(house: House) -> None:
    house.actors.peak = 0
    wide = plan(*(step(f"s{n}", inputs={"rest": 0.01}) for n in range(30)), max_parallel=5)
    run = await house.run(wide)
    assert run.state == "succeeded"
    assert house.actors.peak <= 5


# Failures.


async def test_a_failed_attempt_is_tried_again_as_the_plan_says(house: House) -> None:
    run = await house.run(plan(step("a", inputs={"fail": "ExitCode", "times": 2, "give": 7}, retry=QUICK)))
    assert run.state == "succeeded"
    assert house.actors.count(run.id, "a") == 3
    assert run.last("a").reason == "succeeded on attempt 3"


async def test_a_failure_carries_its_facts_and_fails_the_run(house: House) -> None:
    run = await house.run(plan(step("a", inputs={"fail": "ExitCode"}, retry=QUICK), step("b", "a")))
    assert (run.failure.type, run.failure.message) == ("ExitCode", "step a failed: attempt 3 broke")
    assert run.failure.details == ({"exit_code": 2, "step": "a"},)
    failed = run.last("a")
    assert failed.error is not None
    assert failed.result is not None
    assert (failed.error.type, failed.error.detail) == ("ExitCode", {"exit_code": 2})
    assert (failed.result.folder, failed.result.worker) == (f"runs/{run.id}/a/000.003-00000000", "actor")
    assert run.states["b"] == "upstream_failed"


async def test_unless_ends_the_attempts(house: House) -> None:
    never = Retry(attempts=5, delay=0.05, unless=("ValidationError",))
    run = await house.run(plan(step("a", inputs={"fail": "ValidationError"}, retry=never)))
    assert run.failure.type == "ValidationError"
    assert house.actors.count(run.id, "a") == 1


@pytest.mark.usefixtures("no_grace")
async def test_an_attempt_that_takes_too_long_is_a_timeout(house: House) -> None:
    run = await house.run(plan(step("a", inputs={"hang": 1}, timeout=Timeout(run=0.3))))
    assert run.failure.type == "Timeout"
    assert run.last("a").reason == "Timeout: the attempt took longer than 0.3 s"


@pytest.mark.usefixtures("no_grace")
async def test_unless_timeout_ends_the_attempts_of_a_silent_worker_too(house: House) -> None:
    once = Retry(attempts=3, delay=0.05, unless=("Timeout",))
    run = await house.run(plan(step("a", inputs={"hang": 1}, timeout=Timeout(run=0.3), retry=once)))
    assert run.failure.type == "Timeout"
    assert house.actors.count(run.id, "a") == 1


async def test_a_queue_that_nobody_serves_is_named(house: House) -> None:
    run = await house.run(plan(step("a", queue="tpu", timeout=Timeout(queue=0.3))))
    assert run.last("a").reason == "Timeout: no worker of queue tpu took the step within 0.3 s"


async def test_all_attempts_together_are_bounded(house: House) -> None:
    many = Retry(attempts=100, delay=0.2, backoff=1.0)
    run = await house.run(plan(step("a", inputs={"fail": "Boom"}, retry=many, timeout=Timeout(total=0.5))))
    assert house.actors.count(run.id, "a") < 10
    assert run.state == "failed"


async def test_a_lost_worker_costs_a_generation_not_an_attempt(house: House) -> None:
    run = await house.run(plan(step("a", inputs={"deaf": 1, "give": "alive"}, timeout=SILENT)))
    assert run.state == "succeeded"
    assert run.of("a") == ["queued", "queued", "succeeded"]
    again = [each for each in run.transitions if each.key == "a"][1]
    assert again.detail["generation"] == 1
    assert again.reason.endswith("WorkerLost: the worker was silent for 0.5 s; scheduled again (1 of 5)")
    assert house.actors.count(run.id, "a") == 2


async def test_an_answer_that_is_no_result_fails_the_step_alone(house: House) -> None:
    run = await house.run(plan(step("odd", inputs={"answer": "a text"}), step("after", "odd", trigger_rule="all_done")))
    assert (run.state, run.states["odd"]) == ("succeeded", "failed")
    assert run.last("odd").reason.startswith("OutputInvalid: the worker of cpu gave what is no step's result")


async def test_a_huge_output_is_refused_and_recorded_small(house: House) -> None:
    run = await house.run(plan(step("a", inputs={"answer": {"value": "x" * 100_000}})))
    assert run.failure.type == "OutputInvalid"
    assert run.given("a") is None


async def test_many_large_outputs_are_recorded_in_batches_that_fit(house: House) -> None:
    large = "x" * 16_000
    many = plan(*(step(f"s{n}", inputs={"give": "${{ params.large }}"}) for n in range(150)))
    run = await house.run(many, params={"large": large})
    assert run.state == "succeeded"
    assert sum(each.result is not None and each.result.value == large for each in run.transitions) == 150
    assert house.control.batches[run.id] >= 5


# Ends from outside.


async def test_cancel_waits_for_what_is_in_flight_and_records_the_end(house: House) -> None:
    handle = await house.start(
        plan(
            step("a"),
            step("b", "a", inputs={"hang": 1}),
            step("m", "a", map=Map([1, 2, 3], limit=1), inputs={"hang": 1}),
            step("c", "b"),
        )
    )
    await house.until_called(handle.id, "b")
    await house.until_called(handle.id, "m[0]")
    await handle.cancel(reason="cancelled by ada")
    run = await house.ended(handle)
    assert isinstance(run.error, CancelledError)
    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    assert (run.state, run.last("").reason) == ("cancelled", "cancelled by ada")
    assert run.states == {"a": "succeeded", "b": "cancelled", "m": "cancelled", "m[0]": "cancelled", "c": "cancelled"}
    assert house.actors.in_flight(run.id) == []


async def test_cancel_before_the_first_step_is_an_end_too(house: House) -> None:
    handle = await house.start(plan(step("a", inputs={"hang": 1})))
    await handle.cancel()
    run = await house.ended(handle)
    assert isinstance(run.error, CancelledError)


async def test_a_run_ends_at_its_deadline(house: House) -> None:
    run = await house.run(plan(step("a", inputs={"hang": 1}), step("b", "a"), timeout=0.5))
    assert (run.failure.type, run.failure.message) == ("Timeout", "the run took longer than its timeout of 0.5 s")
    assert run.states == {"a": "cancelled", "b": "cancelled"}


# Runs that a trigger starts.


async def test_a_run_without_a_plan_resolves_it_first(house: House) -> None:
    house.control.plans["nightly"] = plan(step("a", inputs={"give": "${{ params.rows }}"}))
    run = await house.run(None, "nightly", params={"rows": 5}, cause=Cause("schedule", "segue-nightly-1"))
    assert run.given("a") == 5
    assert run.transitions[0].detail == {"cause": {"kind": "schedule", "id": "segue-nightly-1"}}


async def test_a_temporal_schedule_starts_runs(house: House, temporal_client: Client) -> None:
    house.control.plans["weekly"] = plan(step("a"))
    request = RunRequest("weekly", cause=Cause("schedule", "segue-weekly-1"))
    action = ScheduleActionStartWorkflow("weekly", request, id="weekly-scheduled", task_queue=CONTROL_QUEUE)
    schedule = await temporal_client.create_schedule(
        "segue-weekly-1", Schedule(action, ScheduleSpec()), trigger_immediately=True
    )
    await house.until(lambda: any(run.startswith("weekly-scheduled-") for run in house.control.records))
    run = next(run for run in house.control.records if run.startswith("weekly-scheduled-"))
    await house.ended(temporal_client.get_workflow_handle(run))
    await schedule.delete()
    found = (await temporal_client.get_workflow_handle(run).describe()).search_attributes
    assert found["SegueWorkflow"] == ["weekly"]
    assert found["SegueVersion"] == [1]
    assert found["SegueTriggeredBy"] == ["schedule"]


async def test_a_run_of_an_unknown_workflow_fails_with_the_reason(house: House) -> None:
    run = await house.run(None, "ghost")
    assert (run.failure.type, run.failure.message) == ("UnknownWorkflow", "there is no workflow 'ghost'")


# What others see.


async def test_the_state_can_be_asked_for_while_it_runs_and_after(house: House) -> None:
    handle = await house.start(plan(step("a"), step("b", "a", inputs={"hang": 1})))
    await house.until_called(handle.id, "b")
    told = await house.told(handle)
    assert [(each.key, each.state) for each in told.transitions] == [
        ("", "running"),
        ("a", "queued"),
        ("a", "succeeded"),
        ("b", "queued"),
    ]
    assert (told.run, told.workflow, told.version) == (handle.id, "demo", 1)
    await handle.cancel()
    run = await house.ended(handle)
    assert (await house.told(handle)).transitions == run.transitions
    assert (await house.told(handle, after=4)).transitions == run.transitions[4:]


async def test_temporal_shows_step_ids_summaries_and_a_table(house: House) -> None:
    handle = await house.start(
        plan(
            step("a", description="Fetch the data"),
            step("m", "a", map=Map([{"depth": 4}])),
            step("b", "m", inputs={"hang": 1}),
        )
    )
    await house.until_called(handle.id, "b")
    scheduled = {
        event.activity_task_scheduled_event_attributes.activity_id: event.user_metadata.summary.data.decode()
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    }
    assert scheduled["a"] == '"Fetch the data"'
    assert "m[0]" in scheduled
    assert "depth" in scheduled["m[0]"]
    details = await current_details(handle)
    assert details.startswith("1 queued, 2 succeeded\n")
    assert "| a | succeeded | succeeded |" in details
    assert "| b | queued | waits for a worker on cpu; rule all_success: m succeeded |" in details
    await handle.cancel()
    await house.ended(handle)


async def current_details(handle: WorkflowHandle[Any, Any]) -> str:
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(metadata.current_details)


# When something of ours breaks.


async def test_a_mistake_of_ours_fails_the_run_visibly(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(state: Any, event: Any) -> Any:
        if isinstance(event, StepSucceeded):
            raise KeyError("lost track")
        return advance(state, event)

    monkeypatch.setattr(interpreter, "advance", broken)
    run = await house.run(plan(step("a"), step("b", inputs={"hang": 1})))
    assert run.failure.type == "InternalError"
    assert "Segue itself failed in this run (KeyError: 'lost track')" in run.failure.message
    assert run.state == "failed"
    assert run.states == {"a": "cancelled", "b": "cancelled"}


async def test_an_input_that_is_no_request_fails_the_run_and_does_not_loop(house: House) -> None:
    handle = await house.client.start_workflow("odd", 17, id="odd-17", task_queue=CONTROL_QUEUE)
    run = await house.ended(handle)
    assert run.failure.type == "InvalidRequest"


async def test_a_plan_that_is_not_one_fails_the_run_visibly(house: House) -> None:
    run = await house.run(plan(step("a", "missing")))
    assert run.failure.type == "InternalError"
    assert run.state == "failed"


@pytest.fixture
def broken_database(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(interpreter, "RECORD_LIMIT", timedelta(seconds=1))
    house.control.broken = True
    yield
    house.control.broken = False


@pytest.mark.usefixtures("broken_database")
async def test_a_database_that_is_away_does_not_hold_up_a_run(house: House) -> None:
    handle = await house.start(chain(3))
    run = await house.ended(handle)
    assert (run.error, run.transitions) == (None, [])
    assert [each.state for each in (await house.told(handle)).transitions][-1] == "succeeded"
