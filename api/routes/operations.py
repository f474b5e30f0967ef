"""What people do to runs: pause, resume, skip, mark and change steps of those that go on; retry those that have ended.

The run itself decides: it refuses what may not be done, with the way out, and answers when it has done the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, Header
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from api.executions import continue_execution
from api.operation_schemas import Change, Done, Mark, Retry, Why
from api.problems import Problem, invalid, some, unavailable
from api.routes.logs import StepKey, require_step
from api.routes.runs import RunId, require_run, stuck
from api.services import Actor, InDatabase, InTemporal
from api.strict_json import StrictRoute
from api.temporal import PATIENCE_SECONDS, RPC_TIMEOUT, Temporal, tell_run
from store import rows
from store.database import Database
from store.recording import get_request, reopen_run
from store.runs import get_operations, get_run_steps
from workflows.declared import OutputProblem, check_declared
from workflows.messages import (
    OPERATION_REFUSED,
    SNAPSHOT_QUERY,
    TERMINAL_RUN_STATES,
    Operation,
    RunRequest,
)
from workflows.plan import Plan

router = APIRouter(tags=["operations"], route_class=StrictRoute)

ANSWER_SECONDS = 10.0
"""How long a run may take to answer: a control worker may have to replay it first."""
STUCK_SECONDS = 2.0
"""Likewise for a run that is known to be stuck: it may have got going just now."""
CLOSING_SECONDS = 5.0
"""How long a run that has recorded its end may take to end in Temporal."""
POLL_SECONDS = 0.05

_UNANSWERED = frozenset({RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})
"""What Temporal says of a question that no control worker answers; the last is how the SDK tells of its own limit."""

Kind = Literal["retry", "pause", "resume", "skip", "mark", "change"]
OperationId = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern="^[!-~]{1,200}$",
        description="The same key is one operation, however often it is sent.",
    ),
]


@dataclass(frozen=True)
class Doing:
    """Who does something, with what, and under which key."""

    database: Database
    temporal: Temporal
    actor: str
    key: str | None

    def operation(self, kind: Kind, why: str, **fields: Any) -> Operation:
        """Return what is to be done."""
        return Operation(self.key or uuid4().hex, kind, self.actor, why, **fields)

    async def operate(self, run: str, wish: Operation) -> Done:
        """Tell a run that goes on, and wait for its answer."""
        row = await require_run(self.database, run)
        if row.state in TERMINAL_RUN_STATES:
            if any(known.get("id") == wish.id for known in await get_operations(self.database, run)):
                return _done(run, row.state)  # it was done, and its answer lost
            way = "`segue retry` lets it go on, `segue rerun` makes a new one from it."
            raise Problem(409, "run_over", f"The run {run!r} is {row.state}. {way}")
        seconds = ANSWER_SECONDS if await stuck(self.temporal, row) is None else STUCK_SECONDS
        try:
            async with self.temporal.session(PATIENCE_SECONDS + ANSWER_SECONDS) as client:
                state = await _heard(tell_run(client, run, wish), seconds)
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == OPERATION_REFUSED:
                raise Problem(409, "operation_refused", cause.message) from None
            raise
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            raise Problem(409, "run_over", f"The run {run!r} is not going on in Temporal.") from None
        if state is None:
            raise await self._unheard(run)
        return _done(run, state)

    async def _unheard(self, run: str) -> Problem:
        """Return why a run does not answer, with the way out."""
        cause = await stuck(self.temporal, await require_run(self.database, run))
        if cause is None:
            return unavailable("The control worker")
        may = "What was asked may still be done when the run goes on"
        return Problem(409, "run_stuck", f"The run {run!r} does not answer, for it is stuck: {cause}. {may}.")


async def _heard(telling: Awaitable[str], seconds: float) -> str | None:
    """Return what a run answers within so many seconds; None: nothing."""
    try:
        async with asyncio.timeout(seconds):
            return await telling
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        return None


def _doing(database: InDatabase, temporal: InTemporal, actor: Actor, key: OperationId = None) -> Doing:
    return Doing(database, temporal, actor, key)


InDoing = Annotated[Doing, Depends(_doing)]


@router.post("/runs/{run}/pause", summary="Pause a run")
async def pause(run: RunId, by: InDoing, body: Why) -> Done:
    """Start no further step; what runs goes on to its end, and so do timers and waits."""
    return await by.operate(run, by.operation("pause", body.reason))


@router.post("/runs/{run}/resume", summary="Let a paused run go on")
async def resume(run: RunId, by: InDoing, body: Why) -> Done:
    """Start again what may start."""
    return await by.operate(run, by.operation("resume", body.reason))


@router.post("/runs/{run}/steps/{step}/skip", summary="Skip a step")
async def skip(run: RunId, step: StepKey, by: InDoing, body: Why) -> Done:
    """Let a step, or an item of a map, that has not ended count as skipped; when it runs, it is cancelled first."""
    return await by.operate(run, by.operation("skip", body.reason, steps=[step]))


@router.post("/runs/{run}/steps/{step}/mark", summary="Mark a step as succeeded")
async def mark(run: RunId, step: StepKey, by: InDoing, body: Mark) -> Done:
    """Let a step, or an item of a map, that has not ended count as succeeded with this output."""
    output = await _checked_output(by.database, run, step, body.output)
    return await by.operate(run, by.operation("mark", body.reason, steps=[step], output=output))


@router.post("/runs/{run}/steps/{step}/change", summary="Change how a step is run")
async def change(run: RunId, step: StepKey, by: InDoing, body: Change) -> Done:
    """Move a step that waits, for a worker or for its next attempt, to another queue; change its retry or timeout."""
    retry = body.retry.model_dump(exclude_none=True) if body.retry else {}
    timeout = body.timeout.model_dump(exclude_none=True) if body.timeout else {}
    if body.queue is None and not retry and not timeout:
        raise invalid([("queue", "nothing is to be changed: give a queue, retry or timeout")])
    wish = by.operation("change", body.reason, steps=[step], queue=body.queue, retry=retry, timeout=timeout)
    async with by.temporal.session() as client:
        description = await _described(client, run)
        wish.busy = [] if description is None else _with_workers(description)
    return await by.operate(run, wish)


@router.post("/runs/{run}/retry", summary="Let a run that failed go on")
async def retry(run: RunId, by: InDoing, body: Retry) -> Done:
    """Try the failed steps again, under the same run id; what has succeeded is kept and does not run again.

    What failed, what depends on it, what was cancelled, and the `finally` steps are decided anew.
    """
    row = await require_run(by.database, run)
    wish = by.operation("retry", body.reason, steps=body.steps)
    async with by.temporal.session(CLOSING_SECONDS + ANSWER_SECONDS) as client:
        found = await _closed(client, row)
        if found is not None and await found.memo_value("operation", "") == wish.id:
            return await _shown(by.database, run)
        await _check_retry(by.database, row, found, body.steps)
        request = await get_request(by.database, run)
        if found is None or request is None or request.plan is None:
            detail = f"Temporal does not know the run {run!r} any more, or its version is gone."
            raise Problem(409, "run_forgotten", f"{detail} `segue rerun` makes a new one.")
        wish.execution = found.run_id
        await _require_state(by.temporal, client, run, found.run_id)
        await _go_on(client, run, request, wish)
    await reopen_run(by.database, run, row.applied, f"{by.actor} had it go on")
    return await _shown(by.database, run)


async def _shown(database: Database, run: str) -> Done:
    return _done(run, (await require_run(database, run)).state)


def _done(run: str, state: str) -> Done:
    return Done.model_validate({"run": run, "state": state})


async def _require_state(temporal: Temporal, client: Client, run: str, execution: str) -> None:
    """Refuse a run that cannot say how far it was; the execution that is to go on will ask the same."""
    handle = client.get_workflow_handle(run, run_id=execution)
    try:
        found = await handle.query(SNAPSHOT_QUERY, rpc_timeout=timedelta(seconds=ANSWER_SECONDS))
    except WorkflowQueryFailedError as error:
        detail = f"The run {run!r} cannot go on: {error}. `segue rerun` makes a new one from it."
        raise Problem(409, "run_cannot_go_on", detail) from None
    except RPCError as error:
        if error.status not in _UNANSWERED:
            raise
        cause = await temporal.control_queue.problem()
        if cause is None:
            raise unavailable("The control worker") from None
        raise Problem(409, "run_stuck", f"The run {run!r} cannot go on now: {cause}.") from None
    if found is None:
        raise Problem(409, "not_begun", f"The run {run!r} never began. Start a new one.")


async def _go_on(client: Client, run: str, request: RunRequest, wish: Operation) -> None:
    request.again = wish
    if not await continue_execution(client, run, request, Plan.from_json(request.plan or {}), wish.id):
        raise _goes_on(run)


async def _check_retry(
    database: Database, row: rows.Run, found: WorkflowExecutionDescription | None, named: list[str]
) -> None:
    """Refuse what cannot be tried again."""
    if not row.ended or (found is not None and found.status is WorkflowExecutionStatus.RUNNING):
        raise _goes_on(row.id)
    if row.state == "succeeded":
        raise Problem(409, "run_succeeded", f"The run {row.id!r} succeeded. `segue rerun` makes a new one from it.")
    if row.applied == 0:
        raise Problem(409, "not_begun", f"The run {row.id!r} never began: {row.reason}. Start a new one.")
    steps = {step.key: step.state for step in await get_run_steps(database, row.id)}
    for place, name in enumerate(named):
        if name not in steps or "[" in name:
            failed = some([key for key, state in steps.items() if state == "failed" and "[" not in key])
            hint = "name the map: all its failed items are tried again"
            if "[" not in name:
                hint = f"{failed} failed" if failed else "no step failed; name none, and what was cancelled goes on"
            raise invalid(
                [(f"steps[{place}]", f"the run has no step {name!r} by itself: {hint}")], code="step_not_found"
            )
        if steps[name] != "failed":
            problem = f"{name} did not fail, it is {steps[name]}; what failed steps led to is decided anew by itself"
            raise invalid([(f"steps[{place}]", problem)], code="step_not_failed")


def _goes_on(run: str) -> Problem:
    return Problem(
        409,
        "run_goes_on",
        f"The run {run!r} goes on. `segue release RUN STEP --retry` tries a held step again; "
        "otherwise wait for its end, or cancel it first.",
    )


async def _closed(client: Client, row: rows.Run) -> WorkflowExecutionDescription | None:
    """Return the run's execution, which ends a moment after the run has recorded its end."""
    loop = asyncio.get_running_loop()
    until = loop.time() + CLOSING_SECONDS
    while True:
        found = await _described(client, row.id)
        closing = found is not None and found.status is WorkflowExecutionStatus.RUNNING and row.ended
        if not closing or loop.time() >= until:
            return found
        await asyncio.sleep(POLL_SECONDS)


async def _described(client: Client, run: str) -> WorkflowExecutionDescription | None:
    try:
        return await client.get_workflow_handle(run).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


def _with_workers(description: WorkflowExecutionDescription) -> list[str]:
    """Return the keys of the steps that a worker has taken."""
    started = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    return [each.activity_id for each in description.raw_description.pending_activities if each.state == started]


async def _checked_output(database: Database, run: str, key: str, output: Any) -> Any:
    """Return an output that is what the step declares."""
    row = await require_step(database, run, key.partition("[")[0])
    request = await get_request(database, run)
    steps = Plan.from_json(request.plan).steps if request is not None and request.plan else ()
    declared = next((step for step in steps if step.id == row.step), None)
    if declared is None or (declared.map is not None and "[" not in key):
        return output
    try:
        return check_declared(output, declared.output)
    except OutputProblem as problem:
        raise invalid([(problem.path, problem.problem)], code="output_invalid") from None
