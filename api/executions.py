"""Runs as Temporal sees them: starting and cancelling the execution behind a run's row.

The run's id is the workflow id and is never used twice, so starting the same run again is harmless whoever does it.
Nothing here touches the database.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.temporal import RPC_TIMEOUT, register_search_attributes
from workflows.messages import RunRequest
from workflows.plan import CONTROL_QUEUE, Plan

GRACE = timedelta(minutes=15)
"""What a run gets beyond its own time-out to cancel its steps and record its end, before Temporal ends it."""


async def start_execution(client: Client, run: str, request: RunRequest, plan: Plan) -> None:
    """Start the execution of `run`; one that was started before is left as it is."""
    try:
        await _start(client, run, request, plan)
    except RPCError as error:
        # A server whose database is new does not know our search attributes; nothing else of ours is invalid.
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        await register_search_attributes(client)
        await _start(client, run, request, plan)


async def _start(client: Client, run: str, request: RunRequest, plan: Plan) -> None:
    try:
        await client.start_workflow(
            plan.workflow,
            request,
            id=run,
            task_queue=CONTROL_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            execution_timeout=execution_timeout(plan),
            task_timeout=task_timeout(len(plan.steps)),
            search_attributes=search_attributes(request),
            memo=_memo(request, plan),
            static_summary=summary(request),
            static_details=plan.description or None,
            rpc_timeout=RPC_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        return


async def cancel_execution(client: Client, run: str, reason: str) -> bool:
    """Ask the execution of `run` to cancel; return False when there is none that is open."""
    try:
        await client.get_workflow_handle(run).cancel(reason=reason, rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


def execution_timeout(plan: Plan) -> timedelta:
    """Return when Temporal ends a run whose interpreter has not ended it in time."""
    return timedelta(seconds=plan.timeout) + GRACE


def task_timeout(steps: int) -> timedelta:
    """Return how long a workflow task may take before another worker gets it.

    Short, because a killed worker is noticed by it; but a replay of the whole history must fit, or the run never
    moves again: about 2 ms a step, and ten times that on a busy machine.
    """
    return timedelta(seconds=min(10.0, 2.0 + steps / 50))


def search_attributes(request: RunRequest) -> TypedSearchAttributes:
    """Return what Temporal's own list of workflows can be filtered by."""
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(SearchAttributeKey.for_keyword("SegueWorkflow"), request.workflow),
        SearchAttributePair(SearchAttributeKey.for_keyword("SegueTriggeredBy"), request.cause.kind),
    ]
    if request.version is not None:
        pairs.append(SearchAttributePair(SearchAttributeKey.for_int("SegueVersion"), request.version))
    return TypedSearchAttributes(pairs)


def summary(request: RunRequest) -> str:
    """Return the line that Temporal's UI shows for a run."""
    version = "" if request.version is None else f" v{request.version}"
    by = f" ({request.cause.id})" if request.cause.id else ""
    # Temporal refuses more than 400 bytes here.
    return f"{request.workflow}{version}, {request.cause.kind}{by}".encode()[:200].decode(errors="ignore")


def _memo(request: RunRequest, plan: Plan) -> dict[str, Any]:
    return {"workflow": request.workflow, "version": request.version, "plan_hash": plan.content_hash}
