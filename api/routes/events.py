"""Events in both directions: those that start runs, and those that a run sends while it goes on.

A run's events have numbers without gaps, so a client that was cut off names the last one it has and misses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from api.problems import Problem, invalid, not_found, unavailable
from api.routes.runs import RunId, require_run
from api.routes.workflows import Name
from api.run_ids import event_run_id
from api.schemas import Fire, Fired
from api.services import InDatabase, InServices, InTemporal, Services
from api.strict_json import StrictRoute
from api.temporal import Temporal
from api.triggers import event_triggers, fire, look_up
from store import rows
from store.database import Database, DatabaseUnavailable
from store.events import events_after, last_seq
from store.runs import get_run
from store.workflows import get_workflow
from workflows.messages import Event, EventDecision, TriggerUpdate
from workflows.plan import Trigger

router = APIRouter(tags=["events"], route_class=StrictRoute)

MAX_PAYLOAD_BYTES = 64 * 1024
DECISION_SECONDS = 0.8
"""How long an answer is held back for what became of the event, when no worker is there to say it."""
DECISION_POLL_SECONDS = 0.02

PAGE = 500
QUICK_POLL_SECONDS = 0.15
SLOW_POLL_SECONDS = 0.6
"""What a stream's polling slows down to while nothing happens."""
COMMENT_SECONDS = 10.0


@router.post("/workflows/{name}/events", status_code=202, summary="Send an event")
async def send(name: Name, body: Fire, database: InDatabase, temporal: InTemporal) -> Fired:
    """Start a run by the workflow's event trigger; the same event id starts one run, however often it is sent.

    The first trigger of the event's name whose `if` holds decides; the answer says what became of the event, or
    `accepted` when that takes longer: the event is kept then, and can be looked up.
    """
    workflow = await get_workflow(database, name)
    if workflow is None:
        raise not_found("workflow", name)
    triggers = event_triggers([Trigger(**trigger) for trigger in workflow.triggers])
    known = list(dict.fromkeys(trigger.name for trigger in triggers))
    if not known:
        raise Problem(409, "no_event_trigger", f"The workflow {name!r} has no event trigger.")
    if body.name not in known and not (body.name is None and len(known) == 1):
        raise invalid([("name", f"the workflow waits for {', '.join(map(repr, known))}")])
    if len(json.dumps(body.payload).encode()) > MAX_PAYLOAD_BYTES:
        raise invalid([("payload", f"an event may carry at most {MAX_PAYLOAD_BYTES:,} bytes of JSON")])
    if (started := await _started(database, name, body.id)) is not None:
        return started
    event = Event(body.id, body.name or known[0], body.payload)
    async with temporal.session() as client:
        await fire(client, name, event, TriggerUpdate(workflow.version, triggers))
    return _fired(name, await _decision_soon(temporal, name, body.id))


@router.get("/workflows/{name}/events", summary="One event")
async def get(
    name: Name,
    event: Annotated[str, Query(alias="id", min_length=1, max_length=200, description="The id it was sent with.")],
    database: InDatabase,
    temporal: InTemporal,
) -> Fired:
    """Return what became of an event; one that started no run is forgotten after some hundred others."""
    if await get_workflow(database, name) is None:
        raise not_found("workflow", name)
    if (started := await _started(database, name, event)) is not None:
        return started
    try:
        async with temporal.session() as client:
            decision = await look_up(client, name, event)
    except (RPCError, WorkflowQueryFailedError) as error:
        raise unavailable("The control worker") from error
    if decision is None:
        raise not_found("event", event)
    return _fired(name, decision)


async def _started(database: Database, name: str, event: str) -> Fired | None:
    """Return that an event has started its run, if it has."""
    run = event_run_id(name, event)
    if await get_run(database, run) is None:
        return None
    return Fired(run=run, state="started", reason=f"started run {run}", seen=True)


async def _decision_soon(temporal: Temporal, name: str, event: str) -> EventDecision:
    """Return what became of an event that was handed on, if that is known in a moment."""
    # What cannot be found out now is not lost: Temporal has the event.
    with contextlib.suppress(Problem, RPCError, WorkflowQueryFailedError):
        async with temporal.session(DECISION_SECONDS) as client:
            while True:
                found = await look_up(client, name, event)
                if found is not None and found.state != "accepted":
                    return found
                await asyncio.sleep(DECISION_POLL_SECONDS)
    return EventDecision(event)


def _fired(name: str, decision: EventDecision) -> Fired:
    run = decision.run or event_run_id(name, decision.id)
    return Fired(run=run, state=decision.state, reason=decision.reason, seen=decision.times > 1)


async def _run_of_stream(run: RunId, database: InDatabase) -> rows.Run:
    return await require_run(database, run)


def _start_of_stream(
    after: Annotated[int | None, Query(ge=0, le=2**53, description="The last event that the client has.")] = None,
    last_event_id: Annotated[str | None, Header(pattern="^[0-9]{0,15}$")] = None,
) -> int:
    return after if after is not None else int(last_event_id or 0)


@router.get(
    "/runs/{run}/events",
    response_class=EventSourceResponse,
    summary="Follow a run",
)
async def follow(
    run: Annotated[rows.Run, Depends(_run_of_stream)],
    after: Annotated[int, Depends(_start_of_stream)],
    services: InServices,
) -> AsyncIterator[ServerSentEvent]:
    """Stream what happens to the run and its steps, from the event behind `after` (or `Last-Event-ID`).

    `event: step` carries a step, `event: run` the run's summary, each with `seq` and `at`. The stream ends with
    `event: end` when the run has ended and all was sent; without it, come back with the last `id`.
    """
    pause, spoken = QUICK_POLL_SECONDS, time.monotonic()
    while not services.stopping.is_set():
        events, ended = await _new_events(services, run.id, after)
        for event in events:
            yield ServerSentEvent(id=str(event.seq), event=event.kind, raw_data=_data(event.to_json()))
            after, spoken = event.seq, time.monotonic()
        if events:
            pause = QUICK_POLL_SECONDS
            if len(events) == PAGE:
                continue
        elif ended:
            yield ServerSentEvent(event="end", raw_data="{}")
            return
        elif time.monotonic() - spoken >= COMMENT_SECONDS:
            yield ServerSentEvent(comment="still here")
            spoken = time.monotonic()
        await services.pause(pause)
        pause = min(SLOW_POLL_SECONDS, pause * 1.1)


async def _new_events(services: Services, run: str, after: int) -> tuple[list[rows.Event], bool]:
    """Return the next events, and whether none will follow them."""
    try:
        found = await last_seq(services.database, run)
        if found is None:
            return [], True
        newest, ended = found
        if newest <= after:
            return [], ended
        return await events_after(services.database, run, after, PAGE), False
    except DatabaseUnavailable:
        # The stream outlives a database that is away for a while.
        return [], False


def _data(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)
