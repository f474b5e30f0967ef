"""What people do to a run that goes on: pause it, go on, skip a step or say what it gave, change how it is run.

A part of the core's turn (`workflows.core`), which owns the state. What is in flight of a step is cancelled first, and
what was said of the step becomes of it when that has ended. Held steps are here too: somebody decides about them.
"""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from workflows.exchange import CancelStep, CancelTimer, Place, StepCancelled, StepFailed, StepSucceeded
from workflows.messages import TERMINAL_STEP_STATES, Operation, Release, StepResult, StepState
from workflows.own_steps import Calling
from workflows.plan import INTERPRETER_KINDS
from workflows.reasons import Why
from workflows.snapshot import change
from workflows.state import State, Verdict
from workflows.turn import Turn
from workflows.values import inline_problem, json_size

MAX_OPERATIONS = 200
"""Ids kept of operations: one that is sent twice is sent again soon."""
MAX_WHY = 1_000

_KEY = re.compile(r"([^\[]+)((?:\[\d+\])*)")


class Spot(NamedTuple):
    """A step, or one item of its map."""

    number: int
    item: int | None


def refusal(state: State, operation: Operation) -> str:
    """Return why an operation may not be done to a run that goes on, with the way out; empty: it may."""
    if operation.id in state.operations:
        return ""
    if state.ended:
        return "The run is over. `segue retry` lets it go on, `segue rerun` makes a new one."
    match operation.kind:
        case "pause":
            return "The run is being stopped." if state.stop is not None else ""
        case "resume":
            return "" if state.paused is not None else "The run is not paused."
        case "skip" | "mark" | "change":
            problems = (_step_refusal(state, operation, key) for key in operation.steps)
            return next((problem for problem in problems if problem), "")
        case _:
            return (
                "The run goes on. `segue release RUN STEP --retry` tries a held step again; "
                "otherwise wait for its end, or cancel it first."
            )


def sentence(operation: Operation, did: str) -> str:
    """Return who did what, and why."""
    return f"{operation.by or 'somebody'} {did}" + (f": {operation.why[:MAX_WHY]}" if operation.why else "")


def facts(operation: Operation) -> dict[str, Any]:
    """Return an operation as a transition's detail has it: without what is recorded elsewhere."""
    kept = {name: value for name, value in asdict(operation).items() if value not in (None, "", [], {})}
    output = {"output": "large"} if json_size(kept.get("output")) > 1024 else {}
    return {"operation": {**kept, **output}}


def find(state: State, key: str) -> Spot | str:
    """Return the step or item that a key names, or why there is none."""
    match = _KEY.fullmatch(key)
    number = state.graph.numbers.get(match[1], -1) if match else -1
    if match is None or number < 0:
        return f"The run has no step {key!r}."
    if not match[2]:
        return Spot(number, None)
    if state.graph.steps[number].map is None:
        return f"The step {match[1]!r} is no map: it has no items."
    run = state.maps.get(number)
    if run is None:
        return f"The items of {match[1]!r} are not known before its map begins; name the whole step."
    path = tuple(int(part) for part in re.findall(r"\d+", match[2]))
    if path not in run.paths:
        return f"The step {match[1]!r} has {len(run.items)} items; {key} is not among them."
    return Spot(number, run.paths.index(path))


def _step_refusal(state: State, operation: Operation, key: str) -> str:
    spot = find(state, key)
    if isinstance(spot, str):
        return spot
    found = _found(state, spot)
    if found in TERMINAL_STEP_STATES:
        return f"{key} is {found} already. To run it again, use `segue rerun RUN --from STEP`."
    if state.stops(spot.number):
        return "The run is being stopped."
    if spot in state.verdicts or (spot.number, None) in state.verdicts:
        return f"Something was said of {key} already, and it is being stopped for it."
    if operation.kind == "change":
        return _change_refusal(state, operation, spot, key)
    if operation.kind == "skip":
        return ""
    problem = inline_problem(operation.output)
    if problem is not None:
        return f"{problem.message}."
    if spot.item is None and state.graph.steps[spot.number].map is not None and not isinstance(operation.output, list):
        return f"{key} is a map: its output is a list. A single item is named {key}[0]."
    return ""


def _change_refusal(state: State, operation: Operation, spot: Spot, key: str) -> str:
    step = state.graph.steps[spot.number]
    if spot.item is not None:
        return f"The items of a map are run alike: name the step {step.id!r}."
    if operation.queue is not None and step.kind in INTERPRETER_KINDS:
        return f"No worker runs {key}, a {step.kind} step: it has no queue."
    if step.kind in INTERPRETER_KINDS and state.steps[spot.number] == "running":
        return f"{key} has begun: a {step.kind} step keeps its times. Skip it, or mark it."
    if key in operation.busy and step.map is None:
        return f"A worker runs {key} now. Wait for its attempt to end, or cancel the run."
    return ""


