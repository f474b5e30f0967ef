"""One event's consequences for maps: a part of the core's turn (`workflows.core`), which owns the state."""

from __future__ import annotations

from typing import Any

from workflows.exchange import CancelStep, Place
from workflows.inputs import InputError, map_items
from workflows.maps import MapRun
from workflows.messages import StepError, StepResult, StepState
from workflows.plan import INTERPRETER_KINDS
from workflows.reasons import Why, failed
from workflows.turn import Turn


class MapTurn:
    """The part of a turn that is about steps with a map."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.state = turn.state

    def begin(self, number: int, why: Why) -> None:
        """Work out the items and let them start."""
        step = self.state.graph.steps[number]
        assert step.map is not None
        try:
            items = map_items(step.map, self.state.scope)
        except InputError as problem:
            self.turn.end(number, "failed", failed(problem.error), error=problem.error, detail=why.detail)
            return
        run = self.state.maps[number] = MapRun.over(items, step.map, self.state.generations[number])
        self.state.steps[number] = "running"
        count = len(run.items)
        detail = {**why.detail, "items": count, "limit": run.limit}
        self.turn.record(step.id, "running", f"{why.sentence}; {count} items, {run.limit} at once", detail)
        self.go_on(number)

    def go_on(self, number: int) -> None:
        """Let the items start that may."""
        self._list(number)
        self._end_if_done(number)

    def try_again(self, number: int, sentence: str, detail: dict[str, Any]) -> None:
        """Let the items that failed start anew."""
        count = self.state.maps[number].try_again()
        self.state.steps[number] = "running"
        step = self.state.graph.steps[number].id
        self.turn.record(step, "running", f"{sentence}; {count} items", {**detail, "items": count})
        self.go_on(number)

    def end_item(
        self,
        place: Place,
        state: StepState,
        reason: str,
        result: StepResult | None,
        error: StepError | None,
        detail: dict[str, Any] | None,
    ) -> None:
        """End an item that was in flight, and with the last one the step."""
        number, item = place.number, place.item
        assert item is not None
        run = self.state.maps[number]
        run.end(item, state, result if error is None else None, error)
        self.turn.record(self.turn.key(number, item), state, reason, detail, result=result, error=error)
        self.go_on(number)

    def stop(self, number: int) -> None:
        """Cancel the items that workers have; those that the interpreter runs itself are stopped by themselves."""
        run = self.state.maps[number]
        if self.state.graph.steps[number].kind not in INTERPRETER_KINDS:
            for item, state in enumerate(run.states):
                if state == "queued":
                    self.turn.commands.append(CancelStep(Place(number, item, run.generations[item])))
        self._end_if_done(number)

    def _list(self, number: int) -> None:
        run = self.state.maps[number]
        if run.may_start and not run.listed and not self.state.stops(number):
            run.listed = True
            self.state.ready.append(number)

    def _end_if_done(self, number: int) -> None:
        run, step = self.state.maps[number], self.state.graph.steps[number]
        assert step.map is not None
        if (number, None) in self.state.verdicts:
            self.turn.operations.conclude(number)
            return
        stop = self.state.stop if self.state.stops(number) else None
        if not run.ended and not (stop is not None and run.flying == 0):
            return
        count, needed = len(run.items), run.needed(step.map)
        detail: dict[str, Any] = {"items": count, "succeeded": run.succeeded, "needed": needed}
        sentence = f"{run.succeeded} of {count} items succeeded"
        if run.skipped:
            detail["skipped"] = run.skipped
            sentence += f", {run.skipped} skipped"
        if stop is not None and run.unfinished:
            self.turn.end(number, "cancelled", f"{stop.reason}; {sentence}", detail=detail)
        elif run.succeeded >= needed:
            self.turn.end(number, "succeeded", sentence, result=run.result(), detail=detail)
        else:
            self.turn.end(number, "failed", f"{sentence}; {needed} needed", error=run.error(needed), detail=detail)
