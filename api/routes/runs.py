"""Runs: starting, listing, looking at and cancelling them.

A run's row is written before Temporal hears of it, so a run that was acknowledged exists whatever dies next; a run
whose start did not reach Temporal stays `pending` and is started by the control worker.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Response
from temporalio.client import Client
from temporalio.service import RPCError

from api.executions import cancel_execution, start_execution
from api.problems import Problem, invalid, not_found
from api.run_ids import RUN_PATTERN, WORKFLOW_PATTERN, new_run_id
from api.schemas import CancelRun, Run, Runs, RunSummary, StartRun
from api.services import Actor, InDatabase, InServices, InTemporal, Services
from api.strict_json import StrictRoute
from api.temporal import Temporal
from store import rows
from store.database import Database
from store.recording import finish_run, get_request
from store.runs import (
    IdempotencyConflict,
    InvalidCursor,
    create_run,
    find_idempotent_run,
    get_operations,
    get_run,
    get_run_steps,
    list_runs,
)
from store.vars import get_vars
from store.workflows import get_version, get_workflow
from workflows.messages import TERMINAL_RUN_STATES, Cause, RunRequest, RunState
from workflows.packing import packed_request
from workflows.params import ParamsError, check_params
from workflows.plan import Plan

router = APIRouter(tags=["runs"], route_class=StrictRoute)

MAX_REQUEST_BYTES = 1_800_000
"""Plan, params and vars together: Temporal refuses arguments of 2 MiB."""

RunId = Annotated[str, Path(pattern=RUN_PATTERN, examples=["train-digits-01jdh3v6w8kq"])]
IdempotencyKey = Annotated[
    str | None,
    Header(pattern="^[!-~]{1,200}$", description="The same key and body give the same run, however often it is sent."),
]


@router.post(
    "/runs",
    status_code=201,
    summary="Start a run",
    responses={200: {"model": Run, "description": "The run that the same key and body started before."}},
)
async def start(
    body: StartRun,
    response: Response,
    services: InServices,
    database: InDatabase,
    temporal: InTemporal,
    actor: Actor,
    idempotency_key: IdempotencyKey = None,
) -> Run:
    """Start a run of a workflow's newest or given version.

    A 503 may come after the run was noted: asking again with the same `Idempotency-Key` then gives that run.
    """
    idempotency = None if idempotency_key is None else (idempotency_key, _digest(body))
    try:
        existing = None if idempotency is None else await find_idempotent_run(database, *idempotency)
        if existing is not None:
            response.status_code = 200
            return await shown_run(services, database, existing)
        plan, request = await _request(database, body, actor)
        row, created = await create_run(database, new_run_id(body.workflow), request, idempotency=idempotency)
    except IdempotencyConflict:
        detail = "This Idempotency-Key was used before with another body."
        raise Problem(409, "idempotency_conflict", detail) from None
    response.headers["Location"] = f"/api/v1/runs/{row.id}"
    if not created:
        response.status_code = 200
        return await shown_run(services, database, row)
    try:
        async with temporal.session() as client:
            await start_execution(client, row.id, request, plan)
    except RPCError as error:
        # Temporal has read the request and will never take it.
        await finish_run(database, row.id, "failed", f"Temporal refused to start the run: {error.message}")
        raise Problem(422, "run_refused", f"Temporal refused to start the run: {error.message}", run=row.id) from error
    except Problem as problem:
        problem.extra["run"] = row.id
        problem.detail = f"Temporal cannot be reached. The run {row.id} is noted and starts as soon as it can."
        raise
    return await shown_run(services, database, row)


@router.get("/runs", summary="List runs")
async def list_page(
    database: InDatabase,
    temporal: InTemporal,
    workflow: Annotated[str | None, Query(pattern=WORKFLOW_PATTERN)] = None,
    state: Annotated[RunState | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=500, description="The `next` of the page before.")] = None,
) -> Runs:
    """Return a page of runs, newest first."""
    try:
        found, following = await list_runs(database, workflow=workflow, state=state, limit=limit, cursor=cursor)
    except InvalidCursor:
        raise invalid([("cursor", "is not the `next` of an earlier page")]) from None
    shown = [RunSummary(**{**run.summary(), "stuck": await stuck(temporal, run)}) for run in found]
    return Runs(runs=shown, next=following)


@router.get("/runs/{run}", summary="One run")
async def get(run: RunId, services: InServices, database: InDatabase) -> Run:
    """Return a run with its steps."""
    return await shown_run(services, database, await require_run(database, run))


@router.post(
    "/runs/{run}/cancel",
    status_code=202,
    summary="Cancel a run",
    responses={200: {"model": Run, "description": "It had ended already."}},
)
async def cancel(
    run: RunId,
    response: Response,
    services: InServices,
    database: InDatabase,
    temporal: InTemporal,
    actor: Actor,
    body: CancelRun | None = None,
) -> Run:
    """Ask a run to cancel: its steps are stopped, then it ends as `cancelled`."""
    row = await require_run(database, run)
    if row.state in TERMINAL_RUN_STATES:
        response.status_code = 200
        return await shown_run(services, database, row)
    reason = (body.reason if body else "") or f"cancelled by {actor}"
    async with temporal.session() as client:
        if not await cancel_execution(client, run, reason) and row.state == "pending":
            await _start_and_cancel(client, database, run, reason)
    return await shown_run(services, database, await require_run(database, run))


async def _start_and_cancel(client: Client, database: Database, run: str, reason: str) -> None:
    """Cancel a run that Temporal has not heard of.

    It is started first: what only the row knew as cancelled could still be started by whoever read it as pending.
    """
    request = await get_request(database, run)
    if request is None or request.plan is None:
        await finish_run(database, run, "cancelled", reason)
        return
    await start_execution(client, run, request, Plan.from_json(request.plan))
    await cancel_execution(client, run, reason)


async def require_run(database: Database, run: str) -> rows.Run:
    """Return the run or raise the 404."""
    row = await get_run(database, run)
    if row is None:
        raise not_found("run", run)
    return row


async def _request(database: Database, body: StartRun, actor: str) -> tuple[Plan, RunRequest]:
    version = await get_version(database, body.workflow, body.version)
    if version is None:
        if body.version is None or await get_workflow(database, body.workflow) is None:
            raise not_found("workflow", body.workflow)
        raise not_found("workflow version", f"{body.workflow} {body.version}")
    plan = Plan.from_json(version.plan)
    request = RunRequest(
        workflow=version.workflow,
        version=version.version,
        params=checked_params(plan, body.params),
        cause=Cause("manual", actor),
        vars=await get_vars(database),
        bundle=version.bundle,
        plan=plan.compact(),
    )
    require_fitting(request)
    return plan, request


def require_fitting(request: RunRequest) -> None:
    """Refuse what Temporal would not take."""
    size = _bytes_of(request)
    if size > MAX_REQUEST_BYTES:
        size = _bytes_of(packed_request(request))  # as it travels; few requests are large enough to need it
    if size > MAX_REQUEST_BYTES:
        what = "plan, params, vars and kept outputs" if request.kept else "plan, params and vars"
        detail = f"{what} have {size:,} bytes together; a run can carry {MAX_REQUEST_BYTES:,}"
        raise invalid([("params", detail)], code="run_too_large")


def _bytes_of(request: RunRequest) -> int:
    return len(json.dumps(asdict(request)))


def checked_params(plan: Plan, given: dict[str, Any]) -> dict[str, Any]:
    """Return params with their defaults, or raise the 422."""
    try:
        return check_params(plan.params, given)
    except ParamsError as error:
        problems = [(problem.path, problem.message) for problem in error.errors]
        raise invalid(problems, code="params_invalid") from None


def _digest(body: StartRun) -> str:
    return hashlib.sha256(json.dumps(body.model_dump(), sort_keys=True).encode()).hexdigest()


async def shown_run(services: Services, database: Database, row: rows.Run) -> Run:
    """Return a run as HTTP shows it."""
    steps = await get_run_steps(database, row.id)
    shown = {
        **row.summary(),
        "stuck": await stuck(services.temporal, row),
        "params": row.params,
        "output": row.output,
        "error": row.error,
        "plan_hash": row.plan_hash,
        "temporal_url": temporal_url(services, row.id),
        "seq": row.seq,
        "operations": await get_operations(database, row.id),
        "steps": [step.to_json() for step in steps],
    }
    return Run.model_validate(shown)


async def stuck(temporal: Temporal, row: rows.Run) -> str | None:
    """Return what keeps a run from moving that is not of its plan; None: nothing does."""
    if row.ended:
        return None
    # First what is true now: what is recorded was said by a control worker, which may be gone.
    return await temporal.control_queue.problem() or row.stuck


def temporal_url(services: Services, run: str) -> str | None:
    """Return the address of the run's page in Temporal's own UI."""
    base = services.settings.temporal_ui_url
    if base is None:
        return None
    return f"{base.rstrip('/')}/namespaces/{services.temporal.namespace}/workflows/{quote(run, safe='')}"
