"""What became of an event: told by the listener, which a worker of these tests runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from api.routes import events
from api.triggers import apply_triggers, fire, look_up
from tests.api.conftest import Api
from tests.api.samples import deployed, fresh, plan
from workflows.events import event_run_id
from workflows.messages import Event, TriggerUpdate
from workflows.plan import CONTROL_QUEUE, Trigger
from workflows.trigger import SegueTrigger

TRIGGERS = (
    Trigger("event", {"name": "data", "if": "event.rows > 500"}, {"mode": "full"}),
    Trigger("event", {"name": "data", "if": "event.rows > 5"}, {"mode": "small"}),
    Trigger("event", {"name": "file", "debounce": 600.0}),
)


@pytest.fixture
async def listener(temporal: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    """A worker of the listener alone: runs are started, and wait for another."""
    monkeypatch.setattr(events, "DECISION_SECONDS", 20.0)
    async with Worker(
        temporal,
        task_queue=CONTROL_QUEUE,
        workflows=[SegueTrigger],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=0,
    ) as running:
        yield running


async def send(api: Api, name: str, event: str, kind: str | None, **payload: Any) -> Any:
    body = {"id": event, "payload": payload, **({"name": kind} if kind else {})}
    answer = await api.http.post(f"/workflows/{name}/events", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_the_answer_says_what_became_of_an_event(api: Api, listener: Worker) -> None:
    name = fresh("decided")
    await deployed(api.database, plan(name, triggers=TRIGGERS))
    full = await send(api, name, "e-1", "data", rows=501)
    run = event_run_id(name, "e-1")
    assert full == {"run": run, "state": "started", "reason": f"started run {run}", "seen": False}
    few = await send(api, name, "e-2", "data", rows=3)
    assert (few["state"], few["run"]) == ("condition_false", event_run_id(name, "e-2"))
    assert few["reason"] == (
        "started no run: `event.rows > 500` (event.rows = 3) is false and `event.rows > 5` (event.rows = 3) is false"
    )
    assert (await send(api, name, "e-3", "data"))["state"] == "condition_error"
    assert (await send(api, name, "f-1", "file"))["state"] == "debounced"
    assert (await send(api, name, "f-2", "file"))["state"] == "debounced"


async def test_an_event_can_be_looked_up_and_sending_it_again_says_so(api: Api, listener: Worker) -> None:
    name = fresh("again")
    await deployed(api.database, plan(name, triggers=TRIGGERS))
    await send(api, name, "f-1", "file")
    again = await send(api, name, "f-1", "file")
    assert (again["state"], again["seen"]) == ("debounced", True)
    await send(api, name, "f-2", "file")
    shown = await api.get(f"/workflows/{name}/events", params={"id": "f-1"})
    assert (shown["state"], shown["seen"]) == ("superseded", True)
    missing = await api.http.get(f"/workflows/{name}/events", params={"id": "never"})
    assert (missing.status_code, missing.json()["code"]) == (404, "event_not_found")
    unknown = await api.http.get("/workflows/nothing/events", params={"id": "f-1"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "workflow_not_found")


async def test_the_run_of_an_event_gets_the_params_of_the_trigger_it_matched(
    api: Api, temporal: Client, listener: Worker
) -> None:
    name = fresh("matched")
    await deployed(api.database, plan(name, triggers=TRIGGERS))
    await send(api, name, "e-1", "data", rows=7)
    async with asyncio.timeout(20):
        history = await temporal.get_workflow_handle(event_run_id(name, "e-1")).fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes
    [request] = await temporal.data_converter.decode(started.input.payloads)
    assert (request["params"], request["event_name"], request["event"]) == ({"mode": "small"}, "data", {"rows": 7})


async def test_a_deploy_tells_the_listener(api: Api, temporal: Client, listener: Worker) -> None:
    name = fresh("told")
    first = await deployed(api.database, plan(name, triggers=TRIGGERS[2:]))
    await apply_triggers(temporal, first, 1)
    await send(api, name, "f-1", "file")
    await apply_triggers(temporal, plan(name, triggers=TRIGGERS[:1]), 2)
    async with asyncio.timeout(20):
        while (found := await look_up(temporal, name, "f-1")) is None or found.state != "dropped":
            await asyncio.sleep(0.02)


async def test_an_event_that_no_trigger_has_names_those_there_are(api: Api) -> None:
    name = fresh("named")
    await deployed(api.database, plan(name, triggers=TRIGGERS))
    answer = await api.http.post(f"/workflows/{name}/events", json={"id": "x", "name": "dta"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"path": "name", "message": "the workflow waits for 'data', 'file'"}]


async def test_what_became_of_an_event_is_not_known_without_a_worker(api: Api, temporal: Client) -> None:
    name = fresh("deaf")
    await deployed(api.database, plan(name, triggers=TRIGGERS))
    await fire(temporal, name, Event("e-1", "data"), TriggerUpdate(1))
    answer = await api.http.get(f"/workflows/{name}/events", params={"id": "e-1"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
