"""Runs as Temporal sees them: starting and cancelling the execution behind a run's row.

The run's id is the workflow id and is used twice by nobody but a run that goes on after its end, so starting the same
run again is harmless whoever does it. Nothing here touches the database.
"""

from __future__ import annotations

import contextlib
from typing import Any

from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.temporal import RPC_TIMEOUT, register_search_attributes
from store.executions import execution_timeout, memo, search_attributes, summary, task_timeout
from workflows.fairness import fairness_key
from workflows.messages import SEARCH_ATTRIBUTES, RunRequest
from workflows.packing import packed_request
from workflows.plan import CONTROL_QUEUE, Plan


async def start_execution(client: Client, run: str, request: RunRequest, plan: Plan) -> None:
    """Start the execution of `run`; one that was started before is left as it is."""
    try:
        await _start_once(client, run, request, plan)
    except RPCError as error:
        # A server whose database is new does not know our search attributes; nothing else of ours is invalid.
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        await register_search_attributes(client)
        await _start_once(client, run, request, plan)


async def continue_execution(client: Client, run: str, request: RunRequest, plan: Plan, operation: str) -> bool:
    """Start a further execution of a run that has ended; return False when one is going on already.

    Args:
        client: Connected to Temporal.
        run: The run's id.
        request: It says what lets the run go on.
        plan: The run's plan.
        operation: The id of who wants it, kept with the execution: asked twice, it is started once.
    """
    try:
        await _start(client, run, request, plan, operation)
    except WorkflowAlreadyStartedError:
        return False
    return True


async def _start_once(client: Client, run: str, request: RunRequest, plan: Plan) -> None:
    with contextlib.suppress(WorkflowAlreadyStartedError):
        await _start(client, run, request, plan)


async def _start(client: Client, run: str, request: RunRequest, plan: Plan, operation: str | None = None) -> None:
    reuse = WorkflowIDReusePolicy
    await client.start_workflow(
        plan.workflow,
        packed_request(request),
        id=run,
        task_queue=CONTROL_QUEUE,
        id_reuse_policy=reuse.REJECT_DUPLICATE if operation is None else reuse.ALLOW_DUPLICATE,
        execution_timeout=execution_timeout(plan),
        task_timeout=task_timeout(len(plan.steps)),
        search_attributes=indexed(request),
        memo={**memo(request, plan), **({} if operation is None else {"operation": operation})},
        static_summary=summary(request),
        static_details=plan.description or None,
        priority=Priority(fairness_key=fairness_key(run)),
        rpc_timeout=RPC_TIMEOUT,
    )


async def cancel_execution(client: Client, run: str, reason: str) -> bool:
    """Ask the execution of `run` to cancel; return False when there is none that is open."""
    try:
        await client.get_workflow_handle(run).cancel(reason=reason, rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


def indexed(request: RunRequest) -> TypedSearchAttributes:
    """Return a run's search attributes as Temporal's client takes them."""
    pairs: list[SearchAttributePair[Any]] = []
    for name, value in search_attributes(request).items():
        whole = SEARCH_ATTRIBUTES[name] == "Int"
        key: Any = SearchAttributeKey.for_int(name) if whole else SearchAttributeKey.for_keyword(name)
        pairs.append(SearchAttributePair(key, value))
    return TypedSearchAttributes(pairs)
