"""Says what keeps a run from moving that is not of its plan: a task that fails, a task that nobody takes.

It reads what Temporal knows of the interpreter's own task and returns a sentence, with the way out. It changes nothing
and decides nothing: a run that is stuck goes on by itself once its cause is mended.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import (
    EventType,
    TaskQueueType,
    VersioningBehavior,
    WorkerVersioningMode,
    WorkflowTaskFailedCause,
)
from temporalio.api.history.v1 import HistoryEvent, WorkflowTaskFailedEventAttributes
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflow.v1 import WorkflowExecutionVersioningInfo
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client, WorkflowExecutionDescription

from workers.versions import DEPLOYMENT
from workflows.plan import CONTROL_QUEUE

TRIES = 2
"""How often a task may fail before its run counts as stuck: while workers are replaced, one fails and the next does."""
TAKEN_WITHIN = timedelta(seconds=15)
"""How long a task may wait for a control worker before it is asked who is there to take it."""
SILENCE = timedelta(seconds=75)
"""A worker asks again once a minute when there is nothing to do; Temporal remembers it for five."""
RPC_TIMEOUT = timedelta(seconds=10)
LATEST_EVENTS = 100
MAX_MESSAGE = 500

_VERSIONED = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED

SERVE = f"segue worker --queue {CONTROL_QUEUE}"
UNSERVED = f"nobody serves the control queue, so nothing of this run is decided; start a control worker: {SERVE}"
UNEQUAL = (
    "the control worker decides otherwise than this run did before, so it is of another version than the one that "
    "began it; start a control worker of that version, or of one that can go on with it, and the run does"
)
FAILING = "the control worker fails at deciding what this run does next; mend or replace it, and the run goes on"
SLOW = (
    "control workers take this run and do not get to an end with it in time, or die of it; give them more memory and "
    "processors, or mend what kills them, and the run goes on"
)


async def held_by(client: Client, description: WorkflowExecutionDescription) -> str | None:
    """Return what keeps an open run from moving, with the way out; None: nothing does, or not for long."""
    raw = description.raw_description
    if not raw.HasField("pending_workflow_task"):
        return None
    task = raw.pending_workflow_task
    if task.attempt > TRIES:
        return sentence(await _last_failure(client, description))
    if task.HasField("started_time"):
        return None
    # What was scheduled first is a time in the past even where the next attempt is one in the future.
    waits = datetime.now(UTC) - task.original_scheduled_time.ToDatetime(UTC)
    if waits < TAKEN_WITHIN:
        return None
    pollers = await _pollers(client)
    versioning = raw.workflow_execution_info.versioning_info
    return unserved(description.id, versioning, pollers, datetime.now(UTC)) or await _not_current(client, pollers)


def sentence(event: HistoryEvent | None) -> str:
    """Return what is wrong with a task, from the event in which it last failed."""
    if event is None or event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
        return SLOW
    failed = event.workflow_task_failed_event_attributes
    unequal = failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
    return f"{UNEQUAL if unequal else FAILING}; it says: {_message(failed)}"


def unserved(
    run: str, versioning: WorkflowExecutionVersioningInfo, pollers: list[PollerInfo], now: datetime
) -> str | None:
    """Return why nobody takes a run's task, from who polls the control queue; None: somebody does who may."""
    present = [each for each in pollers if now - each.last_access_time.ToDatetime(UTC) < SILENCE]
    build = pinned_to(versioning)
    if not build:
        return None if present else UNSERVED
    if any(each.deployment_options.build_id == build for each in present):
        return None
    return (
        f"this run stays with the build {build} of the control worker, which nobody runs any more; start it again: "
        f"SEGUE_BUILD_ID={build} {SERVE}; or let the run go on with the current one: temporal workflow update-options "
        f"--workflow-id {run} --versioning-override-behavior auto_upgrade"
    )


def pinned_to(versioning: WorkflowExecutionVersioningInfo) -> str:
    """Return the build that a run stays with; empty: none."""
    override = versioning.versioning_override
    if override.HasField("pinned"):
        return override.pinned.version.build_id
    if override.HasField("auto_upgrade") or versioning.behavior != VersioningBehavior.VERSIONING_BEHAVIOR_PINNED:
        return ""
    return versioning.deployment_version.build_id


async def _not_current(client: Client, pollers: list[PollerInfo]) -> str | None:
    """Return that only builds are there to whom Temporal gives no new run; None: it is not so."""
    if any(each.deployment_options.worker_versioning_mode != _VERSIONED for each in pollers):
        return None
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT)
    answer = await client.workflow_service.describe_worker_deployment(request, timeout=RPC_TIMEOUT)
    builds = sorted({each.deployment_options.build_id for each in pollers})
    if answer.worker_deployment_info.routing_config.current_deployment_version.build_id in builds:
        return None
    return (
        f"the control workers that are there are of build {', '.join(builds)}, which is not the current one, so they "
        f"are given nothing new; make it current: temporal worker deployment set-current-version "
        f"--deployment-name {DEPLOYMENT} --build-id {builds[-1]}"
    )


def _message(failed: WorkflowTaskFailedEventAttributes) -> str:
    failure = failed.failure
    kind = failure.application_failure_info.type
    text = " ".join(failure.message.split())[:MAX_MESSAGE]
    return f"{kind}: {text}" if kind else text


async def _last_failure(client: Client, description: WorkflowExecutionDescription) -> HistoryEvent | None:
    """Return the newest event that tells how the task ended; Temporal writes down the first of its attempts alone."""
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=description.id, run_id=description.run_id),
        maximum_page_size=LATEST_EVENTS,
    )
    answer = await client.workflow_service.get_workflow_execution_history_reverse(request, timeout=RPC_TIMEOUT)
    told = (EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED, EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT)
    return next((event for event in answer.history.events if event.event_type in told), None)


async def _pollers(client: Client) -> list[PollerInfo]:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=CONTROL_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    return list((await client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)).pollers)
