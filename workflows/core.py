"""The scheduling core: what runs next, and why.

`advance(state, event)` holds the language's whole meaning: needs, edge conditions, trigger rules, `if`, maps, the
window of `max_parallel`, lost workers, waits, approvals, children, `finally`, `on_failure`, cancel and the run's
deadline. It is deterministic and total: the same events give the same commands, and what users wrote wrongly becomes
the failure of a step. It never reads a clock (events bring the time) and knows no Temporal.

Cost: O(steps + edges) for a whole run. State is kept in lists by step number. Order is plan order; where several steps
become ready at once they start in it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from workflows.decisions import decision, may_be_decided, one_need_is_enough
from workflows.endings import Outcome, outcome
from workflows.exchange import (
    AnswerGiven,
    CancelStep,
    Command,
    Continued,
    EndRun,
    Event,
    EventArrived,
    HoldReleased,
    LimitFinally,
    Operated,
    Place,
    Record,
    Retried,
    RoomChanged,
    RunStarted,
    StartStep,
    StepCancelled,
    StepFailed,
    StepSucceeded,
    StopRequested,
    TimerFired,
)
from workflows.inputs import InputError, Scope, build_task, item_scope
from workflows.map_turn import MapTurn
from workflows.messages import (
    JSON,
    StepError,
    StepResult,
    StepState,
    Transition,
)
from workflows.operations import OperationTurn, facts, sentence
from workflows.own_steps import Calling
from workflows.own_turn import OwnTurn
from workflows.plan import FINALLY_SECONDS, INTERPRETER_KINDS
from workflows.reasons import Why, failed
from workflows.retrying import RetryTurn
from workflows.state import Held, State
from workflows.values import brief, inline_problem, wrap

MAX_GENERATIONS = 5
"""How often a step is scheduled again after its worker was lost."""


def advance(state: State, event: Event) -> tuple[State, list[Command]]:
    """Take one event and return what follows from it.

    An event that is late, or was seen before, gives nothing. The state passed in is used up: go on with the one
    returned.
    """
    if state.ended:
        return state, []
    turn = _Turn(state, event.at)
    turn.take(event)
    # It may come before the first event of a restored state, of which nothing follows by itself.
    if turn.ended or not isinstance(event, RoomChanged):
        turn.settle()
    return state, turn.commands


class _Turn:
    """One event's consequences, worked through without recursion: a chain may be thousands long."""

    def __init__(self, state: State, at: float) -> None:
        self.state = state
        self.graph = state.graph
        self.at = at
        self.commands: list[Command] = []
        self.ended: deque[int] = deque()
        self.own = OwnTurn(self)
        self.maps = MapTurn(self)
        self.operations = OperationTurn(self)
        self.retry = RetryTurn(self)

    def take(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._start_run()
            case StopRequested():
                self._stop(event)
            case StepSucceeded() | StepFailed() | StepCancelled():
                if self._awaited(event.place):
                    self._land(event)
            case TimerFired(place=place):
                self.own.timer_fired(place)
            case EventArrived(message=message):
                self.own.event_arrived(message)
            case AnswerGiven(answer=answer):
                self.own.answered(answer)
            case HoldReleased(release=release):
                self.operations.release(release)
            case Operated(operation=operation):
                self.operations.take(operation)
            case Retried():
                self.retry.begin(event)
            case Continued():
                self.own.go_on()
                self.retry.go_on()
            case RoomChanged(room=room):
                self.state.room = room
                self._dispatch()

    def settle(self) -> None:
        """Propagate ends and start what may start until nothing changes, then end the run if all have ended."""
        while True:
            while self.ended:
                self._tell_dependents(self.ended.popleft())
            if self.state.stop_next is not None and self.state.stop is None:
                self._stop(self.state.stop_next)
            if self.state.open_main == 0 and not self.state.finals and self.state.seq > 0:
                self._begin_finals()
            self._dispatch()
            if not self.ended:
                break
        if self.state.open == 0 and self.state.seq > 0:
            self._end_run()

    # What events do.

    def _start_run(self) -> None:
        if self.state.seq > 0:
            return
        self.state.scope["run"]["started_at"] = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        cause, again = self.state.request.cause, self.state.request.again
        said = f"started ({cause.kind})" if again is None else sentence(again, f"runs {cause.id} again")
        detail = {"cause": {"kind": cause.kind, "id": cause.id}, **(facts(again) if again is not None else {})}
        self.record("", "running", said, detail)
        self._consider_first(range(self.graph.main))

    def _begin_finals(self) -> None:
        """Start the `finally` steps: the main part is over, however it ended."""
        self.state.finals = True
        numbers = range(self.graph.main, len(self.graph.steps))
        if not numbers:
            return
        self.state.scope["run"]["state"] = self._outcome().state
        if self.state.stop is not None:
            self.commands.append(LimitFinally(FINALLY_SECONDS))
        self._consider_first(numbers)

    def _consider_first(self, numbers: range) -> None:
        # Of a step that does not wait, and of a `finally` step's need that has ended, somebody has said before what it
        # comes to. The others are looked at when their needs end, even if that is in a moment.
        waiting = [number for number in numbers if self.state.steps[number] == "waiting"]
        for number in [number for number in waiting if may_be_decided(self.state, number)]:
            self.consider(number)

    def _awaited(self, place: Place) -> bool:
        number, item = place.number, place.item
        if item is None:
            flying = self.state.steps[number] == "queued" or place in self.state.own
            return flying and self.state.generations[number] == place.generation
        run = self.state.maps.get(number)
        return run is not None and run.states[item] == "queued" and run.generations[item] == place.generation

    def _land(self, event: StepSucceeded | StepFailed | StepCancelled) -> None:
        """Take in the end of something that was in flight."""
        place = event.place
        if self.operations.landed(place, event):
            return
        own = self.state.own.get(place)
        if isinstance(own, Calling):
            self.own.child_ended(place, own, event)
            return
        if isinstance(event, StepFailed) and event.lost and self._again(place, event):
            return
        stopped = self.state.stops(place.number)
        detail: dict[str, Any] | None = None
        match event:
            case StepSucceeded(result=result):
                error = inline_problem(result.value)
                state: StepState = "succeeded"
                detail = {"reused": result.reused} if result.reused else None
                if error is not None:
                    state, result = "failed", replace(result, value=None)
            case StepFailed(error=error, result=result):
                state = "cancelled" if event.lost and stopped else "failed"
            case StepCancelled(result=result):
                state, error = "cancelled", None
        reason = self._landed_reason(place.number, state, error, result)
        self.finish(place, state, reason, result=result, error=error, detail=detail)

    def finish(
        self,
        place: Place,
        state: StepState,
        reason: str,
        *,
        result: StepResult | None = None,
        error: StepError | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """End what was in flight, a step or an item of its map."""
        if self._counts(place.number):
            self.state.flying -= 1
        if place.item is None:
            self.end(place.number, state, reason, result=result, error=error, detail=detail)
        else:
            self.maps.end_item(place, state, reason, result, error, detail)

    def _counts(self, number: int) -> bool:
        """Say whether a step takes a place in the window: one that only waits does not."""
        return self.graph.steps[number].kind not in ("wait", "approve")

    def _landed_reason(self, number: int, state: StepState, error: StepError | None, result: StepResult | None) -> str:
        if state == "cancelled":
            stop = self.state.stop if self.state.stops(number) else None
            return stop.reason if stop is not None else "cancelled in Temporal"
        if error is not None:
            return failed(error)
        if result is not None and result.reused:
            return f"reused from run {result.reused.get('run')}, step {result.reused.get('step')}"
        return "succeeded" if result is None or result.attempt <= 1 else f"succeeded on attempt {result.attempt}"

    def _again(self, place: Place, event: StepFailed) -> bool:
        """Schedule again what lost its worker; say False when that was done often enough or the run stops."""
        error = event.error
        where = (place.number, place.item)
        losses = self.state.losses.get(where, 0) + 1
        if self.state.winds_down(place.number) or losses > MAX_GENERATIONS:
            return False
        self.state.losses[where] = losses
        generation = self.next_generation(place.number, place.item)
        sentence = f"{failed(error)}; scheduled again ({losses} of {MAX_GENERATIONS})"
        detail = {"generation": generation, "error": {"type": error.type, "message": error.message}}
        self.send(place.number, place.item, Why(sentence, detail), event.result)
        return True

    def next_generation(self, number: int, item: int | None) -> int:
        """Count that a step or item is scheduled once more; return its generation."""
        generations = self.state.generations if item is None else self.state.maps[number].generations
        generations[number if item is None else item] += 1
        return generations[number if item is None else item]

    def _stop(self, request: StopRequested) -> None:
        """Cancel the main part, the second time the rest: what waits at once, what is in flight when it says so."""
        if self.state.stop is None:
            self.state.stop = request
        elif self.state.finals:
            self.state.finals_stopped = True
        else:
            return
        self.operations.lift_pause(request.reason)
        if self.state.finals and not self.state.finals_stopped:
            self.commands.append(LimitFinally(FINALLY_SECONDS))
            return
        self.state.ready.clear()
        self.state.reasons.clear()
        for place in list(self.state.own):
            self.own.stop(place, f"{request.reason}; {self.graph.steps[place.number].id} had not ended")
        for number, step in enumerate(self.graph.steps):
            if not self.state.stops(number):
                continue
            if number in self.state.held:
                self.operations.let_fail(number, f"; {request.reason}")
            elif number in self.state.maps and self.state.steps[number] == "running":
                self.maps.stop(number)
            elif self.state.steps[number] == "queued":
                self.commands.append(CancelStep(Place(number, None, self.state.generations[number])))
            elif self.state.steps[number] == "waiting":
                self.end(number, "cancelled", f"{request.reason}; {step.id} had not started")

    # From the end of a step to those that need it.

    def _tell_dependents(self, number: int) -> None:
        for dependent, place in self.graph.dependents[number]:
            self.state.pending[dependent] -= 1
            if self.state.steps[dependent] != "waiting" or dependent in self.state.reasons:
                continue
            if dependent >= self.graph.main and not self.state.finals:
                continue  # a `finally` step that somebody has decided ahead of its time
            if self.state.pending[dependent] == 0 or one_need_is_enough(self.state, dependent, place):
                self.consider(dependent)

    def consider(self, number: int) -> None:
        """Decide a step: its rule allows a decision now."""
        made = decision(self.state, number)
        if made.error is not None:
            self.end(number, "failed", failed(made.error), error=made.error, detail=made.why.detail)
        elif made.verdict != "start":
            self.end(number, made.verdict, made.why.sentence, detail=made.why.detail)
        elif self.graph.steps[number].id in self.state.request.kept:
            self.retry.keep(number)
        elif self.graph.steps[number].map is not None:
            self._begin_map(number, made.why)
        else:
            self.state.reasons[number] = made.why
            self.state.ready.append(number)

    def _begin_map(self, number: int, why: Why) -> None:
        if number not in self.state.maps:
            self.maps.begin(number, why)
            return
        # One that goes on after the run had ended.
        self.maps.try_again(number, why.sentence, why.detail)

    # Starting.

    def _dispatch(self) -> None:
        """Fill the window from the ready queue."""
        ready, room = self.state.ready, self.state.room
        if room == 0:
            return
        window = self.graph.window if room is None else min(room, self.graph.window)
        while ready and self.state.paused is None and (self.state.flying < window or not self._counts(ready[0])):
            number = ready[0]
            run = self.state.maps.get(number)
            if run is None:
                ready.popleft()
                self._count(number)
                self.send(number, None, self.state.reasons.pop(number))
            elif run.may_start:
                item = run.take()
                self._count(number)
                again = {"again": run.generations[item]} if run.generations[item] else {}
                self.send(number, item, Why(f"item {item}", {"item": brief(run.items[item]), **again}))
            else:
                run.listed = False
                ready.popleft()

    def _count(self, number: int) -> None:
        if self._counts(number):
            self.state.flying += 1

    def scope_of(self, number: int, item: int | None) -> Scope:
        """Return what the templates of a step, or of an item of its map, see."""
        step_map = self.graph.steps[number].map
        if item is None or step_map is None:
            return self.state.scope
        return {**self.state.scope, **item_scope(step_map, self.state.maps[number].items[item])}

    def send(self, number: int, item: int | None, why: Why, before: StepResult | None = None) -> None:
        """Hand over what is counted as in flight already: to a worker, or to the interpreter itself.

        Args:
            number: The step's.
            item: Of its map.
            why: The reason.
            before: How the attempt before ended, if its worker said so: nobody else may have seen that there was one.
        """
        step, run = self.graph.steps[number], self.state.maps.get(number)
        generation = self.state.generations[number] if item is None or run is None else run.generations[item]
        own = step.kind in INTERPRETER_KINDS
        if item is None:
            self.state.steps[number] = "running" if own else "queued"
        place, key = Place(number, item, generation), self.key(number, item)
        value = None if item is None or run is None else run.items[item]
        try:
            task = build_task(self.state.identity, step, key, generation, self.scope_of(number, item), value)
            if own:
                self.own.begin(place, task, why)
                return
        except InputError as problem:
            self.finish(place, "failed", failed(problem.error), error=problem.error)
            return
        detail = {**why.detail, "generation": generation} if generation else why.detail
        waits = f"waits for a worker on {step.queue}; {why.sentence}"
        self.record(key, "queued", waits, detail, queue=step.queue, result=before)
        self.commands.append(StartStep(place, task))

    # Ends and records.

    def end(
        self,
        number: int,
        state: StepState,
        reason: str,
        *,
        result: StepResult | None = None,
        error: StepError | None = None,
        detail: dict[str, Any] | None = None,
        released: bool = False,
    ) -> None:
        """End a step, or hold it when it failed and somebody is to say what then."""
        step = self.graph.steps[number]
        if state == "failed" and self._holds(number) and not released:
            self.state.steps[number] = "held"
            self.state.held[number] = Held(reason, error, result, detail or {})
            self.record(
                step.id, "held", f"{reason}; it waits for somebody to say what now", detail, result=result, error=error
            )
            return
        self.state.steps[number] = state
        self.state.open -= 1
        self.state.open_main -= number < self.graph.main
        seen = self.state.scope["steps"][step.id]
        seen["status"] = state
        if state == "succeeded":
            run = self.state.maps.get(number)
            seen["output"] = run.output() if run is not None else wrap(result.value if result is not None else None)
        if error is not None:
            self.state.errors[number] = error
        self.record(step.id, state, reason, detail, result=result, error=error)
        self.ended.append(number)
        if state == "failed" and self.graph.plan.on_failure == "stop" and number < self.graph.main:
            self.state.stop_next = StopRequested(self.at, "failure", f"step {step.id} failed, which stops the run")

    def _holds(self, number: int) -> bool:
        on_failure, stopped = self.graph.plan.on_failure, self.state.stop is not None
        return on_failure == "hold" and number < self.graph.main and not stopped

    def _outcome(self) -> Outcome:
        return outcome(self.state.graph, self.state.steps, self.state.errors, self.state.scope, self.state.stop)

    def _end_run(self) -> None:
        end = self._outcome()
        self.state.ended = True
        self.record("", end.state, end.reason, end.detail, error=end.error, value=end.value)
        self.commands.append(EndRun(end.state, end.reason, end.value, end.error))

    def key(self, number: int, item: int | None) -> str:
        """Return a step's id, or `train[3]` for an item of its map."""
        step = self.graph.steps[number]
        return step.id if item is None else step.id + self.state.maps[number].path(item)

    def record(
        self,
        key: str,
        state: str,
        reason: str,
        detail: dict[str, Any] | None = None,
        *,
        queue: str | None = None,
        result: StepResult | None = None,
        error: StepError | None = None,
        value: JSON = None,
    ) -> None:
        """Record a transition; the run's own has an empty key."""
        self.state.seq += 1
        change = Transition(self.state.seq, self.at, key, state, reason, detail or {}, queue, result, error, value)
        self.commands.append(Record(change))
