"""`SegueTrigger` on a real Temporal server: one run per event, however often it is told."""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from tests.workflows.driving import plan, step
from tests.workflows.house import House
from workflows import events, trigger
from workflows.events import event_run_id
from workflows.messages import (
    DECISION_QUERY,
    FIRE_SIGNAL,
    TRIGGERS_SIGNAL,
    Event,
    EventDecision,
    EventTrigger,
    TriggerRequest,
    TriggerUpdate,
)
from workflows.plan import CONTROL_QUEUE


async def listening(house: House, name: str, **steps: Any) -> WorkflowHandle[Any, Any]:
    """Start the trigger of a workflow as the API does: with its first event, or anew."""
    house.control.plans[name] = plan(step("a", inputs={"give": "${{ event.rows }}"}), output="${{ steps.a.output }}")
    request = TriggerRequest(name)
    house.started.append(f"segue-trigger-{name}")
    return await house.client.start_workflow(
        "SegueTrigger", request, id=f"segue-trigger-{name}", task_queue=CONTROL_QUEUE
    )


async def outputs(house: House, name: str, *sent: str) -> list[Any]:
    """Wait for the runs of these events, and return what they gave."""
    given = []
    for event in sent:
        handle = house.client.get_workflow_handle(event_run_id(name, event))
        await house.until(partial(house.control.records.__contains__, handle.id))
        given.append((await house.ended(handle)).value)
    return given


async def test_an_event_starts_a_run_with_its_payload(house: House) -> None:
    told = await listening(house, "published")
    await told.signal(FIRE_SIGNAL, Event("e-1", "dataset.published", {"rows": 5}))
    assert await outputs(house, "published", "e-1") == [5]
    run = event_run_id("published", "e-1")
    assert run == f"published-event-{hashlib.sha256(b'e-1').hexdigest()[:16]}"
    assert house.control.records[run][0].detail == {"cause": {"kind": "event", "id": "e-1"}}
    await told.cancel()


async def test_the_same_event_starts_one_run(house: House) -> None:
    told = await listening(house, "doubled")
    for event in ("e-1", "e-1", "e-2", "e-1"):
        await told.signal(FIRE_SIGNAL, Event(event, payload={"rows": 1}))
    assert await outputs(house, "doubled", "e-2", "e-1") == [1, 1]
    await told.cancel()
    started = [run for run in house.control.records if run.startswith("doubled-event-")]
    assert len(started) == 2


async def test_an_event_that_was_forgotten_still_starts_no_second_run(house: House) -> None:
    told = await listening(house, "forgetful")
    await told.signal(FIRE_SIGNAL, Event("e-1", payload={"rows": 1}))
    await outputs(house, "forgetful", "e-1")
    await told.terminate()
    told = await listening(house, "forgetful")
    await told.signal(FIRE_SIGNAL, Event("e-1", payload={"rows": 2}))
    await told.signal(FIRE_SIGNAL, Event("e-2", payload={"rows": 3}))
    assert await outputs(house, "forgetful", "e-2", "e-1") == [3, 1]
    await told.cancel()


async def test_a_long_life_begins_anew_and_loses_no_event(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trigger, "EVENTS_PER_EXECUTION", 3)
    monkeypatch.setattr(events, "EVENTS_REMEMBERED", 2)
    told = await listening(house, "busy")
    names = [f"e-{number}" for number in range(10)]
    for number, name in enumerate(names):
        await told.signal(FIRE_SIGNAL, Event(name, payload={"rows": number}))
    assert await outputs(house, "busy", *names) == list(range(10))
    now = house.client.get_workflow_handle("segue-trigger-busy")
    async with asyncio.timeout(10):
        while (await now.describe()).run_id == told.first_execution_run_id:
            await asyncio.sleep(0.01)
    await now.cancel()


async def test_runs_go_on_when_their_trigger_is_removed(house: House) -> None:
    house.control.plans["slow"] = plan(step("a", inputs={"rest": 0.5, "give": 1}), output="${{ steps.a.output }}")
    told = await house.client.start_workflow(
        "SegueTrigger", TriggerRequest("slow"), id="segue-trigger-slow", task_queue=CONTROL_QUEUE
    )
    await told.signal(FIRE_SIGNAL, Event("e-1"))
    await house.until_called(event_run_id("slow", "e-1"), "a")
    await told.terminate()
    assert await outputs(house, "slow", "e-1") == [1]
    assert (await told.describe()).status is WorkflowExecutionStatus.TERMINATED


# Triggers that differ: names, conditions, debounce.


async def with_triggers(house: House, name: str, *triggers: EventTrigger) -> WorkflowHandle[Any, Any]:
    """Start the listener of a workflow whose runs give their params."""
    house.control.plans[name] = plan(step("a", inputs={"give": "${{ params }}"}), output="${{ steps.a.output }}")
    return await house.client.start_workflow(
        "SegueTrigger", TriggerRequest(name, triggers=[*triggers]), id=f"segue-trigger-{name}", task_queue=CONTROL_QUEUE
    )


