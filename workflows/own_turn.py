"""One event's consequences for the steps that the interpreter itself runs.

A part of the core's turn (`workflows.core`), which owns the state and decides when a step begins; here is what happens
from then to its end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workflows.conditions import Look
from workflows.durations import duration_text, time_text
from workflows.exchange import (
    CancelStep,
    CancelTimer,
    Place,
    SetTimer,
    StartChild,
    StepCancelled,
    StepFailed,
    StepSucceeded,
)
from workflows.messages import JSON, Answer, Event, StepError, StepResult, StepState, StepTask
from workflows.own_steps import (
    MAX_CHILD_OUTPUT_BYTES,
    MAX_HEARD,
    Asking,
    Begun,
    Calling,
    OwnStep,
    Waiting,
    approval,
    approval_reason,
    asking,
    attempt_limit,
    begin,
    called,
    calling,
    decided,
    heard,
    refusal,
    retry_delay,
    timed_out,
)
from workflows.plan import Step
from workflows.reasons import Why, failed
from workflows.turn import Turn
from workflows.values import inline_problem


class OwnTurn:
    """The part of a turn that is about `wait`, `approve` and `workflow` steps."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.state = turn.state

    def begin(self, place: Place, task: StepTask, why: Why) -> None:
        """Begin a step.

        Raises:
            InputError: It cannot begin.
        """
        step = self.state.graph.steps[place.number]
        scope = self.turn.scope_of(place.number, place.item)
        begun = begin(step, task, scope, self.turn.at, self.state.identity, self.state.request.depth)
        own = self.state.own[place] = begun.own
        if isinstance(own, Calling):
            begun = self._going_on(place, own, begun)
        self.turn.record(task.key, "running", f"{begun.sentence}; {why.sentence}", {**why.detail, **begun.detail})
        if begun.seconds is not None:
            self._set_timer(place, own, begun.seconds)
        if isinstance(own, Calling):
            self._start_child(place, own)
        elif isinstance(own, Waiting) and own.name is not None:
            for message in self.state.heard:
                if place in self.state.own:
                    self._look(place, own, message)

    def _going_on(self, place: Place, own: Calling, begun: Begun) -> Begun:
        """Let the run that an earlier try of this step has left go on, where that is possible."""
        run = self.state.calls.get((place.number, place.item))
        if run not in self.state.executions:
            return begun
        own.child = run
        return replace(begun, sentence=f"{calling(own)}, which goes on", detail=called(own))

    def stop(self, place: Place, reason: str) -> None:
        """End a step early; a child's run first has to end itself."""
        own = self.state.own[place]
        if isinstance(own, Calling) and not own.resting:
            self.turn.commands += [CancelTimer(place), CancelStep(place)]
        else:
            self._end(place, "cancelled", reason)

    def go_on(self) -> None:
        """Set the timers anew, in a state that was restored: what waits, waits as it did, and no longer."""
        for place, own in self.state.own.items():
            if own.due is not None:
                self._set_timer(place, own, max(0.0, own.due - self.turn.at))

    # Timers.

    def _set_timer(self, place: Place, own: OwnStep, seconds: float) -> None:
        own.due = self.turn.at + seconds
        self.turn.commands.append(SetTimer(place, seconds))

    def timer_fired(self, place: Place) -> None:
        """Take in that a step's timer has run down."""
        own = self.state.own.get(place)
        step = self.state.graph.steps[place.number]
        match own:
            case Waiting(limit=None):
                self._end(place, "succeeded", f"the time has come, {time_text(self.turn.at)}", timer=False)
            case Waiting():
                what = f"the event {own.name} did not come" if own.name else "the time did not come"
                self._fail_late(place, f"{what} within {duration_text(own.limit or 0)}")
            case Asking():
                state, reason = timed_out(own)
                if state == "failed":
                    self._fail_late(place, reason)
                else:
                    self._end(place, "succeeded", reason, approval(own, state == "approved"), timer=False)
            case Calling():
                self._child_timer(place, own, step)

    def _fail_late(self, place: Place, message: str) -> None:
        error = StepError("Timeout", message, {"timeout": "total"})
        self._end(place, "failed", failed(error), error=error, timer=False)

    # Events and answers.

    def event_arrived(self, message: Event) -> None:
        """Show an event to every wait, and keep it for those that have not begun."""
        if any(known.id == message.id for known in self.state.heard):
            return
        self.state.heard = [*self.state.heard, message][-MAX_HEARD:]
        for place, own in list(self.state.own.items()):
            if isinstance(own, Waiting):
                self._look(place, own, message)

    def _look(self, place: Place, own: Waiting, message: Event) -> None:
        seen = heard(own, message, self.turn.scope_of(place.number, place.item))
        if isinstance(seen, Look):
            key = self.turn.key(place.number, place.item)
            detail = {"wait": {"event": own.name, "if": own.condition, "since": time_text(own.since)}}
            if seen.error is not None:
                self._end(place, "failed", failed(seen.error), error=seen.error)
            elif seen.result:
                self._arrived(place, message, f"; {seen.sentence()} is true")
            else:
                sentence = f"waits for the event {own.name}; {message.id} was another: {seen.sentence()} is false"
                self.turn.record(key, "running", sentence, detail)
        elif seen:
            self._arrived(place, message, "")

    def _arrived(self, place: Place, message: Event, why: str) -> None:
        self._end(place, "succeeded", f"the event {message.name} came ({message.id}){why}", message.payload)

    def answered(self, answer: Answer) -> None:
        """Take in an answer; one that does not count is recorded with the reason, and changes nothing."""
        for place, own in list(self.state.own.items()):
            if isinstance(own, Asking) and self.turn.key(place.number, place.item) == answer.step:
                self._answered(place, own, answer)

    def _answered(self, place: Place, own: Asking, answer: Answer) -> None:
        problem = refusal(own, answer)
        if problem:
            self._still_asking(place, own, f"{asking(own)}; an answer does not count: {problem}")
            return
        own.answers[answer.by] = answer
        approved = decided(own)
        if approved is None:
            self._still_asking(place, own, asking(own))
        else:
            self._end(place, "succeeded", approval_reason(own, approved), approval(own, approved))

    def _still_asking(self, place: Place, own: Asking, sentence: str) -> None:
        answers = [{"by": each.by, "approved": each.approved} for each in own.answers.values()]
        form = {name: own.action.get(name) for name in ("by", "quorum", "form", "on_timeout")}
        self.turn.record(
            self.turn.key(place.number, place.item), "running", sentence, {"approval": {**form, "answers": answers}}
        )

    # Children.

    def _start_child(self, place: Place, own: Calling) -> None:
        action = own.task.action
        execution = self.state.executions.pop(own.run, None)
        retried = self.state.retried
        again = replace(retried, execution=execution) if retried is not None and execution is not None else None
        self.turn.commands.append(
            StartChild(place, own.run, action["workflow"], action.get("version"), own.task.inputs, again)
        )

    def child_ended(self, place: Place, own: Calling, event: StepSucceeded | StepFailed | StepCancelled) -> None:
        """Take in the end of a child's run."""
        match event:
            case StepSucceeded(result=result):
                error = inline_problem(result.value, MAX_CHILD_OUTPUT_BYTES)
                if error is None:
                    self._end(place, "succeeded", f"{own.run} succeeded", result.value, detail=called(own))
                else:
                    self._end(place, "failed", failed(error), error=error, detail=called(own))
            case StepCancelled() if own.out_of_time and not self.state.stops(place.number):
                error = StepError("Timeout", own.out_of_time, {"timeout": "run"})
                own.out_of_time = ""
                self._child_failed(place, own, error)
            case StepCancelled():
                reason = self.state.stop.reason if self.state.stops(place.number) and self.state.stop else ""
                self._end(place, "cancelled", reason or f"{own.run} was cancelled", detail=called(own))
            case StepFailed(error=error):
                self._child_failed(place, own, error)

    def _child_failed(self, place: Place, own: Calling, error: StepError) -> None:
        """Fail the step, or let it rest before its next attempt."""
        delay = retry_delay(self.state.graph.steps[place.number].retry, own.attempt, error)
        if delay is not None and not self.state.winds_down(place.number) and not self._used_up(own):
            self._rest(place, own, error, delay)
            return
        detail = {**error.detail, "run": own.run}
        error = StepError(error.type, f"{own.run}: {error.message}", detail)
        self._end(place, "failed", failed(error), error=error, detail=called(own))

    def _rest(self, place: Place, own: Calling, error: StepError, delay: float) -> None:
        own.resting = True
        if own.deadline is not None:
            delay = min(delay, max(0.0, own.deadline - self.turn.at))
        self.turn.commands.append(CancelTimer(place))
        # Another generation, so that what the run before has still to say, and the timer that kept its time and may run
        # down in this moment, are told from what comes now.
        del self.state.own[place]
        place = replace(place, generation=self.turn.next_generation(place.number, place.item))
        self.state.own[place] = own
        self._set_timer(place, own, delay)
        detail = {**called(own), "next_at": time_text(self.turn.at + delay)}
        reason = f"attempt {own.attempt} failed: {failed(error)}"
        self.turn.record(self.turn.key(place.number, place.item), "retrying", reason, detail)

    def _used_up(self, own: Calling) -> bool:
        return own.deadline is not None and self.turn.at >= own.deadline

    def _child_timer(self, place: Place, own: Calling, step: Step) -> None:
        """The timer of a child has run down: its rest is over, or its time."""
        total = f"the step's total time of {duration_text(step.timeout.total or 0)}"
        if not own.resting:
            limit = total if self._used_up(own) else duration_text(step.timeout.run)
            own.out_of_time = f"took longer than {limit}"
            self.turn.commands.append(CancelStep(place))
        elif self._used_up(own):
            self._fail_late(place, f"{total} was used up")
        else:
            own.resting = False
            own.attempt += 1
            seconds = attempt_limit(own, step, self.turn.at)
            if seconds is not None:
                self._set_timer(place, own, seconds)
            self._start_child(place, own)
            self.turn.record(self.turn.key(place.number, place.item), "running", calling(own), called(own))

    def _end(
        self,
        place: Place,
        state: StepState,
        reason: str,
        value: JSON = None,
        *,
        error: StepError | None = None,
        detail: dict[str, Any] | None = None,
        timer: bool = True,
    ) -> None:
        own = self.state.own.pop(place)
        if timer:
            self.turn.commands.append(CancelTimer(place))
        attempt = own.attempt if isinstance(own, Calling) else 1
        if isinstance(own, Calling):
            self.state.calls.pop((place.number, place.item), None)
            if state != "succeeded":
                self.state.calls[place.number, place.item] = own.run
        result = StepResult(value, attempt=attempt, started_at=own.since, ended_at=self.turn.at)
        self.turn.finish(place, state, reason, result=result, error=error, detail=detail)