def _found(state: State, spot: Spot) -> str:
    if spot.item is None:
        return state.steps[spot.number]
    return state.maps[spot.number].states[spot.item] or "waiting"


class OperationTurn:
    """The part of a turn that is about what people do."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.state = turn.state

    def take(self, operation: Operation) -> None:
        """Do what somebody wants, if it may be done; the second time nothing."""
        if operation.id in self.state.operations or refusal(self.state, operation):
            return
        self.remember(operation)
        match operation.kind:
            case "pause":
                self._pause(operation)
            case "resume":
                self._resume(operation)
            case "skip":
                self._decide(operation, "skipped")
            case "mark":
                self._decide(operation, "succeeded")
            case "change":
                self._change(operation)

    def remember(self, operation: Operation) -> None:
        """Note that it was done."""
        known = self.state.operations
        known[operation.id] = None
        while len(known) > MAX_OPERATIONS:
            del known[next(iter(known))]

    def tell(self, operation: Operation, did: str) -> str:
        """Record that somebody did something; return the sentence."""
        said = sentence(operation, did)
        self.turn.record("", "paused" if self.state.paused else "running", said, facts(operation))
        return said

    # Pause.

    def _pause(self, operation: Operation) -> None:
        if self.state.paused is None:
            self.state.paused = operation
            self.tell(operation, "paused the run")

    def _resume(self, operation: Operation) -> None:
        self.state.paused = None
        self.tell(operation, "lets the run go on")

    def lift_pause(self, why: str) -> None:
        """End a pause, as the run is to end: its `finally` steps are to run."""
        if self.state.paused is not None:
            self.state.paused = None
            self.turn.record("", "running", f"goes on, to end: {why}")

    # Skip and mark.

    def _decide(self, operation: Operation, state: StepState) -> None:
        did = "skipped" if state == "skipped" else "marked as succeeded"
        self.tell(operation, f"{did} {', '.join(operation.steps)}")
        reason = sentence(operation, f"{did} it")
        for key in operation.steps:
            spot = find(self.state, key)
            # The end of one may have decided another.
            if isinstance(spot, Spot) and _found(self.state, spot) not in TERMINAL_STEP_STATES:
                verdict = Verdict(state, reason, operation.output if state == "succeeded" else None)
                if spot.item is None:
                    self._decide_step(spot.number, verdict)
                else:
                    self._decide_item(spot.number, spot.item, verdict)

    def _decide_step(self, number: int, verdict: Verdict) -> None:
        place = Place(number, None, self.state.generations[number])
        if number in self.state.held:
            held = self.state.held.pop(number)
            self.state.maps.pop(number, None)
            self._end(number, verdict, held.result)
        elif number in self.state.maps:
            self.state.verdicts[number, None] = verdict
            self.state.maps[number].rest()
            self._cancel_items(number)
        elif self.state.steps[number] == "queued":
            self._cancel(place, verdict)
        elif place in self.state.own:
            self._decide_own(place, verdict)
        else:
            self._forget_ready(number)
            self._end(number, verdict, None)

    def _decide_item(self, number: int, item: int, verdict: Verdict) -> None:
        run = self.state.maps[number]
        place = Place(number, item, run.generations[item])
        if run.states[item] is None:
            run.settle(item, str(verdict.state), verdict.value)
            key, result = self.turn.key(number, item), StepResult(verdict.value)
            self.turn.record(key, str(verdict.state), verdict.reason, {"operation": True}, result=result)
            self.turn.maps.go_on(number)
        elif place in self.state.own:
            self._decide_own(place, verdict)
        else:
            self._cancel(place, verdict)

    def _decide_own(self, place: Place, verdict: Verdict) -> None:
        own = self.state.own[place]
        if isinstance(own, Calling) and not own.resting:
            self.turn.commands.append(CancelTimer(place))
            self._cancel(place, verdict)
        else:
            self._end_own(place, verdict)

    def _cancel(self, place: Place, verdict: Verdict) -> None:
        self.state.verdicts[place.number, place.item] = verdict
        self.turn.commands.append(CancelStep(place))

    def _cancel_items(self, number: int) -> None:
        run = self.state.maps[number]
        for item, state in enumerate(run.states):
            place = Place(number, item, run.generations[item])
            own = self.state.own.get(place)
            if own is not None and not (isinstance(own, Calling) and not own.resting):
                self._end_own(place, Verdict("cancelled", "its map was decided"))
            elif state == "queued":
                if own is not None:
                    self.turn.commands.append(CancelTimer(place))
                self.turn.commands.append(CancelStep(place))
        if number in self.state.maps:
            self.turn.maps.go_on(number)

    def _end_own(self, place: Place, verdict: Verdict) -> None:
        """End what the interpreter itself runs, and no worker or child has to hear of."""
        del self.state.own[place]
        self.turn.commands.append(CancelTimer(place))
        self._finish(place, verdict, None)

    def landed(self, place: Place, event: StepSucceeded | StepFailed | StepCancelled) -> bool:
        """Do with the end of something in flight what was said of it; say False when nothing was."""
        verdict = self.state.verdicts.get((place.number, place.item))
        if verdict is None:
            return False
        del self.state.verdicts[place.number, place.item]
        if verdict.state is not None:
            self.state.own.pop(place, None)
            self._finish(place, verdict, event.result)
            return True
        if isinstance(event, StepSucceeded) or self.state.winds_down(place.number):
            return False
        generation = self.turn.next_generation(place.number, place.item)
        error = {"type": "Moved", "message": verdict.reason}
        why = Why(verdict.reason, {"generation": generation, "error": error})
        self.turn.send(place.number, place.item, why, event.result)
        return True

    def conclude(self, number: int) -> None:
        """End a map of which something was said, once none of its items is in flight."""
        if self.state.maps[number].flying == 0:
            verdict = self.state.verdicts.pop((number, None))
            del self.state.maps[number]
            self._forget_ready(number)
            self._end(number, verdict, None)

    def _finish(self, place: Place, verdict: Verdict, result: StepResult | None) -> None:
        assert verdict.state is not None
        result = replace(result or StepResult(), value=verdict.value, output=None)
        if place.item is None:
            self.state.said[place.number] = None
        self.turn.finish(place, verdict.state, verdict.reason, result=result, detail={"operation": True})

    def _end(self, number: int, verdict: Verdict, result: StepResult | None) -> None:
        assert verdict.state is not None
        self.state.errors.pop(number, None)
        self.state.said[number] = None
        result = replace(result or StepResult(), value=verdict.value, output=None)
        self.turn.end(number, verdict.state, verdict.reason, result=result, detail={"operation": True})

    def _forget_ready(self, number: int) -> None:
        self.state.reasons.pop(number, None)
        if number in self.state.ready:
            self.state.ready.remove(number)

    # Change.

    def _change(self, operation: Operation) -> None:
        fields: dict[str, Any] = {"retry": operation.retry, "timeout": operation.timeout}
        fields = {name: given for name, given in fields.items() if given}
        if operation.queue is not None:
            fields["queue"] = operation.queue
        did = ", ".join([*operation.steps, *(f"{name} {_said(given)}" for name, given in fields.items())])
        said = self.tell(operation, f"changed {did}")
        for key in operation.steps:
            number = self.state.graph.numbers[key]
            change(self.state, number, fields)
            self.turn.graph = self.state.graph
            self._schedule_anew(number, operation, Verdict(None, said))

    def _schedule_anew(self, number: int, operation: Operation, verdict: Verdict) -> None:
        """Take back what waits for a worker, or for its next attempt; what a worker has taken ends as it began."""
        if self.state.graph.steps[number].kind in INTERPRETER_KINDS:
            return
        run = self.state.maps.get(number)
        if run is None and self.state.steps[number] == "queued":
            self._cancel(Place(number, None, self.state.generations[number]), verdict)
        for item, state in enumerate(run.states if run is not None else ()):
            decided = (number, item) in self.state.verdicts
            if (
                run is not None
                and state == "queued"
                and not decided
                and self.turn.key(number, item) not in operation.busy
            ):
                self._cancel(Place(number, item, run.generations[item]), verdict)

    # Steps that are held.

    def release(self, release: Release) -> None:
        """Do with a held step what a person said; anything else is passed over."""
        number = self.state.graph.numbers.get(release.step, -1)
        if number not in self.state.held or self.state.stops(number):
            return
        if release.action == "fail":
            self.let_fail(number, f"; {release.by or 'somebody'} let it fail")
            return
        del self.state.held[number]
        self.state.errors.pop(number, None)
        self.state.forgive_losses(number)
        again = {"again": {"by": release.by}}
        said = f"{release.by or 'somebody'} had it tried again"
        if number in self.state.maps:
            self.turn.maps.try_again(number, said, again)
            return
        self.turn.next_generation(number, None)
        self.state.steps[number] = "waiting"
        self.turn.record(release.step, "waiting", said, again)
        self.turn.consider(number)

    def let_fail(self, number: int, why: str) -> None:
        """Let a held step fail after all."""
        held = self.state.held.pop(number)
        reason = held.reason + why
        self.turn.end(number, "failed", reason, result=held.result, error=held.error, detail=held.detail, released=True)


def _said(given: Any) -> str:
    if isinstance(given, dict):
        return ", ".join(f"{name} {value}" for name, value in given.items())
    return str(given)
