"""The scheduling core: what runs next, and why.

`advance(state, event)` holds the language's whole meaning: needs, edge conditions, trigger rules, `if`, maps, the
window of `max_parallel`, lost workers, cancel and the run's deadline. It is deterministic and total: the same events
give the same commands, and what users wrote wrongly becomes the failure of a step. It never reads a clock (events bring
the time) and knows no Temporal.

Cost: O(steps + edges) for a whole run. State is kept in lists by step number. Order is plan order; where several steps
become ready at once they start in it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from workflows.conditions import look
from workflows.endings import outcome
from workflows.exchange import (
    CancelStep,
    Command,
    EndRun,
    Event,
    Place,
    Record,
    RunStarted,
    StartStep,
    StepCancelled,
    StepFailed,
    StepSucceeded,
    StopRequested,
)
from workflows.inputs import InputError, build_task, map_items
from workflows.maps import MapRun
from workflows.messages import (
    JSON,
    TERMINAL_STEP_STATES,
    StepError,
    StepResult,
    StepState,
    Transition,
)
from workflows.reasons import EdgeView, Why, failed, on_needs, with_condition
from workflows.rules import EdgeState, decide, is_eager, starts_at_once
from workflows.state import State
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

    def take(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._start_run()
            case StopRequested():
                self._stop(event)
            case StepSucceeded() | StepFailed() | StepCancelled():
                if self._awaited(event.place):
                    self._land(event)

    def settle(self) -> None:
        """Propagate ends and start what may start until nothing changes, then end the run if all have ended."""
        while True:
            while self.ended:
                self._tell_dependents(self.ended.popleft())
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
        cause = self.state.request.cause
        self._record("", "running", f"started ({cause.kind})", {"cause": {"kind": cause.kind, "id": cause.id}})
        for number, step in enumerate(self.graph.steps):
            if not self.graph.needs[number] or step.trigger_rule == "always":
                self._consider(number, [])

    def _awaited(self, place: Place) -> bool:
        number, item = place.number, place.item
        if item is None:
            return self.state.steps[number] == "queued" and self.state.generations[number] == place.generation
        run = self.state.maps.get(number)
        return run is not None and run.states[item] == "queued" and run.generations[item] == place.generation

    def _land(self, event: StepSucceeded | StepFailed | StepCancelled) -> None:
        """Take in the end of something that was in flight."""
        place = event.place
        if isinstance(event, StepFailed) and event.lost and self._again(place, event.error):
            return
        self.state.flying -= 1
        match event:
            case StepSucceeded(result=result):
                error = inline_problem(result.value)
                state: StepState = "succeeded"
                if error is not None:
                    state, result = "failed", replace(result, value=None)
            case StepFailed(error=error, result=result):
                state = "cancelled" if event.lost and self.state.stop is not None else "failed"
            case StepCancelled(result=result):
                state, error = "cancelled", None
        reason = self._landed_reason(state, error, result)
        if place.item is None:
            self._end(place.number, state, reason, result=result, error=error)
        else:
            self._end_item(place.number, place.item, state, reason, result, error)

    def _landed_reason(self, state: StepState, error: StepError | None, result: StepResult | None) -> str:
        if state == "cancelled":
            return self.state.stop.reason if self.state.stop is not None else "cancelled in Temporal"
        if error is not None:
            return failed(error)
        return "succeeded" if result is None or result.attempt <= 1 else f"succeeded on attempt {result.attempt}"

    def _again(self, place: Place, error: StepError) -> bool:
        """Schedule again what lost its worker; say False when that was done often enough or the run stops."""
        generation = place.generation + 1
        if self.state.stop is not None or generation > MAX_GENERATIONS:
            return False
        if place.item is None:
            self.state.generations[place.number] = generation
        else:
            self.state.maps[place.number].generations[place.item] = generation
        sentence = f"{failed(error)}; scheduled again ({generation} of {MAX_GENERATIONS})"
        detail = {"generation": generation, "error": {"type": error.type, "message": error.message}}
        self._send(place.number, place.item, generation, Why(sentence, detail))
        return True

    def _stop(self, request: StopRequested) -> None:
        """Cancel everything: what waits at once, what is in flight when its worker says so."""
        if self.state.stop is not None:
            return
        self.state.stop = request
        self.state.ready.clear()
        self.state.reasons.clear()
        for number, step in enumerate(self.graph.steps):
            if number in self.state.maps and self.state.steps[number] == "running":
                self._stop_map(number)
            elif self.state.steps[number] == "queued":
                self.commands.append(CancelStep(Place(number, None, self.state.generations[number])))
            elif self.state.steps[number] == "waiting":
                self._end(number, "cancelled", f"{request.reason}; {step.id} had not started")

    def _stop_map(self, number: int) -> None:
        run = self.state.maps[number]
        for item in range(run.following):
            if run.states[item] == "queued":
                self.commands.append(CancelStep(Place(number, item, run.generations[item])))
        self._end_map_if_done(number)

    # From the end of a step to those that need it.

    def _tell_dependents(self, number: int) -> None:
        for dependent, place in self.graph.dependents[number]:
            self.state.pending[dependent] -= 1
            if self.state.steps[dependent] != "waiting" or dependent in self.state.reasons:
                continue
            if self.state.pending[dependent] == 0 or self._starts_at_once(dependent, place):
                self._consider(dependent, self._edges(dependent))

    def _starts_at_once(self, number: int, place: int) -> bool:
        rule = self.graph.steps[number].trigger_rule
        if not is_eager(rule):
            return False
        state = self._edge(number, place).state
        return state is not None and starts_at_once(rule, state)

    def _edges(self, number: int) -> list[EdgeView]:
        return [self._edge(number, place) for place in range(len(self.graph.needs[number]))]

    def _edge(self, number: int, place: int) -> EdgeView:
        need = self.graph.needs[number][place]
        name = self.graph.steps[need.number].id
        state = self.state.steps[need.number]
        if state not in TERMINAL_STEP_STATES:
            return EdgeView(name, None)
        if state != "succeeded" or need.when is None:
            return EdgeView(name, _edge_state(state))
        seen = look(need.when, {**self.state.scope, "output": self._output(need.number)}, f"needs.{name}")
        return EdgeView(name, "succeeded" if seen.result else "skipped", seen)

    def _output(self, number: int) -> JSON:
        return self.state.scope["steps"][self.graph.steps[number].id]["output"]

    def _consider(self, number: int, edges: list[EdgeView]) -> None:
        """Decide a step: its rule allows a decision now."""
        step = self.graph.steps[number]
        why = on_needs(step, edges)
        states = [edge.state for edge in edges if edge.state is not None]
        if len(states) == len(edges) and step.trigger_rule != "always":
            verdict = decide(step.trigger_rule, states)
            broken = next((edge.look.error for edge in edges if edge.look is not None and edge.look.error), None)
            if broken is not None and not (verdict == "start" and is_eager(step.trigger_rule)):
                self._end(number, "failed", failed(broken), error=broken, detail=why.detail)
                return
            if verdict != "start":
                self._end(number, verdict, why.sentence, detail=why.detail)
                return
        self._apply_condition(number, why)

    def _apply_condition(self, number: int, why: Why) -> None:
        step = self.graph.steps[number]
        if step.condition is not None:
            seen = look(step.condition, self.state.scope, "if")
            if seen.error is not None:
                detail = {**why.detail, "if": seen.to_json()}
                self._end(number, "failed", failed(seen.error), error=seen.error, detail=detail)
                return
            why = with_condition(why, seen)
            if not seen.result:
                self._end(number, "skipped", why.sentence, detail=why.detail)
                return
        if step.map is not None:
            self._begin_map(number, why)
        else:
            self.state.reasons[number] = why
            self.state.ready.append(number)

    # Maps.

    def _begin_map(self, number: int, why: Why) -> None:
        step = self.graph.steps[number]
        assert step.map is not None
        try:
            items = map_items(step.map, self.state.scope)
        except InputError as problem:
            self._end(number, "failed", failed(problem.error), error=problem.error, detail=why.detail)
            return
        run = self.state.maps[number] = MapRun.over(items, step.map)
        self.state.steps[number] = "running"
        detail = {**why.detail, "items": len(items), "limit": run.limit}
        self._record(step.id, "running", f"{why.sentence}; {len(items)} items, {run.limit} at once", detail)
        self._list_map(number)
        self._end_map_if_done(number)

    def _list_map(self, number: int) -> None:
        run = self.state.maps[number]
        if run.may_start and not run.listed and self.state.stop is None:
            run.listed = True
            self.state.ready.append(number)

    def _end_item(
        self,
        number: int,
        item: int,
        state: StepState,
        reason: str,
        result: StepResult | None,
        error: StepError | None,
    ) -> None:
        run = self.state.maps[number]
        run.end(item, state, result if error is None else None, error)
        self._record(self._key(number, item), state, reason, result=result, error=error)
        self._list_map(number)
        self._end_map_if_done(number)

    def _end_map_if_done(self, number: int) -> None:
        run, step = self.state.maps[number], self.graph.steps[number]
        assert step.map is not None
        if not run.ended and not (self.state.stop is not None and run.flying == 0):
            return
        count, needed = len(run.items), run.needed(step.map)
        detail: dict[str, Any] = {"items": count, "succeeded": run.succeeded, "needed": needed}
        sentence = f"{run.succeeded} of {count} items succeeded"
        if self.state.stop is not None and (run.following < count or "cancelled" in run.states):
            self._end(number, "cancelled", f"{self.state.stop.reason}; {sentence}", detail=detail)
        elif run.succeeded >= needed:
            self._end(number, "succeeded", sentence, result=run.result(), detail=detail)
        else:
            self._end(number, "failed", f"{sentence}; {needed} needed", error=run.error(needed), detail=detail)

    # Starting.

    def _dispatch(self) -> None:
        """Fill the window from the ready queue."""
        ready = self.state.ready
        while ready and self.state.flying < self.graph.window:
            number = ready[0]
            run = self.state.maps.get(number)
            if run is None:
                ready.popleft()
                self.state.flying += 1
                self._send(number, None, 0, self.state.reasons.pop(number))
            elif run.may_start:
                item = run.take()
                self.state.flying += 1
                self._send(number, item, 0, Why(f"item {item}", {"item": brief(run.items[item])}))
            else:
                run.listed = False
                ready.popleft()

    def _send(self, number: int, item: int | None, generation: int, why: Why) -> None:
        """Hand to a worker what is counted as in flight already."""
        step, scope, value = self.graph.steps[number], self.state.scope, None
        if item is not None and step.map is not None:
            value = self.state.maps[number].items[item]
            scope = {**scope, step.map.name: wrap(value)}
        else:
            self.state.steps[number] = "queued"
        key = self._key(number, item)
        try:
            task = build_task(self.state.identity, step, key, generation, scope, value)
        except InputError as problem:
            self._land(StepFailed(self.at, Place(number, item, generation), problem.error))
            return
        self._record(key, "queued", f"waits for a worker on {step.queue}; {why.sentence}", why.detail, queue=step.queue)
        self.commands.append(StartStep(Place(number, item, generation), task))

    # Ends and records.

    def _end(
        self,
        number: int,
        state: StepState,
        reason: str,
        *,
        result: StepResult | None = None,
        error: StepError | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        step = self.graph.steps[number]
        self.state.steps[number] = state
        self.state.open -= 1
        seen = self.state.scope["steps"][step.id]
        seen["status"] = state
        if state == "succeeded":
            run = self.state.maps.get(number)
            seen["output"] = run.output() if run is not None else wrap(result.value if result is not None else None)
        if error is not None:
            self.state.errors[number] = error
        self._record(step.id, state, reason, detail, result=result, error=error)
        self.ended.append(number)

    def _end_run(self) -> None:
        end = outcome(self.state.graph, self.state.steps, self.state.errors, self.state.scope, self.state.stop)
        self.state.ended = True
        self._record("", end.state, end.reason, end.detail, error=end.error, value=end.value)
        self.commands.append(EndRun(end.state, end.reason, end.value, end.error))

    def _key(self, number: int, item: int | None) -> str:
        step = self.graph.steps[number]
        return step.id if item is None else f"{step.id}[{item}]"

    def _record(
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
        self.state.seq += 1
        change = Transition(self.state.seq, self.at, key, state, reason, detail or {}, queue, result, error, value)
        self.commands.append(Record(change))


def _edge_state(state: StepState) -> EdgeState:
    assert state in TERMINAL_STEP_STATES
    return state  # type: ignore[return-value]  # the terminal states are the edge states
