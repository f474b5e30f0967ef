"""Waits, approvals, children, `finally` and holds on a real Temporal server."""

from __future__ import annotations

from typing import Any

from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import CancelledError

from tests.workflows.driving import plan, step
from tests.workflows.house import House
from workflows.messages import ANSWER_SIGNAL, EVENT_SIGNAL, RELEASE_SIGNAL, Answer, Event, Release
from workflows.plan import Map, Plan, Retry, Timeout

HANG = {"inputs": {"hang": 1}}


def call(name: str, workflow: str, needs: str = "", **fields: Any) -> Any:
    return step(name, needs, kind="workflow", action={"workflow": workflow, "version": None}, **fields)


def final(name: str, **fields: Any) -> Any:
    return step(name, phase="finally", **fields)


async def test_a_wait_takes_its_time_by_a_timer_of_temporals(house: House) -> None:
    run = await house.run(plan(step("pause", kind="wait", action={"for": 0.3}), step("next", "pause")))
    assert run.states == {"pause": "succeeded", "next": "succeeded"}
    assert run.last("pause").at - run.transitions[1].at >= 0.3


async def test_an_event_reaches_the_wait_it_is_for_and_one_that_comes_early_is_kept(house: House) -> None:
    early = step("early", "first", kind="wait", action={"event": {"name": "data", "if": "event.rows > 1"}})
    late = step("late", "early", kind="wait", action={"event": {"name": "go"}}, timeout=Timeout(total=30.0))
    handle = await house.start(
        plan(step("first", inputs={"rest": 0.3}), early, late, output="${{ steps.early.output }}")
    )
    await handle.signal(EVENT_SIGNAL, Event("e1", "data", {"rows": 1}))
    await handle.signal(EVENT_SIGNAL, Event("e2", "data", {"rows": 2}))
    await house.until(lambda: any(each.key == "late" for each in house.control.records.get(handle.id, [])))
    await handle.signal(EVENT_SIGNAL, Event("e3", "go"))
    run = await house.ended(handle)
    assert (run.state, run.value) == ("succeeded", {"rows": 2})


async def test_an_event_that_does_not_come_fails_the_wait(house: House) -> None:
    waits = step("data", kind="wait", action={"event": {"name": "data"}}, timeout=Timeout(total=0.2))
    run = await house.run(plan(waits))
    assert (run.failure.type, run.states) == ("Timeout", {"data": "failed"})


async def test_an_approval_is_given_by_a_signal(house: House) -> None:
    ask = step("ask", kind="approve", action={"by": ["grace"], "form": {"rollout": {"default": 10}}})
    release = step("release", {"ask": "output.approved"}, inputs={"give": "${{ steps.ask.output.rollout }}"})
    handle = await house.start(plan(ask, release))
    await handle.signal(ANSWER_SIGNAL, Answer("ask", True, "ada"))
    await handle.signal(ANSWER_SIGNAL, Answer("ask", True, "grace", {"rollout": 30}))
    run = await house.ended(handle)
    assert (run.given("release"), run.last("ask").reason) == (30, "approved by grace")
    assert "ada is not among grace" in [each.reason for each in run.transitions if each.key == "ask"][1]


async def test_a_signal_that_cannot_be_read_hurts_nobody(house: House) -> None:
    handle = await house.start(plan(step("ask", kind="approve", action={})))
    await handle.signal(ANSWER_SIGNAL, {"nonsense": 1})
    await handle.signal(ANSWER_SIGNAL, Answer("ask", True, "ada"))
    assert (await house.ended(handle)).state == "succeeded"


async def test_another_workflow_runs_as_a_step_and_gives_its_output(house: House) -> None:
    house.control.plans["inner"] = plan(
        step("a", inputs={"give": "${{ params.n * 2 }}"}), output="${{ steps.a.output }}"
    )
    doubled = call("doubled", "inner", map=Map([1, 2, 3]), inputs={"n": "${{ item }}"})
    run = await house.run(plan(doubled, step("sum", "doubled", inputs={"give": "${{ steps.doubled.output }}"})))
    assert run.given("sum") == [2, 4, 6]
    child = house.control.records[f"{run.id}.doubled.1"]
    assert (child[0].detail, child[-1].state) == ({"cause": {"kind": "workflow", "id": run.id}}, "succeeded")


