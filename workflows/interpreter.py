"""`DagRun`: the one workflow that runs every plan.

A thin shell around `workflows.core`: what Temporal reports becomes an event, what the core commands becomes an
activity. The shell decides nothing about the DAG. The workflow's type is the user's workflow name and an activity's id
is the step's key, so that Temporal's own UI reads like the definition.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError

from workflows.admission import Admission
from workflows.board import Board
from workflows.carrying import Carrying, Deadline
from workflows.core import advance
from workflows.exchange import (
    CancelStep,
    CancelTimer,
    Command,
    EndRun,
    Event,
    LimitFinally,
    Operated,
    Place,
    Record,
    RoomChanged,
    RunStarted,
    SetTimer,
    StartChild,
    StartStep,
    StopRequested,
    TimerFired,
)
from workflows.going_on import carried_over, first_event, retry_of
from workflows.hearing import Hearing, Wish
from workflows.journal import Journal
from workflows.messages import (
    JSON,
    RECORD_RUN,
    StepError,
    StepTask,
)
from workflows.operations import refusal
from workflows.places import PLACE_SIGNAL, PlaceAnswer
from workflows.plan import CONTROL_QUEUE, Step
from workflows.renewal import Renewal
from workflows.snapshot import restore
from workflows.starting import add_search_attributes, child_run, resolved
from workflows.state import State, begin
from workflows.terms import duration, landed, never_again, priority_of, raw, request_of, result_of, summary

RECORD_LIMIT = timedelta(minutes=10)
"""How long a run tries to record itself; the observer heals what a longer outage of the database left out."""
RECORD_MISTAKE_LIMIT = timedelta(minutes=1)
"""Likewise for a run that a mistake of ours ends."""
ATTEMPT_GRACE_SECONDS = 10.0
"""The worker ends an attempt in time, with its log; Temporal's own limit is there for a worker that does not."""
MAX_WAIT_FOR_ROOM = 7 * 86_400.0
"""How long a step with `resources` may wait on the worker that took it; the worker keeps to `timeout.queue` itself."""
MAX_REASON = 1_000

_PATIENTLY = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5))


@dataclass(frozen=True, slots=True)
class _Landing:
    """An activity or a child that has ended; turned into an event by the main loop, where a mistake of ours is seen."""

    done: asyncio.Task[RawValue]
    place: Place
    step: Step
    at: float