async def decided(told: WorkflowHandle[Any, Any], event: str, *states: str) -> EventDecision:
    """Wait until an event is in one of these states."""
    async with asyncio.timeout(30):
        while True:
            found = await told.query(DECISION_QUERY, event, result_type=EventDecision | None)  # type: ignore[arg-type]
            if found is not None and found.state in states:
                return found
            await asyncio.sleep(0.01)


async def test_an_event_gets_the_params_of_its_own_trigger(house: House) -> None:
    told = await with_triggers(
        house,
        "several",
        EventTrigger("data", params={"rows": "${{ event.rows }}"}),
        EventTrigger("model", params={"kind": "model"}),
        EventTrigger("bare"),
    )
    for event in (Event("e-1", "data", {"rows": 5}), Event("e-2", "model"), Event("e-3", "bare")):
        await told.signal(FIRE_SIGNAL, event)
    assert await outputs(house, "several", "e-1", "e-2", "e-3") == [
        {"rows": "${{ event.rows }}"},  # rendered by `resolve_run`, which is a scripted one here
        {"kind": "model"},
        {},
    ]
    await told.cancel()


async def test_an_event_whose_condition_is_false_starts_no_run_and_says_why(house: House) -> None:
    told = await with_triggers(house, "picky", EventTrigger("data", "event.rows > 500"))
    for event in (Event("few", "data", {"rows": 5}), Event("none", "data", {}), Event("many", "data", {"rows": 501})):
        await told.signal(FIRE_SIGNAL, event)
    assert await outputs(house, "picky", "many") == [{}]
    few = await decided(told, "few", "condition_false")
    assert few.reason == "started no run: `event.rows > 500` (event.rows = 5) is false"
    assert (await decided(told, "none", "condition_error")).reason.startswith("started no run: if: ")
    many = await decided(told, "many", "started")
    assert many.run == event_run_id("picky", "many")
    assert [run for run in house.control.records if run.startswith("picky-event-")] == [many.run]
    await told.cancel()


async def test_a_burst_of_events_starts_one_run_with_the_last_of_them(house: House) -> None:
    told = await with_triggers(house, "calm", EventTrigger("data", debounce=0.6, params={"rows": "r"}))
    names = [f"e-{number}" for number in range(6)]
    for name in names:
        await told.signal(FIRE_SIGNAL, Event(name, "data", {"rows": 1}))
    await told.signal(FIRE_SIGNAL, Event("e-0", "data", {"rows": 1}))  # again: it prolongs nothing
    assert await outputs(house, "calm", "e-5") == [{"rows": "r"}]
    assert [run for run in house.control.records if run.startswith("calm-event-")] == [event_run_id("calm", "e-5")]
    assert (await decided(told, "e-4", "superseded")).reason.startswith("superseded by the event 'e-5'")
    assert (await decided(told, "e-0", "superseded")).times == 2
    await told.signal(FIRE_SIGNAL, Event("later", "data"))
    assert await outputs(house, "calm", "later") == [{"rows": "r"}]
    await told.cancel()


async def test_a_burst_outlives_beginning_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trigger, "EVENTS_PER_EXECUTION", 2)
    told = await with_triggers(house, "lasting", EventTrigger("data", debounce=1.0))
    for name in ("e-1", "e-2"):
        await told.signal(FIRE_SIGNAL, Event(name, "data"))
    now = house.client.get_workflow_handle("segue-trigger-lasting")
    assert (await decided(now, "e-2", "debounced")).reason == "starts a run when no other event has come for 1 s"
    assert await outputs(house, "lasting", "e-2") == [{}]
    assert (await now.describe()).run_id != told.first_execution_run_id
    await now.cancel()


async def test_a_deploy_changes_the_triggers_of_a_listener_that_goes_on(house: House) -> None:
    told = await with_triggers(house, "changing", EventTrigger("data", debounce=3600.0), EventTrigger("old"))
    await told.signal(FIRE_SIGNAL, Event("e-1", "data"))
    await decided(told, "e-1", "debounced")
    await told.signal(TRIGGERS_SIGNAL, TriggerUpdate(2, [EventTrigger("new", params={"by": "2"})]))
    assert "was removed while it was debounced" in (await decided(told, "e-1", "dropped")).reason
    await told.signal(FIRE_SIGNAL, Event("e-2", "old"))
    await told.signal(FIRE_SIGNAL, Event("e-3", "new"))
    assert await outputs(house, "changing", "e-3") == [{"by": "2"}]
    assert "there are 'new'" in (await decided(told, "e-2", "unmatched")).reason
    await told.cancel()


async def test_a_listener_of_before_triggers_could_differ_learns_of_them(house: House) -> None:
    told = await listening(house, "learning")
    await told.signal(FIRE_SIGNAL, Event("e-1", "whatever", {"rows": 1}))
    assert await outputs(house, "learning", "e-1") == [1]
    await told.signal(TRIGGERS_SIGNAL, TriggerUpdate(1, [EventTrigger("data", "event.rows > 1")]))
    await told.signal(FIRE_SIGNAL, Event("e-2", "data", {"rows": 1}))
    await decided(told, "e-2", "condition_false")
    await told.cancel()
