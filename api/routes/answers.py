"""What people and other services tell a run that is going on: answers, decisions about held steps, events."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter
from temporalio.service import RPCError, RPCStatusCode

from api.problems import Problem, invalid
from api.routes.logs import StepKey, require_step
from api.routes.runs import RunId, require_run
from api.schemas import Answer, Message, Release, Taken
from api.services import Actor, InDatabase, InTemporal
from api.strict_json import StrictRoute
from api.temporal import RPC_TIMEOUT, Temporal
from store import rows
from store.database import Database
from workflows import messages
from workflows.messages import ANSWER_SIGNAL, EVENT_SIGNAL, RELEASE_SIGNAL, TERMINAL_RUN_STATES
from workflows.params import ParamsError, check_params

router = APIRouter(tags=["runs"], route_class=StrictRoute)

MAX_PAYLOAD_BYTES = 64 * 1024


@router.post("/runs/{run}/steps/{key}/answer", status_code=202, summary="Answer an approve step")
async def answer(
    run: RunId, key: StepKey, body: Answer, database: InDatabase, temporal: InTemporal, actor: Actor
) -> Taken:
    """Approve or reject; the step's `detail.approval` says who is asked, and for what form."""
    step = await _open_step(database, run, key)
    asked = step.detail.get("approval")
    if step.state != "running" or not isinstance(asked, dict):
        raise Problem(409, "not_asked", f"The step {key!r} is {step.state}: it waits for no approval.")
    by = asked.get("by") or []
    if by and actor not in by and not any(name.startswith("role:") for name in by):
        raise Problem(403, "not_among_the_asked", f"{actor} is not among those who are asked: {', '.join(by)}.")
    values = _checked_values(asked.get("form") or {}, body)
    told = messages.Answer(key, body.approved, actor, values, body.comment)
    await _tell(temporal, run, ANSWER_SIGNAL, told)
    return Taken(run=run)


@router.post("/runs/{run}/steps/{key}/release", status_code=202, summary="Decide about a held step")
async def release(
    run: RunId, key: StepKey, body: Release, database: InDatabase, temporal: InTemporal, actor: Actor
) -> Taken:
    """Have a step that failed tried again, or let it fail; only a workflow with `on_failure: hold` holds steps."""
    step = await _open_step(database, run, key)
    if step.state != "held":
        raise Problem(409, "not_held", f"The step {key!r} is {step.state}: nobody has to decide about it.")
    await _tell(temporal, run, RELEASE_SIGNAL, messages.Release(key, body.action, actor))
    return Taken(run=run)


@router.post("/runs/{run}/events", status_code=202, summary="Send a run an event")
async def send(run: RunId, body: Message, database: InDatabase, temporal: InTemporal) -> Taken:
    """Show an event to the run's `wait` steps; one that begins later sees it too."""
    await _open_run(database, run)
    if len(json.dumps(body.payload).encode()) > MAX_PAYLOAD_BYTES:
        raise invalid([("payload", f"an event may carry at most {MAX_PAYLOAD_BYTES:,} bytes of JSON")])
    await _tell(temporal, run, EVENT_SIGNAL, messages.Event(body.id, body.name, body.payload))
    return Taken(run=run)


def _checked_values(form: dict[str, Any], body: Answer) -> dict[str, Any]:
    """Return the form, filled in; somebody who says no need not fill it in."""
    if not body.approved and not body.values:
        return {}
    try:
        return check_params(form, body.values, "in the step's form")
    except ParamsError as error:
        problems = [(problem.path.replace("params", "values", 1), problem.message) for problem in error.errors]
        raise invalid(problems, code="values_invalid") from None


async def _open_step(database: Database, run: str, key: str) -> rows.Step:
    await _open_run(database, run)
    return await require_step(database, run, key)


async def _open_run(database: Database, run: str) -> None:
    row = await require_run(database, run)
    if row.state in TERMINAL_RUN_STATES:
        raise _over(run, row.state)


async def _tell(temporal: Temporal, run: str, signal: str, argument: object) -> None:
    try:
        async with temporal.session() as client:
            await client.get_workflow_handle(run).signal(signal, argument, rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise _over(run, "not going on in Temporal") from None


def _over(run: str, state: str) -> Problem:
    return Problem(409, "run_over", f"The run {run!r} is {state}: there is nothing left to tell it.")
