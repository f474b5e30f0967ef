"""Going on after the end: what failed is tried again, what has succeeded stays; and taking over what another run did.

A part of the core's turn (`workflows.core`), mostly on the state restored from the snapshot of the run that has ended.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from workflows.decisions import may_be_decided
from workflows.exchange import Retried
from workflows.messages import Operation, StepResult
from workflows.operations import facts, sentence
from workflows.snapshot import count
from workflows.state import State
from workflows.turn import Turn

_NAMED = 5
_LISTED = 200
_NEVER_BEGAN = frozenset({"waiting", "skipped", "upstream_failed"})


def calls_to_look_at(state: State) -> list[str]:
    """Return the runs of `workflow` steps that did not succeed, which may go on too."""
    return list(state.calls.values())


class RetryTurn:
    """The part of a turn that lets a run go on after its end."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.state = turn.state

    def begin(self, event: Retried) -> None:
        """Decide anew what failed, what depends on it, what was cancelled, and the `finally` steps after it."""
        state, operation = self.state, event.operation
        # A map that had begun, and goes on, is not told from one that waits.
        state.steps = ["waiting" if found == "running" else found for found in state.steps]
        main = self._main(operation)
        anew = main | self._finals(bool(main))
        state.stop, state.stop_next, state.finals_stopped, state.paused = None, None, False, None
        state.finals = state.finals and not main
        state.verdicts.clear()
        if not state.scope["run"]["started_at"]:
            started = datetime.fromtimestamp(self.turn.at, UTC)
            state.scope["run"]["started_at"] = started.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if main:
            state.scope["run"]["state"] = "running"
        self.turn.operations.remember(operation)
        self._take_children(event, anew)
        self._record(operation, sorted(anew))
        for number in sorted(anew):
            self._reset(number, anew, operation)
        count(state)
        self.go_on()

    def go_on(self) -> None:
        """Let everything start that may, after the state was made anew."""
        graph, state = self.state.graph, self.state
        for number in range(graph.main, len(graph.steps)) if state.finals else range(graph.main):
            if state.steps[number] == "waiting" and may_be_decided(state, number):
                self.turn.consider(number)
            elif state.steps[number] == "running" and number in state.maps:
                self.turn.maps.go_on(number)

    def keep(self, number: int) -> None:
        """End a step of a rerun with the output that it had in the older run."""
        kept = self.state.request.kept[self.state.graph.steps[number].id]
        result = StepResult(kept.get("value"), kept.get("output"))
        detail = {"kept": {"run": kept["run"]}}
        self.turn.end(number, "succeeded", f"kept from {kept['run']}", result=result, detail=detail)

    def _main(self, operation: Operation) -> set[int]:
        """Return the steps of the main part that are decided anew."""
        graph, state = self.state.graph, self.state
        anew: set[int] = set()
        for number in range(graph.main):
            if number in state.said:
                continue
            found = state.steps[number]
            named = not operation.steps or graph.steps[number].id in operation.steps
            follows = any(need.number in anew for need in graph.needs[number])
            if found in ("failed", "held"):
                again = named or follows
            elif found in ("upstream_failed", "skipped"):
                again = follows
            else:
                again = found in ("waiting", "cancelled")
            if again:
                anew.add(number)
        return anew

    def _finals(self, all_of_them: bool) -> set[int]:
        numbers = [n for n in range(self.state.graph.main, len(self.state.steps)) if n not in self.state.said]
        return {number for number in numbers if all_of_them or self.state.steps[number] not in ("succeeded", "skipped")}

    def _take_children(self, event: Retried, anew: set[int]) -> None:
        """Keep in mind which children go on; one whose params may be others now starts from its beginning."""
        state = self.state
        state.retried = replace(event.operation, steps=[])
        state.executions = {}
        for (number, item), run in list(state.calls.items()):
            if number in anew and run in event.executions and not self._follows(number, anew):
                state.executions[run] = event.executions[run]
            else:
                del state.calls[number, item]

    def _follows(self, number: int, anew: set[int]) -> bool:
        return any(need.number in anew for need in self.state.graph.needs[number])

    def _record(self, operation: Operation, anew: list[int]) -> None:
        graph, state = self.state.graph, self.state
        kept = [step.id for step, found in zip(graph.steps, state.steps, strict=True) if found == "succeeded"]
        kept = [name for name in kept if graph.numbers[name] not in anew]
        names = [graph.steps[number].id for number in anew]
        shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        did = f"had it go on; decided anew: {shown or 'nothing'}; kept: {len(kept)} that succeeded"
        detail = facts(operation)
        detail["operation"] |= {"anew": names[:_LISTED], "kept": kept[:_LISTED]}
        self.turn.record("", "running", sentence(operation, did), {**detail, "again": {"by": operation.by}})

    def _reset(self, number: int, anew: set[int], operation: Operation) -> None:
        state, step = self.state, self.state.graph.steps[number]
        state.errors.pop(number, None)
        state.held.pop(number, None)
        state.forgive_losses(number)
        run = state.maps.get(number)
        if run is not None and (self._follows(number, anew) or (number >= state.graph.main and not state.finals)):
            # Its list may be another now, or the end that it follows.
            state.generations[number] = max([state.generations[number], *run.generations]) + 1
            del state.maps[number]
        elif run is None and state.steps[number] not in _NEVER_BEGAN:
            state.generations[number] += 1
        state.steps[number] = "waiting"
        state.scope["steps"][step.id] = {"output": None, "status": "waiting"}
        said = f"{operation.by or 'somebody'} had the run go on"
        self.turn.record(step.id, "waiting", said, {"again": {"by": operation.by}})
