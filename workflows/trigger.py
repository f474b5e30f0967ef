"""`SegueTrigger`: starts a run per event. One per workflow that has an event trigger, and it never ends by itself.

Anybody who can signal a Temporal workflow can start a run, and the same event starts one run however often it comes:
its id is remembered here, and the run's own id is made from it, so that Temporal refuses a second one after this
workflow's memory has moved on. What an event leads to is decided in `workflows.events`.
"""

from __future__ import annotations

import contextlib
from collections import deque
from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows.events import EventDesk, Start, event_run_id
from workflows.fairness import fairness_key
from workflows.messages import (
    DECISION_QUERY,
    FIRE_SIGNAL,
    TRIGGERS_SIGNAL,
    Cause,
    Event,
    EventDecision,
    RunRequest,
    TriggerRequest,
    TriggerUpdate,
)
from workflows.plan import CONTROL_QUEUE

EVENTS_PER_EXECUTION = 500
"""Each costs about ten history events; a new execution begins long before Temporal ends this one."""


@workflow.defn(name="SegueTrigger")
class SegueTrigger:
    """Listens for the events of one workflow; its argument is a `TriggerRequest`."""

    @workflow.init
    def __init__(self, request: TriggerRequest) -> None:
        self._workflow = request.workflow
        self._desk = EventDesk(request)
        self._waiting: deque[Event] = deque()
        self._starting = ""

    @workflow.signal(name=FIRE_SIGNAL)
    def fire(self, event: Event) -> None:
        """Start a run for `event`, unless its id was here before, or a trigger's condition or quiet says otherwise."""
        self._waiting.append(event)

    @workflow.signal(name=TRIGGERS_SIGNAL)
    def triggers(self, update: TriggerUpdate) -> None:
        """Take over the triggers of the newest version; what was not decided yet is decided by them."""
        self._desk.update(update)

    @workflow.query(name=DECISION_QUERY)
    def decision(self, event: str) -> EventDecision | None:
        """Answer with what became of an event; it has started a run when Temporal knows the run, no sooner."""
        if event == self._starting:
            return EventDecision(event)
        waits = any(each.id == event for each in self._waiting)
        return self._desk.decision(event) or (EventDecision(event) if waits else None)

    @workflow.run
    async def run(self, _request: TriggerRequest) -> None:
        """Start runs until cancelled."""
        handled = 0
        while handled < EVENTS_PER_EXECUTION or self._waiting:
            await self._something()
            while self._waiting:
                handled += 1
                await self._start(self._desk.take(self._waiting.popleft(), workflow.time()))
            # After the events: one that came while no worker was there still belongs to the burst before it.
            for start in self._desk.take_due(workflow.time()):
                await self._start(start)
        workflow.continue_as_new(self._desk.kept())

    async def _something(self) -> None:
        """Wait for an event, or until a burst of them is over."""
        due = self._desk.due
        quiet = None if due is None else max(0.0, due - workflow.time())
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: bool(self._waiting) or self._desk.due != due,
                timeout=quiet,
                timeout_summary="until it has been quiet",
            )

    async def _start(self, start: Start | None) -> None:
        if start is None:
            return
        event = start.event
        self._starting = event.id
        try:
            await workflow.start_child_workflow(
                self._workflow,
                RunRequest(
                    self._workflow,
                    params=start.params,
                    cause=Cause("event", event.id),
                    event=event.payload,
                    event_name=start.name,
                ),
                id=event_run_id(self._workflow, event.id),
                task_queue=CONTROL_QUEUE,
                # The run is nobody's child in spirit: it goes on when this workflow ends or begins anew.
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                task_timeout=timedelta(seconds=5),
                priority=Priority(fairness_key=fairness_key(event_run_id(self._workflow, event.id))),
                static_summary=f"event {event.id}"[:200],
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("the event %s has started its run already", event.id)
        finally:
            self._starting = ""
