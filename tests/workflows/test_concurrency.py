"""Concurrency limits on a real Temporal server: how many go on at once, in which order, and what a crash leaves."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.exceptions import CancelledError
from temporalio.service import RPCError

from activities.places import PlaceActivities
from tests.workflows.driving import plan, step
from tests.workflows.house import Ended, House
from workflows import admission, slots
from workflows.messages import Transition
from workflows.places import ASK_SIGNAL, GIVE_BACK_SIGNAL, PlaceAsk, PlaceRelease, slots_id
from workflows.plan import Concurrency, Plan

Handle = WorkflowHandle[Any, Any]
HANG = {"inputs": {"hang": 1}}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test would only sit through."""
    monkeypatch.setattr(slots, "FIRST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(slots, "LONGEST_PAUSE_SECONDS", 0.4)


@pytest.fixture
def name() -> str:
    """A workflow name of the test's own, so that tests share no places."""
    return f"train-{uuid.uuid4().hex[:8]}"


def limited(*steps: Any, key: str = "${{ params.dataset }}", limit: int = 1, **more: Any) -> Plan:
    when_full = more.pop("when_full", "queue")
    return plan(*(steps or (step("a"),)), concurrency=Concurrency(key, limit, when_full), **more)


async def begun(house: House, name: str, made: Plan, dataset: str = "wine") -> Handle:
    return await house.start(made, name, params={"dataset": dataset})


async def holding(house: House, name: str, dataset: str = "wine", **more: Any) -> Handle:
    """Start a run that keeps its place until it is cancelled, and wait until it has one."""
    handle = await begun(house, name, limited(step("a", **HANG), **more), dataset)
    await house.until_called(handle.id, "a")
    return handle


def of_run(house: House, handle: Handle) -> list[Transition]:
    return [each for each in house.control.records.get(handle.id, []) if not each.key]


async def until_waits(house: House, handle: Handle, said: str) -> None:
    """Wait until a run says why it is pending."""

    def it_says() -> bool:
        of = of_run(house, handle)
        return bool(of) and of[-1].state == "pending" and said in of[-1].reason

    await house.until(it_says, f"a reason with {said!r}")


async def until_idle(house: House, name: str, key: str = "wine") -> None:
    """Wait until nobody holds or wants a place."""
    handle = house.client.get_workflow_handle(slots_id(name, key))
    async with asyncio.timeout(30):
        while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
            await asyncio.sleep(0.02)
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED


async def cancelled(house: House, handle: Handle, reason: str = "enough") -> Ended:
    await handle.cancel(reason=reason)
    ended = await house.ended(handle)
    assert isinstance(ended.error, CancelledError)
    return ended


# The limit.


async def test_of_twenty_runs_at_once_no_more_than_the_limit_go_on(house: House, name: str) -> None:
    inside, most = set[str](), 0
    made = limited(step("a", inputs={"rest": 0.05}), limit=3)
    handles = await asyncio.gather(*(begun(house, name, made) for _ in range(20)))
    ends = [asyncio.create_task(house.ended(handle)) for handle in handles]
    while not all(end.done() for end in ends):
        inside = {handle.id for handle in handles if house.actors.in_flight(handle.id)}
        most = max(most, len(inside))
        await asyncio.sleep(0.002)
    runs = [end.result() for end in ends]
    assert [run.state for run in runs] == ["succeeded"] * 20
    assert 1 < most <= 3
    await until_idle(house, name)


async def test_runs_start_in_the_order_in_which_they_asked(house: House, name: str) -> None:
    first = await holding(house, name)
    waiting = []
    for _ in range(4):
        waiting.append(await begun(house, name, limited()))
        await until_waits(house, waiting[-1], f"held by {first.id}")
    await cancelled(house, first)
    ends = [await house.ended(handle) for handle in waiting]
    starts = [next(t.at for t in end.transitions if t.state == "running") for end in ends]
    assert starts == sorted(starts)
    assert [house.actors.count(handle.id, "a") for handle in waiting] == [1] * 4


async def test_other_keys_and_other_workflows_have_places_of_their_own(house: House, name: str) -> None:
    held = [await holding(house, name, "wine"), await holding(house, name, "digits")]
    held.append(await holding(house, f"{name}-2", "wine"))
    for handle in held:
        await cancelled(house, handle)


async def test_a_run_says_whom_it_waits_for_and_is_right_when_that_changes(house: House, name: str) -> None:
    first = await holding(house, name)
    second = await begun(house, name, limited(step("a", **HANG)))
    await until_waits(house, second, f"held by {first.id}")
    third = await begun(house, name, limited())
    await until_waits(house, third, f"held by {first.id}")
    said = of_run(house, third)[-1]
    assert said.reason == f'waits for a place under concurrency key "wine" (limit 1), held by {first.id}'
    assert said.detail == {"concurrency": {"key": "wine", "limit": 1, "holders": [first.id]}}
    await cancelled(house, first)
    await until_waits(house, third, f"held by {second.id}")
    await cancelled(house, second)
    end = await house.ended(third)
    assert [t.state for t in end.transitions if not t.key][-3:] == ["pending", "running", "succeeded"]
    assert [each.seq for each in end.transitions] == list(range(1, len(end.transitions) + 1))


async def test_the_timeout_does_not_tick_while_a_run_waits(house: House, name: str) -> None:
    first = await holding(house, name)
    second = await begun(house, name, limited(step("a"), timeout=1.0))
    await until_waits(house, second, "held by")
    asked = of_run(house, second)[-1].at
    # Another second's work: what is waited for here is that more time passes than the second run has.
    third = await begun(house, f"{name}-2", limited(step("a", inputs={"rest": 1.3})))
    await house.ended(third)
    await cancelled(house, first)
    end = await house.ended(second)
    assert end.state == "succeeded"
    assert next(t.at for t in end.transitions if t.state == "running") - asked > 1.0


# When it is full.


async def test_who_skips_ends_at_once_and_names_the_holder(house: House, name: str) -> None:
    first = await holding(house, name, when_full="skip")
    second = await house.ended(await begun(house, name, limited(step("a"), step("b", "a"), when_full="skip")))
    assert second.state == "cancelled"
    said = f'no place is free under concurrency key "wine" (limit 1), held by {first.id}'
    assert second.last("").reason == said
    assert second.states == {"a": "cancelled", "b": "cancelled"}
    assert second.last("b").reason == f"{said}; b had not started"
    assert house.actors.count(second.id, "a") == 0
    await cancelled(house, first)
    third = await house.ended(await begun(house, name, limited(when_full="skip")))
    assert third.state == "succeeded"


async def test_the_oldest_is_cancelled_and_the_newcomer_starts_when_it_has_ended(house: House, name: str) -> None:
    first = await holding(house, name, when_full="cancel_oldest")
    second = await begun(house, name, limited(when_full="cancel_oldest"))
    end = await house.ended(first)
    assert (end.state, end.states) == ("cancelled", {"a": "cancelled"})
    assert end.last("").reason == f'run {second.id} takes its place under concurrency key "wine" (limit 1)'
    newcomer = await house.ended(second)
    assert newcomer.state == "succeeded"
    assert next(t.at for t in newcomer.transitions if t.state == "running") >= end.last("a").at
    await until_idle(house, name)


async def test_a_key_that_cannot_be_computed_fails_the_run_and_says_where(house: House, name: str) -> None:
    end = await house.ended(await begun(house, name, limited(key="${{ params.nothing }}")))
    assert end.state == "failed"
    assert end.failure.type == "ExpressionError"
    assert end.failure.message.startswith("concurrency.key: ")
    assert end.states == {"a": "cancelled"}


async def test_a_key_need_not_be_text(house: House, name: str) -> None:
    end = await house.ended(await begun(house, name, limited(key="${{ [1, params.dataset] }}")))
    assert end.state == "succeeded"
    await until_idle(house, name, '[1, "wine"]')


async def test_a_new_version_changes_the_limit_for_those_who_wait_already(house: House, name: str) -> None:
    first = await holding(house, name)
    second = await begun(house, name, limited(step("a", **HANG)))
    await until_waits(house, second, f"held by {first.id}")
    third = await begun(house, name, limited(step("a", **HANG), limit=3))
    await house.until_called(second.id, "a")
    await house.until_called(third.id, "a")
    fourth = await begun(house, name, limited(limit=1))
    await until_waits(house, fourth, f"(limit 1), held by {first.id}, {second.id}, {third.id}")
    for handle in (first, second):
        await cancelled(house, handle)
    await until_waits(house, fourth, f"held by {third.id}")
    await cancelled(house, third)
    assert (await house.ended(fourth)).state == "succeeded"


# What crashes and people do.


async def test_a_run_that_is_cancelled_while_it_waits_leaves_the_line(house: House, name: str) -> None:
    first = await holding(house, name)
    second, third = await begun(house, name, limited()), await begun(house, name, limited())
    await until_waits(house, second, "held by")
    end = await cancelled(house, second, "not needed any more")
    assert (end.state, end.states) == ("cancelled", {"a": "cancelled"})
    assert end.last("").reason == "not needed any more"
    assert house.actors.count(second.id, "a") == 0
    await cancelled(house, first)
    assert (await house.ended(third)).state == "succeeded"
    await until_idle(house, name)


@pytest.mark.parametrize("when_full", ["queue", "skip", "cancel_oldest"])
async def test_the_place_of_a_holder_that_was_terminated_is_found(house: House, name: str, when_full: str) -> None:
    first = await holding(house, name, when_full=when_full)
    await first.terminate()
    second = await house.ended(await begun(house, name, limited(when_full=when_full)))
    assert second.state == "succeeded"
    await until_idle(house, name)


async def test_the_place_of_a_holder_that_is_terminated_later_is_found(house: House, name: str) -> None:
    first = await holding(house, name)
    second = await begun(house, name, limited())
    await until_waits(house, second, f"held by {first.id}")
    await first.terminate()
    assert (await house.ended(second)).state == "succeeded"


async def test_a_run_that_was_terminated_while_it_waited_blocks_nobody(house: House, name: str) -> None:
    first = await holding(house, name)
    second, third = await begun(house, name, limited()), await begun(house, name, limited())
    await until_waits(house, second, f"held by {first.id}")
    await second.terminate()
    await cancelled(house, first)
    assert (await house.ended(third)).state == "succeeded"
    await until_idle(house, name)


async def test_a_failed_run_and_a_run_that_a_mistake_of_ours_ends_give_their_places_back(
    house: House, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await house.ended(await begun(house, name, limited(step("a", inputs={"fail": "Boom"}))))).state == "failed"
    await until_idle(house, name)

    def broken(*_: Any) -> None:
        raise KeyError("ours")

    with monkeypatch.context() as patch:
        patch.setattr("workflows.interpreter.advance", broken)
        ended = await house.ended(await begun(house, name, limited()))
    assert ended.failure.type == "InternalError"
    await until_idle(house, name)


@contextlib.contextmanager
def short_lives(monkeypatch: pytest.MonkeyPatch, events: int) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(slots, "EVENTS_PER_EXECUTION", events)
        yield


async def test_a_long_life_begins_anew_and_forgets_nobody(
    house: House, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with short_lives(monkeypatch, 12):
        handles = [await begun(house, name, limited(limit=2)) for _ in range(12)]
        first = house.client.get_workflow_handle(slots_id(name, "wine"))
        ends = [await house.ended(handle) for handle in handles]
        assert [end.state for end in ends] == ["succeeded"] * 12
        await until_idle(house, name)
    lives = [each async for each in house.client.list_workflows(f"WorkflowId = '{first.id}'")]
    assert any(each.status is WorkflowExecutionStatus.CONTINUED_AS_NEW for each in lives)


async def test_a_cancel_does_not_make_it_forget_who_holds_a_place(house: House, name: str) -> None:
    first = await holding(house, name)
    second = await begun(house, name, limited())
    await until_waits(house, second, f"held by {first.id}")
    keeper = house.client.get_workflow_handle(slots_id(name, "wine"))
    await keeper.cancel()
    third = await begun(house, name, limited())
    await until_waits(house, third, f"held by {first.id}")
    await cancelled(house, first)
    assert [(await house.ended(each)).state for each in (second, third)] == ["succeeded", "succeeded"]
    await until_idle(house, name)


async def times_asked(keeper: Handle, run: Handle) -> int:
    """Return how often a run has asked for a place."""
    signals = [
        each.workflow_execution_signaled_event_attributes
        async for each in keeper.fetch_history_events()
        if each.HasField("workflow_execution_signaled_event_attributes")
    ]
    return sum(
        signal.signal_name == ASK_SIGNAL and run.id.encode() in signal.input.payloads[0].data for signal in signals
    )


async def test_who_waits_asks_again_should_the_line_have_been_terminated(
    house: House, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "ASK_AGAIN_SECONDS", 0.5)
    first = await holding(house, name)
    second = await begun(house, name, limited())
    await until_waits(house, second, f"held by {first.id}")
    keeper = house.client.get_workflow_handle(slots_id(name, "wine"))
    async with asyncio.timeout(30):
        while (await times_asked(keeper, second)) < 2:
            await asyncio.sleep(0.05)
    await keeper.terminate()
    end = await house.ended(second)
    assert end.state == "succeeded"
    said = [each.reason for each in end.transitions if each.state == "pending"]
    assert len(said) == len(set(said)), "the same answer to another ask is no news"
    await cancelled(house, first)


async def test_a_run_for_which_no_place_comes_free_fails_in_the_end(
    house: House, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "ASK_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 0.5)
    first = await holding(house, name)
    end = await house.ended(await begun(house, name, limited()))
    assert (end.state, end.failure.type) == ("failed", "Timeout")
    assert "no place came free within" in end.last("").reason
    await cancelled(house, first)
    await until_idle(house, name)


# Resets.


async def reset(house: House, handle: Handle, event: Callable[[Any], bool]) -> Handle:
    """Reset a run in Temporal to the workflow task before the first event that is meant; return its new execution."""
    task, found = 0, 0
    async for each in house.client.get_workflow_handle(handle.id).fetch_history_events():
        if each.HasField("workflow_task_completed_event_attributes"):
            task = each.event_id
        if event(each):
            found = task
            break
    assert found
    description = await house.client.get_workflow_handle(handle.id).describe()
    request = ResetWorkflowExecutionRequest(
        namespace=house.client.namespace,
        reason="a test",
        workflow_task_finish_event_id=found,
        request_id=uuid.uuid4().hex,
    )
    request.workflow_execution.workflow_id = handle.id
    request.workflow_execution.run_id = description.run_id
    answer = await house.client.workflow_service.reset_workflow_execution(request)
    return house.client.get_workflow_handle(handle.id, run_id=answer.run_id)


def starts(kind: str) -> Callable[[Any], bool]:
    return lambda event: (
        event.HasField("activity_task_scheduled_event_attributes")
        and event.activity_task_scheduled_event_attributes.activity_type.name == kind
    )


def ends(event: Any) -> bool:
    return bool(
        event.HasField("workflow_execution_canceled_event_attributes")
        or event.HasField("workflow_execution_completed_event_attributes")
    )


async def test_a_holder_that_is_reset_keeps_its_one_place(house: House, name: str) -> None:
    first = await begun(house, name, limited(step("a"), step("b", "a", **HANG), limit=2))
    await house.until_called(first.id, "b")
    await reset(house, first, starts("noop"))
    await house.until_called(first.id, "b", 2)
    second = await holding(house, name, limit=2)
    third = await begun(house, name, limited(limit=2))
    await until_waits(house, third, f"held by {first.id}, {second.id}")
    await cancelled(house, house.client.get_workflow_handle(first.id))
    assert (await house.ended(third)).state == "succeeded"
    await cancelled(house, second)
    await until_idle(house, name)


async def test_a_run_that_is_reset_after_it_gave_its_place_back_waits_for_another(house: House, name: str) -> None:
    first = await house.start(limited(step("a"), step("b", "a")), name, params={"dataset": "wine"})
    await house.ended(first)
    second = await holding(house, name)
    again = await reset(house, first, starts("segue.record_run"))
    async with asyncio.timeout(30):
        while "pending" not in [t.state for t in (await house.told(again)).transitions]:
            await asyncio.sleep(0.02)
    assert house.actors.count(first.id, "b") == 1
    third = await begun(house, name, limited())
    await until_waits(house, third, f"held by {second.id}")
    await cancelled(house, second)
    end = await house.ended(again)
    assert end.value is None
    assert end.error is None
    assert house.actors.count(first.id, "b") == 2
    assert (await house.ended(third)).state == "succeeded"
    await until_idle(house, name)


async def test_a_run_that_is_reset_while_it_waits_has_one_place_in_the_line(house: House, name: str) -> None:
    first = await holding(house, name)
    second = await begun(house, name, limited())
    await until_waits(house, second, f"held by {first.id}")
    again = await reset(house, second, starts("segue.record_run"))
    third = await begun(house, name, limited())
    await until_waits(house, third, f"held by {first.id}")
    await cancelled(house, first)
    assert (await house.ended(again)).error is None
    assert (await house.ended(third)).state == "succeeded"
    await until_idle(house, name)


async def test_a_stale_release_gives_nobodys_place_away(house: House, name: str) -> None:
    first = await holding(house, name)
    keeper = house.client.get_workflow_handle(slots_id(name, "wine"))
    await keeper.signal(GIVE_BACK_SIGNAL, PlaceRelease(first.id, "of another time"))
    second = await begun(house, name, limited())
    await until_waits(house, second, f"held by {first.id}")
    await cancelled(house, first)
    assert (await house.ended(second)).state == "succeeded"


async def test_an_ask_for_a_run_that_is_not_there_holds_nothing_up(house: House, name: str) -> None:
    """As left behind by an activity whose worker died after the run had given up."""
    ask = PlaceAsk(name, "wine", slots_id(name, "wine"), f"{name}-ghost", "t")
    await PlaceActivities(house.client).ask_for_place(ask)
    await until_idle(house, name)
    with pytest.raises(RPCError):
        await house.client.get_workflow_handle(ask.run).describe()


async def test_a_run_that_temporal_does_not_know_any_more_has_ended(house: House, name: str) -> None:
    first = await holding(house, name)
    gone, here = PlaceRelease(f"{name}-deleted", "t"), PlaceRelease(first.id, "t")
    assert await PlaceActivities(house.client).which_runs_ended([gone, here]) == [gone]
    await first.terminate()
    assert await PlaceActivities(house.client).which_runs_ended([here]) == [here]
