"""Triggers in Temporal: a schedule per schedule trigger, and one listening workflow for events.

What is in Temporal is made equal to the newest version's triggers, whatever was there before, so a deploy that died
half way is mended by the next. Runs that a trigger has started are never touched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from api.executions import indexed
from api.problems import Problem
from api.schedules import ScheduleInvalid, schedule_spec
from api.temporal import RPC_TIMEOUT
from store.executions import execution_timeout, summary, task_timeout
from workflows.fairness import fairness_key
from workflows.messages import (
    DECISION_QUERY,
    FIRE_SIGNAL,
    TRIGGERS_SIGNAL,
    Cause,
    Event,
    EventDecision,
    EventTrigger,
    RunRequest,
    TriggerRequest,
    TriggerUpdate,
)
from workflows.plan import CONTROL_QUEUE, Plan, Trigger

TRIGGER_WORKFLOW = "SegueTrigger"

_OVERLAP = {
    "skip": ScheduleOverlapPolicy.SKIP,
    "allow": ScheduleOverlapPolicy.ALLOW_ALL,
    "queue": ScheduleOverlapPolicy.BUFFER_ALL,
    "cancel_oldest": ScheduleOverlapPolicy.CANCEL_OTHER,
}
_MIN_CATCHUP_SECONDS = 10.0
"""Temporal refuses less; without a value it would catch up on a whole year."""


def describe_triggers(workflow: str, triggers: Sequence[Trigger]) -> list[dict[str, Any]]:
    """Return the triggers as the API shows them, each with the id of what stands for it in Temporal."""
    shown = []
    for number, trigger in enumerate(_of_kind(triggers, "schedule")):
        shown.append({"kind": "schedule", "id": schedule_id(workflow, number), **trigger.spec})
    for trigger in _of_kind(triggers, "event"):
        shown.append({"kind": "event", "id": trigger_id(workflow), **trigger.spec})
    return shown


def schedule_id(workflow: str, number: int) -> str:
    """Return the id of a workflow's schedule; `number` counts its schedules from 0."""
    return f"segue-{workflow}-{number}"


def trigger_id(workflow: str) -> str:
    """Return the id of the Temporal workflow that listens for a workflow's events."""
    return f"segue-trigger-{workflow}"


async def apply_triggers(client: Client, plan: Plan, version: int) -> None:
    """Make Temporal's schedules and listener those of `plan`, the newest version of its workflow.

    Args:
        client: Of Temporal.
        plan: What runs.
        version: Its number.

    Raises:
        Problem: Temporal refuses a schedule: a cron text or timezone it cannot read.
    """
    schedules = _of_kind(plan.triggers, "schedule")
    for number, trigger in enumerate(schedules):
        await _put_schedule(client, plan, number, trigger)
    await _delete_schedules(client, plan.workflow, len(schedules))
    if _of_kind(plan.triggers, "event"):
        update = TriggerUpdate(version, event_triggers(plan.triggers))
        await _listen(client, plan.workflow, update, TRIGGERS_SIGNAL, update)
    else:
        await _stop_listening(client, plan.workflow)


def event_triggers(triggers: Sequence[Trigger]) -> list[EventTrigger]:
    """Return the event triggers among these as the listener takes them."""
    return [
        EventTrigger(each.spec["name"], each.spec.get("if"), each.spec.get("debounce") or 0.0, each.params)
        for each in _of_kind(triggers, "event")
    ]


async def fire(client: Client, workflow: str, event: Event, known: TriggerUpdate) -> None:
    """Hand `event` to the workflow's listener, starting the listener if nothing listens."""
    await _listen(client, workflow, known, FIRE_SIGNAL, event)


