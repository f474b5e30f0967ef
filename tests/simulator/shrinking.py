"""Makes a failing case smaller while it breaks the same promise, and writes it down for people.

Greedy: moves are left out, then steps, edges and features, round after round, until nothing more can go.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.simulator.cases import Case
from tests.simulator.chance import Player
from tests.simulator.ledger import Violation
from tests.simulator.simulation import Move, Simulation
from workflows.exchange import Record, StartChild, StartStep

MAX_LINE = 400
_FEATURES = ("trigger_rule", "condition", "inputs", "map", "retry", "timeout", "needs")
_DEFAULTS = {"max_parallel": 200, "on_failure": "finish"}


@dataclass(frozen=True, slots=True)
class Failure:
    """A broken promise, and how it came to that.

    Attributes:
        promise: Its name.
        said: What was found instead.
        moves: All that were made, the one that broke it among them.
        events: What the core was given since it began, with what it did.
    """

    case: Case
    promise: str
    said: str
    moves: tuple[Move, ...]
    events: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the failure as people read it."""
        lines = [self.said, "", f"seed {self.case.seed}, made smaller:"]
        lines += [f"  {name}: {json.dumps(value)}" for name, value in self.case.fields.items()]
        lines += [f"  kept: {json.dumps(self.case.kept)}"] if self.case.kept else []
        lines += [f"  {_step_text(step)}" for step in self.case.steps]
        lines += ["moves:", *(f"  {move}" for move in self.moves)]
        lines += ["events:", *(f"  {line}" for line in self.events)]
        return "\n".join(line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}..." for line in lines)


def failure_of(case: Case) -> Failure | None:
    """Simulate a case as chance has it; return what it breaks, if it breaks anything."""
    run = _Kept(case)
    return run.fails(lambda simulation: Player(simulation).play())


def shrunk(found: Failure) -> Failure:
    """Return the failure in the smallest case that was found."""
    while True:
        smaller = next((each for each in map(_tried(found), _smaller(found)) if each is not None), None)
        if smaller is None:
            return found
        found = smaller


class _Kept:
    """A simulation whose moves are known even if its beginning fails."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def fails(self, play: Any) -> Failure | None:
        run: Simulation | None = None
        try:
            run = Simulation.__new__(Simulation)
            run.__init__(self.case)  # type: ignore[misc]  # what it has done is wanted when it raises, too
            play(run)
        except Violation as broken:
            return self._failure(run, broken.promise, str(broken))
        except Exception as mistake:
            return self._failure(
                run, f"the core raises {type(mistake).__name__}", f"{type(mistake).__name__}: {mistake}"
            )
        return None

    def _failure(self, run: Simulation | None, promise: str, said: str) -> Failure:
        moves = tuple(getattr(run, "tried", ()))
        return Failure(self.case, promise, said, moves, tuple(_events(run)))


def _tried(found: Failure) -> Any:
    def attempt(smaller: tuple[Case, tuple[Move, ...]]) -> Failure | None:
        case, moves = smaller

        def play(run: Simulation) -> None:
            for move in moves:
                run.make(move)
            run.drain()

        again = _Kept(case).fails(play)
        smaller_one = again is not None and again.promise == found.promise and _size(again) < _size(found)
        return again if smaller_one else None

    return attempt


def _size(found: Failure) -> int:
    """Return how much there is to read."""
    return len(repr((found.case.steps, found.case.fields, found.case.kept))) + sum(
        20 + len(repr(m)) for m in found.moves
    )


def _smaller(found: Failure) -> Iterator[tuple[Case, tuple[Move, ...]]]:
    """Yield what might do as well, the boldest first."""
    case, moves = found.case, found.moves
    size = len(moves) // 2
    while size:
        for start in range(0, len(moves), size):
            yield case, moves[:start] + moves[start + size :]
        size //= 2
    for number in reversed(range(len(case.steps))):
        if sum("phase" not in step for step in case.steps) > 1 or "phase" in case.steps[number]:
            yield _without(case, number), moves
    for name, value in case.fields.items():
        if value != _DEFAULTS.get(name):
            left = {other: kept for other, kept in case.fields.items() if other != name}
            yield replace(case, fields=left), moves
    if case.kept:
        yield replace(case, kept={}), moves
    for number, step in enumerate(case.steps):
        for simpler in _simpler(step):
            yield replace(case, steps=(*case.steps[:number], simpler, *case.steps[number + 1 :])), moves


def _without(case: Case, number: int) -> Case:
    name = case.steps[number]["id"]
    steps = tuple(_unaware(step, name) for step in case.steps if step["id"] != name)
    fields = {key: value for key, value in case.fields.items() if name not in _names(value)}
    return replace(case, steps=steps, fields=fields, kept={k: v for k, v in case.kept.items() if k != name})


def _unaware(step: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a step that says nothing of another."""
    needs = [need for need in step.get("needs", ()) if need["step"] != name]
    left = {key: value for key, value in step.items() if key != "needs" and name not in _names(value)}
    left.setdefault("action", {"for": 60.0}) if step["kind"] == "wait" else None
    return {**left, "needs": needs} if needs else left


def _names(value: Any) -> set[str]:
    """Return the words in a value that may be names of steps."""
    return set(json.dumps(value).replace(".", " ").replace('"', " ").split())


def _simpler(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in _FEATURES:
        if name in step:
            yield {key: value for key, value in step.items() if key != name}
    if step["kind"] != "noop":
        yield {**{key: value for key, value in step.items() if key != "action"}, "kind": "noop"}
    for place, need in enumerate(step.get("needs", ())):
        others = [*step["needs"][:place], *step["needs"][place + 1 :]]
        yield {**step, "needs": others}
        if "when" in need:
            yield {**step, "needs": [*step["needs"][:place], {"step": need["step"]}, *step["needs"][place + 1 :]]}
    for name in ("limit", "min_success", "inner"):
        if name in step.get("map", ()):
            yield {**step, "map": {key: value for key, value in step["map"].items() if key != name}}
    over = step.get("map", {}).get("over")
    if isinstance(over, list) and len(over) > 1:
        yield {**step, "map": {**step["map"], "over": over[:-1]}}


def _step_text(step: dict[str, Any]) -> str:
    rest = {key: value for key, value in step.items() if key != "id"}
    return f"{step['id']}: {json.dumps(rest)}"


def _events(run: Simulation | None) -> Iterator[str]:
    for event, commands in getattr(run, "log", ()):
        yield repr(event)
        for command in commands:
            match command:
                case Record(change):
                    yield f"    {change.seq}. {change.key or 'the run'} {change.state}: {change.reason}"
                case StartStep(place, task):
                    yield f"    starts {task.key} as {place.generation}"
                case StartChild(place, child):
                    yield f"    starts {child} as {place.generation}"
                case _:
                    yield f"    {command!r}"
