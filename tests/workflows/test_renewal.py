"""A run whose history becomes too long goes on in another execution, and nobody sees it but Temporal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowHistory

from tests.workflows.driving import plan, step
from tests.workflows.house import Ended, House
from tests.workflows.test_replay import replayer
from workflows import carrying, renewal
from workflows.messages import ANSWER_SIGNAL, EVENT_SIGNAL, Answer, Event
from workflows.packing import PACKED
from workflows.plan import Concurrency, Map, Plan, Step

EVENTS = 40
"""A run of these tests begins anew after so many, and starts nothing after 192."""

Handle = WorkflowHandle[Any, Any]


def chain(length: int, *needs: str) -> list[Step]:
    names = [f"s{number}" for number in range(length)]
    return [step(name, names[at - 1] if at else needs, inputs={"give": at}) for at, name in enumerate(names)]


async def histories(house: House, handle: Handle) -> list[WorkflowHistory]:
    """Return the histories of a run, the oldest first, each of which goes the same way again and is short enough."""
    run_id: str | None = handle.first_execution_run_id
    found = []
    while run_id:
        history = await house.client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()
        assert len(history.events) <= EVENTS * 24 // 5 + 20
        assert (await replayer().replay_workflow(history, raise_on_replay_failure=False)).replay_failure is None
        found.append(history)
        run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


async def anew(house: House, handle: Handle) -> None:
    """Wait until a run has begun anew."""
    while (await handle.describe()).run_id == handle.first_execution_run_id:
        assert (await handle.describe()).status in (
            WorkflowExecutionStatus.RUNNING,
            WorkflowExecutionStatus.CONTINUED_AS_NEW,
        )


def whole(run: Ended) -> bool:
    """Say whether a run's record has neither gap nor double."""
    return [each.seq for each in run.transitions] == list(range(1, len(run.transitions) + 1))


async def test_a_chain_goes_on_in_further_executions_under_one_id_and_in_one_record(house: House) -> None:
    handle = await house.start(plan(*chain(24), output="${{ steps.s23.output }}"), events=EVENTS)
    run = await house.ended(handle)
    assert run.value == 23
    assert run.states == {f"s{number}": "succeeded" for number in range(24)}
    assert whole(run)
    assert all(house.actors.count(run.id, f"s{number}") == 1 for number in range(24))
    assert len(await histories(house, handle)) > 2
    description = await handle.describe()
    assert description.status is WorkflowExecutionStatus.COMPLETED
    assert description.typed_search_attributes.search_attributes
    # Whoever asks the last execution hears what is its own, and that goes on where the record was.
    told = await house.told(handle, run.transitions[-2].seq)
    assert told.transitions == run.transitions[-1:]


async def test_a_run_of_a_large_plan_begins_anew_as_any_other(house: House) -> None:
    idle = [step(f"idle{number}", condition="false") for number in range(2_000)]
    shape = plan(*idle, *chain(10), step("last", "s9"))
    handle = await house.start(shape, events=EVENTS)
    run = await house.ended(handle)
    assert run.states["last"] == "succeeded"
    assert list(run.states.values()).count("skipped") == 2_000
    assert whole(run)
    first, second, *_ = await histories(house, handle)
    for history in (first, second):
        argument = history.events[0].workflow_execution_started_event_attributes.input.payloads[0].data
        assert set(json.loads(argument)["plan"]) == {PACKED}


