"""Chooses the moves of a run by chance: mostly what would happen anyway, now and then one of the case's troubles."""

from __future__ import annotations

import random
from typing import Any

from tests.simulator.cases import Case
from tests.simulator.simulation import Move, Simulation

MAX_MOVES = 60
"""After so many, nothing is left to chance."""

_VALUES: tuple[Any, ...] = (
    *(0, 1, 2, 3, 4, 5, 3, 4, 5, [1, 2], [], [3], {"n": 3}, None, "text", True),
    {"$segue": "json", "key": "k", "size": 70_000, "sha256": "0" * 64},
)
_BAD = (float("nan"), "x" * 20_000)
"""Outputs that no step may give."""


def play(case: Case) -> Simulation:
    """Simulate a case from its seed to its end, or raise `Violation`; `moves` of it then say how it came to that."""
    run = Simulation(case)
    Player(run).play()
    return run


class Player:
    """Chooses moves."""

    def __init__(self, run: Simulation) -> None:
        self.run = run
        self.case = run.case
        self.ledger = run.ledger
        self.chance = random.Random(run.case.seed + 1_000_003)
        self.names = 0

    def play(self) -> None:
        """Play the run to its end, and let it go on after it where the case says so."""
        chance, run = self.chance, self.run
        for life in range(self.case.lives + 1):
            left = chance.randint(5, MAX_MOVES)
            while not run.over and left:
                left -= 1
                # The moments in which this can be are rare.
                if "anew" in self.case.troubles and chance.random() < 0.3:
                    run.make(("anew",))
                move = self._trouble() if chance.random() < self.case.trouble else None
                if move is None or not run.make(move):
                    self._go_on()
            run.drain()
            if self.case.trouble and chance.random() < 0.3:
                move = self._trouble()
                if move is not None and move[0] != "lost_run":
                    run.make(move)
            if life < self.case.lives:
                run.make(("retry", self._some_failed(), chance.random() < 0.6))
        run.drain()
        if chance.random() < 0.2:
            run.make(("crash",))

    def _go_on(self) -> None:
        """Make a move that would happen anyway; there is always one, or the run hangs."""
        run, chance, ledger = self.run, self.chance, self.ledger
        open_moves: list[tuple[str, str]] = [("end", key) for key in ledger.flying]
        open_moves += [("end", key) for key in ledger.children]
        if ledger.timers:
            open_moves.append(("ring", min(ledger.timers, key=lambda key: ledger.timers[key][0])))
        open_moves += [("answer", key) for key in run.asking]
        if run.listening:
            open_moves.append(("hear", ""))
        open_moves += [("release", key) for key, state in ledger.states.items() if state == "held"]
        if not open_moves and run.oracle.room is not None:
            if not (chance.random() < 0.5 and run.make(("anew",))):
                run.make(("room", None))
            return
        if not open_moves or (ledger.run == "paused" and chance.random() < 0.2):
            run.make(("operate", "resume", self._name(), [], {}))
            if not open_moves and not run.over and run.ledger.run != "paused":
                run.drain()
            return
        kind, key = chance.choice(open_moves)
        match kind:
            case "end":
                run.make(self._end(key))
            case "ring":
                run.make(("ring", key))
            case "answer":
                run.make(("answer", key, chance.random() < 0.7, chance.choice(("ada", "bob", "eve"))))
            case "hear":
                run.make(("hear", self._name(), chance.choice((0, 2, 3, "text"))))
            case _:
                run.make(("release", key, chance.choice(("retry", "fail"))))

    def _end(self, key: str) -> Move:
        chance = self.chance
        asked = key in self.ledger.asked and chance.random() < 0.7
        kind = "cancelled" if asked else chance.choice(self.case.mood)
        if kind == "succeed":
            return ("succeed", key, chance.choice(_BAD if chance.random() < 0.02 else _VALUES))
        if kind == "fail" or (kind == "lose" and key in self.ledger.children):
            return ("fail", key, chance.choice(("Boom", "Boom", "Fatal")))
        return (kind, key)

    def _trouble(self) -> Move | None:
        """Choose one of the case's troubles; None: it cannot be had now."""
        chance, run, ledger = self.chance, self.run, self.ledger
        kind = chance.choice(self.case.troubles)
        match kind:
            case "again" | "late":
                return (kind, *chance.choice(list(run.past))) if run.past else None
            case "crash" | "carry" | "anew" | "limit":
                return (kind,)
            case "room":
                return (kind, chance.choice((0, 0, 1, 2, None)))
            case "race":
                return (kind, chance.choice(list(ledger.timers))) if ledger.timers else None
            case "stop":
                return (kind, chance.choice(("cancel", "cancel", "timeout")))
            case "pause":
                name = chance.choice(list(run.operations)) if run.operations and chance.random() < 0.2 else self._name()
                return ("operate", chance.choice(("pause", "pause", "resume")), name, [], {})
            case "skip" | "mark" | "change":
                return self._operation(kind)
            case "hear":
                again = bool(run.state.heard) and chance.random() < 0.5
                name = chance.choice(run.state.heard).id if again else self._name()
                return (kind, name, chance.choice((0, 2)))
            case "answer":
                return (kind, self._some_step(), chance.random() < 0.5, "ada")
            case _:
                return ("lost_run", self._some_failed(), chance.random() < 0.5)

    def _operation(self, kind: str) -> Move:
        chance = self.chance
        keys = [self._some_step() for _ in range(chance.choice((1, 1, 1, 2)))]
        fields: dict[str, Any] = {}
        if kind == "mark":
            fields["output"] = chance.choice((3, [1, 2], [1, 2], None))
        if kind == "change":
            given: tuple[dict[str, Any], ...] = (
                {"queue": "other"},
                {"retry": {"attempts": 4}},
                {"timeout": {"run": 9.0}},
            )
            fields = dict(chance.choice(given))
        return ("operate", kind, self._name(), keys, fields)

    def _some_step(self) -> str:
        """Return a step or an item, rather one that has not ended."""
        chance, states = self.chance, self.ledger.states
        lively = [key for key, state in states.items() if state in ("queued", "running", "retrying", "held", "waiting")]
        return chance.choice(lively if lively and chance.random() < 0.8 else list(states))

    def _some_failed(self) -> list[str]:
        failed = [key for key, state in self.ledger.states.items() if state == "failed" and "[" not in key]
        return [self.chance.choice(failed)] if failed and self.chance.random() < 0.3 else []

    def _name(self) -> str:
        self.names += 1
        return f"n{self.names}"
