"""The two activities of the control queue: resolving what a run is to do, and recording what it did.

They are the interpreter's only way to the metadata database. Both may be repeated: the first answer stands.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import NoReturn

from temporalio import activity
from temporalio.exceptions import ApplicationError

from store.database import Database
from store.recording import apply_records, finish_run, get_request
from store.rows import Version
from store.runs import create_run, get_run
from store.vars import get_vars
from store.workflows import get_version
from workflows.expressions import ExpressionError
from workflows.messages import JSON, RECORD_RUN, RESOLVE_RUN, TERMINAL_RUN_STATES, RunRecords, RunRequest
from workflows.packing import packed_request
from workflows.params import ParamsError, check_params
from workflows.plan import Plan
from workflows.templates import render

LINGER_SECONDS = 0.25
"""How long a recording holds its answer back; what changes meanwhile goes into the next batch, as one write."""
MAX_LINGER_SECONDS = 1.0
LINGER_SECONDS_A_CHANGE = 0.002
"""Where much changes, a step that begins and ends between two batches is written once; nobody reads so fast."""


class ControlActivities:
    """The activities, bound to the database they work on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name=RESOLVE_RUN)
    async def resolve_run(self, request: RunRequest) -> RunRequest:
        """Fill in what a trigger could not know: the version, its plan, checked params and the vars as they are now.

        The run gets its row, also when it cannot start: people look there for the reason.

        Raises:
            ApplicationError: `UnknownWorkflow` or `InvalidParams`; neither is worth another try.
        """
        run = activity.info().workflow_id
        assert run is not None  # a workflow, the interpreter, is what calls it
        resolved = await get_request(self._database, run)
        if resolved is not None:
            await self._refuse_again(run)
            return packed_request(resolved)
        version = await get_version(self._database, request.workflow, request.version)
        if version is None:
            wanted = f"version {request.version} of " if request.version else ""
            await self._refuse(run, request, "UnknownWorkflow", f"there is no {wanted}workflow {request.workflow!r}")
        plan = Plan.from_json(version.plan)
        known = replace(request, version=version.version, bundle=version.bundle, vars=await get_vars(self._database))
        try:
            params = check_params(plan.params, _given(plan, known))
        except ParamsError as problem:
            errors = [{"path": error.path, "message": error.message} for error in problem.errors]
            await self._refuse(run, _with_plan(known, version), "InvalidParams", str(problem), errors)
        except ExpressionError as problem:
            message = f"the params of the event's trigger cannot be computed: {problem}"
            await self._refuse(run, _with_plan(known, version), "InvalidParams", message)
        await create_run(self._database, run, _with_plan(replace(known, params=params), version))
        # Read back: should this activity run twice at once, both give the same answer.
        made = await get_request(self._database, run) or _with_plan(replace(known, params=params), version)
        return packed_request(made)

    @activity.defn(name=RECORD_RUN)
    async def record_run(self, records: RunRecords) -> None:
        """Write a batch of transitions, then linger so that the next batch is worth its while.

        The batch that ends the run is answered at once, and so is any when this worker is to stop.
        """
        await apply_records(self._database, records)
        if not any(not each.key and each.state in TERMINAL_RUN_STATES for each in records.transitions):
            linger = max(LINGER_SECONDS, min(MAX_LINGER_SECONDS, len(records.transitions) * LINGER_SECONDS_A_CHANGE))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(activity.wait_for_worker_shutdown(), linger)

    async def _refuse(
        self, run: str, request: RunRequest, kind: str, message: str, errors: list[dict[str, str]] | None = None
    ) -> NoReturn:
        await create_run(self._database, run, request)
        await finish_run(self._database, run, "failed", message)
        raise ApplicationError(message, {"errors": errors or []}, type=kind, non_retryable=True)

    async def _refuse_again(self, run: str) -> None:
        """Repeat a refusal whose answer was lost."""
        row = await get_run(self._database, run)
        if row is not None and row.state == "failed" and row.started_at is None:
            raise ApplicationError(row.reason, {"errors": []}, type="InvalidParams", non_retryable=True)


def _with_plan(request: RunRequest, version: Version) -> RunRequest:
    return replace(request, plan=version.plan)


def _given(plan: Plan, request: RunRequest) -> dict[str, JSON]:
    """Return the params a trigger gives: a schedule sends its own, an event's trigger sends templates."""
    if request.cause.kind != "event":
        return request.params
    templates = request.params
    if request.event_name is None and not templates:
        trigger = next((each for each in plan.triggers if each.kind == "event"), None)
        templates = trigger.params if trigger else {}
    rendered = render(templates, {"event": request.event, "vars": request.vars})
    return dict(rendered)