async def test_what_waits_does_not_keep_a_run_from_beginning_anew_and_goes_on_waiting(house: House) -> None:
    wait = {"kind": "wait"}
    steps = [
        step("ask", kind="approve", action={"quorum": 2, "form": {"share": {"default": 1}}}),
        step("asks", kind="approve", action={}, map=Map(["a", "b"], "each")),
        step("news", action={"event": {"name": "news", "if": "event.n > 1"}}, **wait),
        step("long", action={"for": 86_400.0}, **wait),
        step("short", action={"for": 0.5}, **wait),
        *chain(12),
        step("late", "s11", action={"event": {"name": "early"}}, **wait),
        step("last", "ask asks news short late", inputs={"give": "${{ steps.ask.output }}"}),
    ]
    handle = await house.start(plan(*steps), events=EVENTS)
    await handle.signal(ANSWER_SIGNAL, Answer("ask", True, "ada", {"share": 5}))
    await handle.signal(EVENT_SIGNAL, Event("e1", "news", {"n": 1}))
    await handle.signal(EVENT_SIGNAL, Event("e2", "early"))
    await anew(house, handle)
    await handle.signal(EVENT_SIGNAL, Event("e3", "news", {"n": 2}))
    await handle.signal(ANSWER_SIGNAL, Answer("ask", True, "grace"))
    for key in ("asks[0]", "asks[1]"):
        await handle.signal(ANSWER_SIGNAL, Answer(key, True, "ada"))
    await house.until_called(handle.id, "last")
    await house.operate(handle, "skip", "long")
    run = await house.ended(handle)
    assert run.state == "succeeded"
    assert whole(run)
    assert run.given("last") == {"share": 5, "approved": True, "by": ["ada", "grace"]}
    assert run.last("short").reason.startswith("the time has come")
    # One beginning each, in whichever execution.
    assert [run.of(key).count("running") for key in ("ask", "long", "short", "asks[1]")] == [2, 1, 1, 1]
    timers = [
        event.timer_started_event_attributes.start_to_fire_timeout.ToSeconds()
        for event in (await histories(house, handle))[1].events
        if event.HasField("timer_started_event_attributes")
    ]
    assert any(80_000 < seconds <= 86_400 for seconds in timers)
    assert any(600_000 < seconds <= 604_800 for seconds in timers), "the run's own deadline"


async def test_maps_holds_pauses_and_operations_go_on_too(house: House) -> None:
    items = Map(list(range(14)), "n", min_success={"percent": 80})
    steps = [
        step("held", inputs={"fail": "ExitCode"}),
        step("m", map=items, inputs={"give": "${{ 10 / (n - 3) }}"}),
        step("after", "m held", inputs={"give": "${{ steps.m.output[13] }}"}),
    ]
    handle = await house.start(plan(*steps, max_parallel=1, on_failure="hold"), events=EVENTS)
    await house.until_called(handle.id, "m[1]")
    await house.operate(handle, "pause", id="pause-1")
    await house.operate(handle, "resume", id="resume-1")
    await anew(house, handle)
    before = len((await house.told(handle, 10_000)).transitions)
    await house.operate(handle, "pause", id="pause-1")
    assert len((await house.told(handle, 10_000)).transitions) == before, "the same operation was done twice"
    await house.operate(handle, "mark", "held", output=5)
    run = await house.ended(handle)
    assert run.state == "succeeded"
    assert whole(run)
    assert run.given("after") == 1
    assert [run.states[f"m[{item}]"] for item in range(14)] == ["succeeded"] * 3 + ["failed"] + ["succeeded"] * 10
    assert len(await histories(house, handle)) > 1


async def test_a_long_step_is_waited_for_only_so_long_and_the_history_stays_bounded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "PATIENCE_SECONDS", 0.1)
    handle = await house.start(plan(step("long", inputs={"hang": 1}), *chain(40)), events=EVENTS)

    async def waited() -> bool:
        events = [each async for each in handle.fetch_history_events()]
        return sum(each.HasField("timer_fired_event_attributes") for each in events) > 0

    # It goes on beside the long step, after it has waited in vain for a moment to begin anew.
    while not await waited():
        assert (await handle.describe()).run_id == handle.first_execution_run_id
    calls = len(house.actors.calls)
    await house.until(lambda: len(house.actors.calls) > calls)
    await house.operate(handle, "skip", "long")
    run = await house.ended(handle)
    assert run.state == "succeeded"
    assert whole(run)
    assert len(await histories(house, handle)) > 1


