"""`SegueTrigger`: starts a run per event. One per workflow that has an event trigger, and it never ends by itself.

Anybody who can signal a Temporal workflow can start a run, and the same event starts one run however often it comes:
its id is remembered here, and the run's own id is made from it, so that Temporal refuses a second one after this
workflow's memory has moved on.
"""

from __future__ import annotations

import hashlib
from collections import deque
from datetime import timedelta

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows.messages import FIRE_SIGNAL, Cause, Event, RunRequest, TriggerRequest
from workflows.plan import CONTROL_QUEUE

EVENTS_PER_EXECUTION = 500
"""Each costs about six history events; a new execution begins long before Temporal ends this one."""
EVENTS_REMEMBERED = 1_000


def event_run_id(name: str, event: str) -> str:
    """Return the id of the run that the event `event` starts of the workflow `name`."""
    return f"{name}-event-{hashlib.sha256(event.encode(errors='surrogatepass')).hexdigest()[:16]}"


@workflow.defn(name="SegueTrigger")
class SegueTrigger:
    """Listens for the events of one workflow; its argument is a `TriggerRequest`."""

    @workflow.init
    def __init__(self, request: TriggerRequest) -> None:
        self._workflow = request.workflow
        self._seen = dict.fromkeys(request.seen)
        self._waiting: deque[Event] = deque()

    @workflow.signal(name=FIRE_SIGNAL)
    def fire(self, event: Event) -> None:
        """Start a run for `event`, unless its id was here before."""
        self._waiting.append(event)

    @workflow.run
    async def run(self, _request: TriggerRequest) -> None:
        """Start runs until cancelled."""
        handled = 0
        while handled < EVENTS_PER_EXECUTION or self._waiting:
            await workflow.wait_condition(lambda: bool(self._waiting))
            event = self._waiting.popleft()
            handled += 1
            if event.id not in self._seen:
                self._seen[event.id] = None
                await self._start(event)
        workflow.continue_as_new(TriggerRequest(self._workflow, list(self._seen)[-EVENTS_REMEMBERED:]))

    async def _start(self, event: Event) -> None:
        try:
            await workflow.start_child_workflow(
                self._workflow,
                RunRequest(self._workflow, cause=Cause("event", event.id), event=event.payload),
                id=event_run_id(self._workflow, event.id),
                task_queue=CONTROL_QUEUE,
                # The run is nobody's child in spirit: it goes on when this workflow ends or begins anew.
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                task_timeout=timedelta(seconds=5),
                static_summary=f"event {event.id}"[:200],
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("the event %s has started its run already", event.id)
