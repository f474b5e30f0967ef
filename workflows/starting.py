"""How runs begin: what they are to do is looked up, what they are found by is set, children are started.

A part of the interpreter (`workflows.interpreter`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import (
    Priority,
    RawValue,
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributeUpdate,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ActivityError

from workflows.exchange import StartChild
from workflows.messages import RESOLVE_RUN, Cause, RunRequest
from workflows.plan import CONTROL_QUEUE
from workflows.terms import MAX_SUMMARY

CHILD_TASK_SECONDS = 10.0
"""How long a workflow task of a child may take; its plan is not known here, and a replay of it must fit."""

_PATIENTLY = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5))


async def resolved(request: RunRequest) -> RunRequest:
    """Return a request with what a trigger could not know.

    Raises:
        FailureError: There is no such workflow, or its params do not fit.
    """
    try:
        found: RunRequest = await workflow.execute_activity(
            RESOLVE_RUN,
            request,
            task_queue=CONTROL_QUEUE,
            result_type=RunRequest,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=_PATIENTLY,
        )
    except ActivityError as error:
        raise error.cause or error from None
    # Who has a run go on after its end is not in what was resolved at its beginning.
    return replace(found, again=request.again or found.again, events=request.events)


async def child_run(start: StartChild, parent: RunRequest, priority: Priority) -> RawValue:
    """Run another workflow to its end; one that has ended before goes on, where the core says so.

    Args:
        start: The core's command.
        parent: The request of the run that starts it.
        priority: Of its steps that have none of their own.
    """
    request = RunRequest(
        start.workflow,
        version=start.version,
        params=start.params,
        cause=Cause("workflow", workflow.info().workflow_id),
        depth=parent.depth + 1,
        again=start.again,
        events=parent.events,
    )
    reuse = WorkflowIDReusePolicy
    child = await workflow.start_child_workflow(
        start.workflow,
        request,
        id=start.run,
        task_queue=CONTROL_QUEUE,
        result_type=RawValue,
        cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        # Should this run be terminated, its children end in order and leave their records.
        parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
        id_reuse_policy=reuse.REJECT_DUPLICATE if start.again is None else reuse.ALLOW_DUPLICATE,
        task_timeout=timedelta(seconds=CHILD_TASK_SECONDS),
        priority=priority,
        static_summary=f"a step of {workflow.info().workflow_id}"[:MAX_SUMMARY],
    )
    result: RawValue = await child
    return result


def add_search_attributes(request: RunRequest) -> None:
    """Add those that whoever started the run could not know."""
    present = workflow.info().typed_search_attributes
    updates: list[SearchAttributeUpdate[Any]] = []
    name, version = SearchAttributeKey.for_keyword("SegueWorkflow"), SearchAttributeKey.for_int("SegueVersion")
    cause = SearchAttributeKey.for_keyword("SegueTriggeredBy")
    if present.get(name) is None:
        updates.append(name.value_set(request.workflow))
    if present.get(version) is None and request.version is not None:
        updates.append(version.value_set(request.version))
    if present.get(cause) is None:
        updates.append(cause.value_set(request.cause.kind))
    if updates:
        workflow.upsert_search_attributes(updates)