async def test_a_run_that_has_begun_anew_is_cancelled_as_any_other(house: House) -> None:
    last = [step("hang", "s11", inputs={"hang": 1}), step("clean", phase="finally")]
    handle = await house.start(plan(*chain(12), *last), events=EVENTS)
    await house.until_called(handle.id, "hang")
    await handle.cancel()
    run = await house.ended(handle)
    assert (run.state, run.states["hang"], run.states["clean"]) == ("cancelled", "cancelled", "succeeded")
    assert whole(run)
    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    assert len(await histories(house, handle)) > 1


async def test_a_run_that_had_begun_anew_is_retried_and_begins_anew_again(house: House) -> None:
    shape = plan(*chain(9), step("bad", "s8", inputs={"broken": 1}), *[step(f"t{n}", "bad") for n in range(8)])
    handle = await house.start(shape, events=EVENTS)
    failed = await house.ended(handle)
    assert failed.states["bad"] == "failed"
    assert "generation 0 broke" in str(failed.failure)
    again = await house.retry(handle, shape, events=EVENTS)
    run = await house.ended(again)
    assert run.state == "succeeded"
    assert whole(run)
    assert house.actors.count(run.id, "s3") == 1
    assert house.actors.count(run.id, "bad") == 2


async def test_a_run_keeps_its_place_under_a_concurrency_limit(house: House) -> None:
    limit = Concurrency("renewal", 1)
    first = await house.start(
        plan(*chain(12), step("hang", "s11", inputs={"hang": 1}), concurrency=limit), events=EVENTS
    )
    await house.until_called(first.id, "hang")
    second = await house.start(plan(step("a"), concurrency=limit))
    await house.until(lambda: second.id in house.control.records)
    assert house.control.records[second.id][-1].reason.endswith(f"held by {first.id}")
    await first.cancel()
    assert (await house.ended(second)).state == "succeeded"
    assert len(await histories(house, first)) > 1


async def test_a_child_may_begin_anew_and_its_step_has_its_end(house: House) -> None:
    house.control.plans["inner"] = plan(*chain(12), output="${{ steps.s11.output }}")
    call = step("call", kind="workflow", action={"workflow": "inner", "version": None})
    run = await house.run(plan(call, step("after", "call", inputs={"give": "${{ steps.call.output }}"})), events=EVENTS)
    assert run.given("after") == 11
    child = house.client.get_workflow_handle(f"{run.id}.call")
    assert (await house.ended(child)).state == "succeeded"
    info = (await child.describe()).raw_description.workflow_execution_info
    assert info.first_run_id != info.execution.run_id


async def test_a_run_does_not_wait_for_the_database(house: House) -> None:
    house.control.broken = True
    try:
        handle = await house.start(plan(*chain(12)), events=EVENTS)
        await anew(house, handle)
    finally:
        house.control.broken = False
    run = await house.ended(handle)
    assert run.states == {f"s{number}": "succeeded" for number in range(12)}
    assert whole(run)


async def test_what_does_not_fit_is_put_off_and_in_the_end_fails_the_run_with_the_way_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "MAX_REQUEST_BYTES", 10)
    handle = await house.start(plan(*chain(40)), events=EVENTS)
    run = await house.ended(handle)
    assert run.state == "failed"
    assert run.failure.type == "RunTooLarge"
    assert "let large outputs be files" in run.last("").reason
    assert len(await histories(house, handle)) == 1


@pytest.mark.parametrize("document", [{"$zlib": "no"}, {"$zlib": ""}])
async def test_a_run_that_cannot_read_what_it_carries_fails_visibly(house: House, document: dict[str, Any]) -> None:
    shape: Plan = plan(step("a"))
    run = await house.run(shape, carried=document)
    assert run.failure.type == "InternalError"