async def test_a_child_that_fails_is_tried_again_and_then_fails_the_step_with_its_cause(house: House) -> None:
    house.control.plans["bad"] = plan(step("a", inputs={"fail": "ExitCode"}))
    run = await house.run(plan(call("sub", "bad", retry=Retry(2, delay=0.05))))
    assert (run.failure.type, run.states) == ("ExitCode", {"sub": "failed"})
    assert f"{run.id}.sub-2: step a failed: attempt 1 broke" in run.failure.message
    assert run.of("sub") == ["running", "retrying", "running", "failed"]
    assert house.control.records[f"{run.id}.sub"][-1].state == "failed"


async def test_a_workflow_that_does_not_exist_fails_the_step(house: House) -> None:
    run = await house.run(plan(call("sub", "nobody")))
    assert run.failure.type == "UnknownWorkflow"


async def test_a_cancel_reaches_the_child_and_its_steps(house: House) -> None:
    house.control.plans["long"] = plan(step("a", **HANG))
    handle = await house.start(plan(call("sub", "long"), final("clean", inputs={"give": "${{ run.state }}"})))
    await house.until_called(f"{handle.id}.sub", "a")
    await handle.cancel()
    run = await house.ended(handle)
    assert isinstance(run.error, CancelledError)
    assert run.states == {"sub": "cancelled", "clean": "succeeded"}
    assert run.given("clean") == "cancelled"
    assert house.control.records[f"{handle.id}.sub"][-1].state == "cancelled"
    assert house.actors.in_flight(f"{handle.id}.sub") == []


async def test_a_child_outlives_no_parent_that_is_terminated(house: House) -> None:
    house.control.plans["long"] = plan(step("a", **HANG))
    handle = await house.start(plan(call("sub", "long")))
    await house.until_called(f"{handle.id}.sub", "a")
    await handle.terminate("by test")
    child = house.client.get_workflow_handle(f"{handle.id}.sub")
    assert isinstance((await house.ended(child)).error, CancelledError)


async def test_finally_runs_once_after_a_cancel_and_after_a_timeout(house: House) -> None:
    for stop in ("cancel", "timeout"):
        shape = plan(step("a", **HANG), final("clean", inputs={"rest": 0.3, "give": "${{ run.state }}"}))
        handle = await house.start(Plan(shape.workflow, shape.steps, timeout=0.6 if stop == "timeout" else 60.0))
        await house.until_called(handle.id, "a")
        if stop == "cancel":
            await handle.cancel()
        run = await house.ended(handle)
        assert run.states == {"a": "cancelled", "clean": "succeeded"}
        assert house.actors.count(handle.id, "clean") == 1
        assert run.given("clean") == ("cancelled" if stop == "cancel" else "failed")


async def test_a_held_step_waits_for_a_person_and_goes_on_when_tried_again(house: House) -> None:
    shape = plan(step("a", inputs={"deaf": 0, "fail": "ExitCode"}), step("b", "a"), on_failure="hold")
    handle = await house.start(shape)
    await house.until(lambda: any(each.state == "held" for each in house.control.records.get(handle.id, [])))
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await handle.signal(RELEASE_SIGNAL, Release("a", "retry", "ada"))
    await house.until_called(handle.id, "a", 2)
    await house.until(lambda: [each.state for each in house.control.records[handle.id]].count("held") == 2)
    await handle.signal(RELEASE_SIGNAL, Release("a", "fail", "ada"))
    run = await house.ended(handle)
    assert run.states == {"a": "failed", "b": "upstream_failed"}
    assert run.last("a").reason.endswith("ada let it fail")


async def test_a_failure_stops_the_rest_where_the_workflow_says_so(house: House) -> None:
    handle = await house.start(
        plan(step("a", inputs={"rest": 0.3, "fail": "ExitCode"}), step("b", **HANG), on_failure="stop")
    )
    run = await house.ended(handle)
    assert (run.failure.type, run.states) == ("ExitCode", {"a": "failed", "b": "cancelled"})
