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
from workflows import trigger
from workflows.messages import FIRE_SIGNAL, Event, TriggerRequest
from workflows.plan import CONTROL_QUEUE
from workflows.trigger import event_run_id


async def listening(house: House, name: str, **steps: Any) -> WorkflowHandle[Any, Any]:
    """Start the trigger of a workflow as the API does: with its first event, or anew."""
    house.control.plans[name] = plan(step("a", inputs={"give": "${{ event.rows }}"}), output="${{ steps.a.output }}")
    request = TriggerRequest(name)
    house.started.append(f"segue-trigger-{name}")
    return await house.client.start_workflow(
        "SegueTrigger", request, id=f"segue-trigger-{name}", task_queue=CONTROL_QUEUE
    )


async def outputs(house: House, name: str, *events: str) -> list[Any]:
    """Wait for the runs of these events, and return what they gave."""
    given = []
    for event in events:
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
    monkeypatch.setattr(trigger, "EVENTS_REMEMBERED", 2)
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