async def look_up(client: Client, workflow: str, event: str) -> EventDecision | None:
    """Return what became of an event, or None when the workflow's listener does not know it (any more).

    Raises:
        RPCError: Temporal, or a worker that knows, does not answer.
    """
    handle = client.get_workflow_handle(trigger_id(workflow))
    try:
        found: EventDecision | None = await handle.query(
            DECISION_QUERY,
            event,
            result_type=EventDecision | None,  # type: ignore[arg-type]  # a union is a type to the converter
            rpc_timeout=RPC_TIMEOUT,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return found


async def _put_schedule(client: Client, plan: Plan, number: int, trigger: Trigger) -> None:
    try:
        await _create_or_replace(client, schedule_id(plan.workflow, number), _schedule(plan, number, trigger))
    except ScheduleInvalid as error:
        raise _refused(number, str(error)) from error
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        raise _refused(number, f"Temporal refuses this schedule: {error.message}") from error


def _refused(number: int, message: str) -> Problem:
    path = f"triggers[{number}].schedule"
    return Problem(422, "trigger_invalid", f"{path}: {message}", errors=[{"path": path, "message": message}])


async def _create_or_replace(client: Client, name: str, schedule: Schedule) -> None:
    try:
        await client.create_schedule(name, schedule, rpc_timeout=RPC_TIMEOUT)
        return
    except ScheduleAlreadyRunningError:
        pass

    def replace(current: ScheduleUpdateInput) -> ScheduleUpdate:
        # Someone who paused it in Temporal's UI did not mean "until the next deploy".
        schedule.state.paused = current.description.schedule.state.paused
        return ScheduleUpdate(schedule)

    await client.get_schedule_handle(name).update(replace, rpc_timeout=RPC_TIMEOUT)


def _schedule(plan: Plan, number: int, trigger: Trigger) -> Schedule:
    workflow = plan.workflow
    request = RunRequest(workflow, params=trigger.params, cause=Cause("schedule", schedule_id(workflow, number)))
    # Two schedules that tick at the same second must not take each other's run id.
    suffix = "scheduled" if number == 0 else f"scheduled-{number}"
    return Schedule(
        action=ScheduleActionStartWorkflow(
            workflow,
            request,
            id=f"{workflow}-{suffix}",
            task_queue=CONTROL_QUEUE,
            execution_timeout=execution_timeout(plan),
            task_timeout=task_timeout(len(plan.steps)),
            typed_search_attributes=indexed(request),
            memo={"workflow": workflow, "schedule": trigger.spec},
            static_summary=summary(request),
            priority=Priority(fairness_key=fairness_key(f"{workflow}-{suffix}")),
        ),
        spec=schedule_spec(trigger.spec),
        policy=SchedulePolicy(
            overlap=_OVERLAP[trigger.spec.get("overlap") or "skip"],
            catchup_window=timedelta(seconds=max(_MIN_CATCHUP_SECONDS, trigger.spec.get("catchup") or 0.0)),
        ),
        # Temporal forgets the cron text itself: it keeps calendars.
        state=ScheduleState(note=json.dumps(trigger.spec, sort_keys=True)),
    )


async def _delete_schedules(client: Client, workflow: str, first: int) -> None:
    stale = first
    while await _schedule_exists(client, schedule_id(workflow, stale)):
        stale += 1
    # From the last to the first, so that dying in between leaves no gap that would hide the rest.
    for number in range(stale - 1, first - 1, -1):
        try:
            await client.get_schedule_handle(schedule_id(workflow, number)).delete(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


async def _schedule_exists(client: Client, name: str) -> bool:
    try:
        await client.get_schedule_handle(name).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def _listen(client: Client, workflow: str, known: TriggerUpdate, signal: str, argument: Any) -> None:
    """Signal the listener, which is started with the triggers as they are if nothing listens."""
    await client.start_workflow(
        TRIGGER_WORKFLOW,
        TriggerRequest(workflow, triggers=known.triggers, version=known.version),
        id=trigger_id(workflow),
        task_queue=CONTROL_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=timedelta(seconds=2),
        static_summary=f"events of {workflow}",
        rpc_timeout=RPC_TIMEOUT,
        start_signal=signal,
        start_signal_args=[argument],
    )


async def _stop_listening(client: Client, workflow: str) -> None:
    try:
        await client.get_workflow_handle(trigger_id(workflow)).cancel(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


def _of_kind(triggers: Sequence[Trigger], kind: str) -> list[Trigger]:
    return [trigger for trigger in triggers if trigger.kind == kind]