@workflow.defn(dynamic=True)
class DagRun(Carrying, Hearing):
    """A run of a plan, as a Temporal workflow; its argument is a `RunRequest`.

    It ends as completed with the run's output, as failed with the first cause, or as cancelled.
    """

    @workflow.init
    def __init__(self, arguments: Sequence[RawValue]) -> None:
        self._request, self._unreadable = request_of(arguments)
        self._events: deque[Event | _Landing | Wish] = deque()
        self._flying: dict[Place, asyncio.Task[RawValue]] = {}
        self._timers: dict[Place, asyncio.Task[None]] = {}
        self._deadline: asyncio.Task[None] | None = None
        self._stops_at: Deadline | None = None
        self._renewal = Renewal(self._request.events, self._room_again)
        self._journal = Journal(workflow.info().workflow_id, self._request.workflow, self._request.version or 0)
        self._recorded = 0
        self._record_limit = RECORD_LIMIT
        self._recording: asyncio.Task[None] | None = None
        self._end: EndRun | None = None
        self._state: State | None = None
        self._waits_for_place = False
        self._carried: dict[str, Any] | None = None
        self._admission = Admission(self._journal, self._record, self._displaced)

    @workflow.run
    async def run(self, _arguments: Sequence[RawValue]) -> JSON:
        """Run the plan to its end.

        Raises:
            ApplicationError: The run failed; its type and details are those of the first cause.
            CancelledError: The run was cancelled; everything in flight has ended.
        """
        if self._unreadable is not None:
            raise self._unreadable
        if self._request.plan is None:
            self._request = await resolved(self._request)
        retry = retry_of(self._request)
        if retry is not None:
            self._carried = await carried_over(workflow.info().workflow_id, retry.execution)
        try:
            end = await self._run_plan()
        except Exception as mistake:
            end = self._mistaken(mistake)
        await self._record_end()
        return result_of(end)

    async def _run_plan(self) -> EndRun:
        self._journal.version = self._request.version or 0
        if self._request.carried is not None:
            return await self._advance_to_end(self._begun_anew())
        state = self._begun()
        add_search_attributes(self._request)
        self._waits_for_place = state.graph.plan.concurrency is not None
        self._end = await self._admission.enter(state.graph.plan, self._request)
        self._waits_for_place = False
        if self._end is not None:
            return self._end
        seconds = state.graph.plan.timeout
        self._set_deadline(seconds, f"the run took longer than its timeout of {seconds:g} s")
        retry = retry_of(self._request)
        first = RunStarted(workflow.time()) if retry is None else await first_event(state, retry)
        # Before what people said to the run in the moment of its start.
        self._events.appendleft(first)
        return await self._advance_to_end(state)

    async def _advance_to_end(self, state: State) -> EndRun:
        self._state = state
        while True:
            state = self._work(state)
            if self._end is not None:
                self._set_deadline(None, "")
                return self._end
            if self._may_begin_anew():
                self._begin_anew(state)
            else:
                await self._next_event()

    def _begun(self) -> State:
        """Return the state to begin with: of a run that goes on after its end, the one it had then."""
        run = workflow.info().workflow_id
        if self._carried is None:
            state = begin(run, self._request)
            self._board = Board(state.graph.steps)
            return state
        seq = self._carried["seq"]
        self._journal.go_on_after(seq)
        self._recorded = seq
        state = self._state = restore(run, self._request, self._carried["core"])
        self._board = Board(state.graph.steps)
        self._board.begin_with(state.steps)
        return state

    def _failed(self, error: StepError, message: str) -> EndRun:
        """End the run from outside of its core."""
        self._journal.close(workflow.time(), error)
        return EndRun("failed", message, error=error)

    def _mistaken(self, mistake: Exception) -> EndRun:
        """End the run after a mistake of ours: visibly, and at once, whatever state it was in."""
        workflow.logger.exception("a mistake of Segue's ends the run")
        message = f"Segue itself failed in this run ({type(mistake).__name__}: {mistake}); please report it"
        self._record_limit = RECORD_MISTAKE_LIMIT
        self._end = self._failed(StepError("InternalError", message), message)
        return self._end

    @workflow.signal(name=PLACE_SIGNAL)
    def place(self, answer: PlaceAnswer) -> None:
        """Hear whether there is a place for this run under its concurrency limit."""
        self._admission.hear(answer)

    def _displaced(self, reason: str) -> None:
        self._events.append(StopRequested(workflow.time(), "cancel", reason))

    # Events in, commands out.

    async def _next_event(self) -> None:
        try:
            await workflow.wait_condition(
                lambda: (bool(self._events) and not self._admission.lost) or self._may_begin_anew()
            )
        except asyncio.CancelledError:
            reason = workflow.cancellation_reason()
            if reason is None:
                raise  # the worker forgets this run; nobody cancels it
            self._admission.give_up()
            self._events.append(
                StopRequested(workflow.time(), "cancel", reason[:MAX_REASON] or "the run was cancelled")
            )

    def _work(self, state: State) -> State:
        """Let the core take the events that have come, and do what it commands."""
        room = self._renewal.room(state, len(self._flying))
        if room != state.room:
            self._events.appendleft(RoomChanged(workflow.time(), room))
        while self._events and self._end is None:
            state, commands = self._advance(state, self._events.popleft())
            for command in commands:
                self._do(command, state)
        self._state = state
        if self._end is not None or self._board.due():
            workflow.set_current_details(self._board.draw())
        if self._end is None:
            self._record()
        return state

    def _advance(self, state: State, event: Event | _Landing | Wish) -> tuple[State, list[Command]]:
        match event:
            case _Landing():
                return advance(state, landed(event.done, event.step, event.place, event.at))
            case Wish(operation):
                event.answered, event.refusal = True, refusal(state, operation)
                return advance(state, Operated(workflow.time(), operation))
            case _:
                return advance(state, event)

    def _do(self, command: Command, state: State) -> None:
        match command:
            case Record(transition):
                self._journal.append(transition)
                self._board.note(transition)
            case StartStep(place, task):
                self._start(place, task, state.graph.steps[place.number])
            case StartChild(place):
                self._fly(
                    place,
                    asyncio.create_task(
                        child_run(command, self._request, priority_of(state.graph.steps[place.number]))
                    ),
                    state.graph.steps[place.number],
                )
            case CancelStep(place):
                # It is not there when its end has come in the same moment, and waits behind this event.
                if place in self._flying:
                    self._flying[place].cancel()
            case SetTimer(place, seconds):
                self._timers[place] = asyncio.create_task(self._time(place, seconds))
            case CancelTimer(place):
                if place in self._timers:
                    self._timers.pop(place).cancel()
            case LimitFinally(seconds):
                self._set_deadline(seconds, f"the finally steps took longer than {seconds:g} s")
            case EndRun():
                self._end = command

    def _start(self, place: Place, task: StepTask, step: Step) -> None:
        # What waits on its worker for room is not running yet, and Temporal cannot tell.
        grace = ATTEMPT_GRACE_SECONDS + (MAX_WAIT_FOR_ROOM if step.resources else 0.0)
        handle = workflow.start_activity(
            step.kind,
            task,
            task_queue=step.queue,
            activity_id=task.key,
            # Read by ourselves: what is no step's result then fails the step, not the run.
            result_type=RawValue,
            summary=summary(task, step),
            priority=priority_of(step),
            start_to_close_timeout=timedelta(seconds=step.timeout.run + grace),
            schedule_to_start_timeout=duration(step.timeout.queue),
            schedule_to_close_timeout=duration(step.timeout.total),
            heartbeat_timeout=timedelta(seconds=step.timeout.heartbeat),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=step.retry.delay),
                backoff_coefficient=step.retry.backoff,
                maximum_interval=timedelta(seconds=max(step.retry.delay, step.retry.max_delay)),
                maximum_attempts=step.retry.attempts,
                non_retryable_error_types=never_again(step.retry.unless),
            ),
        )
        self._fly(place, handle, step)

    def _fly(self, place: Place, done: asyncio.Task[RawValue], step: Step) -> None:
        self._flying[place] = done
        done.add_done_callback(lambda done: self._land(_Landing(done, place, step, workflow.time())))

    def _land(self, landing: _Landing) -> None:
        del self._flying[landing.place]
        self._events.append(landing)

    async def _time(self, place: Place, seconds: float) -> None:
        await workflow.sleep(seconds)
        del self._timers[place]
        self._events.append(TimerFired(workflow.time(), place))

    def _set_deadline(self, seconds: float | None, reason: str) -> None:
        """Stop the run after so many seconds, instead of whenever it was to be stopped before."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else asyncio.create_task(self._keep_time(seconds, reason))
        self._stops_at = None if seconds is None else Deadline(workflow.time() + seconds, reason)

    async def _keep_time(self, seconds: float, reason: str) -> None:
        await workflow.sleep(seconds, summary="the run's timeout")
        self._events.append(StopRequested(workflow.time(), "timeout", reason))

    # Recording.

    def _record(self) -> None:
        """See to it that what is new is recorded: one activity at a time, each with all that came meanwhile."""
        if self._recording is None and self._journal.last > self._recorded:
            self._recording = asyncio.create_task(self._record_batches())

    async def _record_batches(self) -> None:
        while self._journal.last > self._recorded and self._end is None:
            # What the next execution cannot take along must be recorded first, however long that takes.
            if not await self._record_batch() and not self._renewal.is_due:
                break
        self._recording = None

    async def _record_end(self) -> None:
        """Record up to the last transition; what has ended has ended, so a cancel that comes now changes nothing."""
        recording = asyncio.create_task(self._record_rest())
        leaving = asyncio.create_task(self._admission.leave())
        while not (recording.done() and leaving.done()):
            try:
                await workflow.wait_condition(lambda: recording.done() and leaving.done())
            except asyncio.CancelledError:
                if workflow.cancellation_reason() is None:
                    raise

    async def _record_rest(self) -> None:
        """Send what is not known to be recorded, without waiting for a batch in flight.

        That one lingers; what it holds is sent again, and recording twice changes nothing.
        """
        while self._journal.last > self._recorded:
            if not await self._record_batch():
                return

    async def _record_batch(self) -> bool:
        """Send one batch; say whether it was taken."""
        batch, last = self._journal.batch(self._recorded)
        try:
            await workflow.execute_activity(
                RECORD_RUN,
                raw(batch),
                task_queue=CONTROL_QUEUE,
                summary=f"changes up to {last}",
                start_to_close_timeout=timedelta(seconds=30),
                schedule_to_close_timeout=self._record_limit,
                retry_policy=_PATIENTLY,
                cancellation_type=workflow.ActivityCancellationType.ABANDON,
            )
        except ActivityError as error:
            workflow.logger.warning("changes up to %d are not recorded: %s", last, error.cause)
            return False
        self._recorded = max(self._recorded, last)
        return True
