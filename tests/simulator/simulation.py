"""A fake Temporal: drives the core through one case, move by move, and has every promise checked after each.

A move is what may happen next: a worker answers, a timer runs down, somebody cancels, the process dies. Moves are plain
data that name steps by their keys, so that the same moves can be made in a smaller case; one that cannot be made is
passed over. Chance chooses them (`tests.simulator.chance`), or a list does, and in the end what is open is brought to
an end in order (`drain`), which shows that the run does not hang.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from tests.simulator.bookkeeping import accepts, counts
from tests.simulator.cases import Case
from tests.simulator.comparing import outline, sizes
from tests.simulator.journeys import RUN, Journeys
from tests.simulator.ledger import Ledger, Violation
from tests.simulator.oracle import Oracle
from tests.simulator.reported import landed
from workflows.core import advance
from workflows.exchange import (
    AnswerGiven,
    Command,
    Event,
    EventArrived,
    HoldReleased,
    Operated,
    Place,
    Record,
    RoomChanged,
    RunStarted,
    StepCancelled,
    StepFailed,
    StepSucceeded,
    StopRequested,
    TimerFired,
)
from workflows.messages import Answer, Operation, Release, StepError, StepResult
from workflows.messages import Event as Message
from workflows.operations import refusal
from workflows.state import State, begin

Move: TypeAlias = tuple[Any, ...]
MAX_DRAIN = 600
"""Moves within which a run must end once nothing hinders it any more."""
MOVE_SECONDS = 1.0


class Simulation(Journeys):
    """A run in progress.

    Attributes:
        ledger: What is in flight.
        tried: The moves made so far, and the one that is being made.
        log: Every event since the state was last begun or restored, with what came of it.
        past: Ends that were reported, by key and generation; each may come again.
        fired: Timers that have run down and whose events wait behind the next one.
        listening: Waits that are open, with the event that each waits for.
        asking: Approvals that are open.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.request = case.request()
        self.state: State = begin(RUN, self.request)
        self.ledger = Ledger([step["id"] for step in case.steps])
        self.oracle = Oracle(case, self.ledger)
        self.tried: list[Move] = []
        self.log: list[tuple[Event, list[Command]]] = []
        self.base: str | None = None
        self.shadow: State | None = None
        self.past: dict[tuple[str, int], Event] = {}
        self.fired: list[tuple[str, Place]] = []
        self.listening: dict[str, None] = {}
        self.asking: dict[str, None] = {}
        self.operations: dict[str, None] = {}
        self.deliver(RunStarted(self.ledger.now))

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.ledger.end is not None

    def make(self, move: Move) -> bool:
        """Make a move; say False when it cannot be made."""
        kind, *rest = move
        if kind in ("carry", "anew") and self.fired:
            return False  # the interpreter hears first of what has come already
        self.tried.append(move)
        waiting, self.fired = self.fired, []
        if not _MOVES[kind](self, *rest):
            self.tried.pop()
            self.fired = waiting
            return False
        for key, place in waiting:
            self.deliver(TimerFired(self.ledger.now, place), key)
        return True

    # Events.

    def deliver(self, event: Event, key: str = "", awaited: bool = False) -> list[Command]:
        """Give the core an event, do what it commands, and check all of it."""
        ended = self.over
        self.oracle.expect(event)
        self.state, commands = advance(self.state, event)
        self.log.append((event, commands))
        if self.shadow is not None:
            self._beside(event, commands)
        if ended and commands:
            raise Violation("nothing follows the end", f"{type(event).__name__} gives {len(commands)} commands")
        if awaited:
            landed(self.oracle, event, commands, key)
        self.oracle.took(commands)
        if commands:
            self._listen(commands)
            counts(self.oracle, self.state)
        self.ledger.now += MOVE_SECONDS
        return commands

    def nothing(self, event: Event) -> bool:
        """Give the core an event that must change nothing."""
        before = sizes(self.state)
        commands = self.deliver(event)
        after = sizes(self.state)
        if commands or before != after:
            raise Violation("what comes late or twice changes nothing", f"{event} gives {commands}")
        return True

    def _beside(self, event: Event, commands: list[Command]) -> None:
        """Let the state that was not carried over take the event too: the same must come of it."""
        assert self.shadow is not None
        self.shadow, others = advance(self.shadow, event)
        if outline(others) != outline(commands):
            raise Violation("a snapshot changes nothing", f"{outline(others)} without, {outline(commands)} with it")

    def _listen(self, commands: list[Command]) -> None:
        """Note which steps wait for an event or an answer."""
        for command in commands:
            if isinstance(command, Record) and command.transition.key:
                key, detail = command.transition.key, command.transition.detail
                self.listening.pop(key, None)
                self.asking.pop(key, None)
                if command.transition.state == "running" and "event" in detail.get("wait", ()):
                    self.listening[key] = None
                elif command.transition.state == "running" and "approval" in detail:
                    self.asking[key] = None

    # Moves: what workers, children and timers do.

    def _succeed(self, key: str, value: Any) -> bool:
        return self._ends(key, lambda at, place: StepSucceeded(at, place, StepResult(value)))

    def _fail(self, key: str, kind: str) -> bool:
        return self._ends(key, lambda at, place: StepFailed(at, place, StepError(kind, "it broke")))

    def _cancelled(self, key: str) -> bool:
        return self._ends(key, lambda at, place: StepCancelled(at, place))

    def _lose(self, key: str) -> bool:
        error = StepError("WorkerLost", "silence")
        return key in self.ledger.flying and self._ends(key, lambda at, place: StepFailed(at, place, error, lost=True))

    def _ends(self, key: str, made: Any) -> bool:
        place = self.ledger.flying.pop(key, None)
        if place is None:
            child = self.ledger.children.pop(key, None)
            if child is None:
                return False
            place = child.place
        event = made(self.ledger.now, place)
        self.past[key, place.generation] = event
        self.deliver(event, key, awaited=True)
        return True

    def _ring(self, key: str) -> bool:
        """A timer runs down."""
        if key not in self.ledger.timers:
            return False
        due, place = self.ledger.timers.pop(key)
        self.ledger.now = max(self.ledger.now, due)
        self.deliver(TimerFired(self.ledger.now, place), key)
        return True

    def _race(self, key: str) -> bool:
        """A timer runs down in the moment in which something else happens, and is heard of after that."""
        if key not in self.ledger.timers:
            return False
        due, place = self.ledger.timers.pop(key)
        self.ledger.now = max(self.ledger.now, due)
        self.fired.append((key, place))
        return True

    def _tick(self) -> bool:
        """Nothing happens but what has waited behind it."""
        return True

    def _limit(self) -> bool:
        """The time of the `finally` steps is up."""
        if self.ledger.limit is None or self.over:
            return False
        self.ledger.now = max(self.ledger.now, self.ledger.limit)
        self.ledger.limit = None
        self.deliver(StopRequested(self.ledger.now, "timeout", "the finally steps took too long"))
        return True

    # What comes late, or twice.

    def _again(self, key: str, generation: int) -> bool:
        event = self.past.get((key, generation))
        return event is not None and self.nothing(event)

    def _late(self, key: str, generation: int) -> bool:
        """The worker that was thought dead, or was asked to stop, reports that it did it after all."""
        event = self.past.get((key, generation))
        if event is None or isinstance(event, StepSucceeded):
            return False
        return self.nothing(StepSucceeded(self.ledger.now, event.place, StepResult(99)))  # type: ignore[union-attr]

    # What people and other services do.

    def _hear(self, event: str, payload: Any) -> bool:
        known = any(message.id == event for message in self.state.heard)
        arrived = EventArrived(self.ledger.now, Message(event, "news", payload))
        if known:
            return self.nothing(arrived)
        self.deliver(arrived)
        return True

    def _answer(self, key: str, approved: bool, by: str) -> bool:
        answer = AnswerGiven(self.ledger.now, Answer(key, approved, by))
        if key not in self.asking:
            return self.nothing(answer)
        self.deliver(answer)
        return True

    def _release(self, step: str, action: Any) -> bool:
        release = HoldReleased(self.ledger.now, Release(step, action, "ada"))
        if self.ledger.states.get(step) != "held":
            return self.nothing(release)
        if not self.deliver(release) or (action == "fail" and self.ledger.states[step] != "failed"):
            raise Violation("a held step is released", f"{step} is {self.ledger.states[step]} after {action}")
        return True

    def _stop(self, why: Any) -> bool:
        self.deliver(StopRequested(self.ledger.now, why, f"it was stopped: {why}"))
        return True

    def _room(self, room: int | None) -> bool:
        """The history gets short, or has room again."""
        if self.over:
            return False
        self.deliver(RoomChanged(self.ledger.now, room))
        return True

    def _operate(self, kind: Any, name: str, steps: list[str], fields: dict[str, Any]) -> bool:
        operation = Operation(name, kind, "ada", "as they say", list(steps), **fields)
        if name in self.operations or self.over:
            return self.nothing(Operated(self.ledger.now, operation))
        refused = refusal(self.state, operation)
        if refused:
            return self.nothing(Operated(self.ledger.now, operation))
        accepts(self.oracle, operation, refused)
        self.operations[name] = None
        paused = self.ledger.run == "paused"
        if not self.deliver(Operated(self.ledger.now, operation)) and not (kind == "pause" and paused):
            raise Violation("an operation that is accepted is done", f"{kind} {steps}")
        return True

    # The end.

    def drain(self) -> None:
        """Bring what is open to its end: every run ends when nothing hinders it any more."""
        for _ in range(MAX_DRAIN):
            if self.over:
                return
            move = self._next()
            if move is None:
                raise Violation("a run never hangs", f"nothing can happen, and {self.ledger.states}")
            self.make(move)
        raise Violation("a run never hangs", f"no end after {MAX_DRAIN} moves: {self.ledger.states}")

    def _next(self) -> Move | None:
        ledger = self.ledger
        if self.fired:
            return ("tick",)
        if ledger.run == "paused":
            return ("operate", "resume", f"drain{len(self.operations)}", [], {})
        for key in ledger.flying:
            return ("cancelled", key) if key in ledger.asked else ("succeed", key, 1)
        for key in ledger.children:
            return ("cancelled", key) if key in ledger.asked else ("succeed", key, 1)
        if ledger.timers:
            return ("ring", min(ledger.timers, key=lambda key: ledger.timers[key][0]))
        for key in self.asking:
            return ("answer", key, False, "ada")
        if self.listening:
            return ("hear", f"drain{len(self.tried)}", 9)
        held = next((key for key, state in ledger.states.items() if state == "held"), None)
        if held is not None:
            return ("release", held, "fail")
        return None if self.oracle.room is None else ("room", None)


_MOVES: dict[str, Any] = {
    "succeed": Simulation._succeed,
    "fail": Simulation._fail,
    "cancelled": Simulation._cancelled,
    "lose": Simulation._lose,
    "ring": Simulation._ring,
    "race": Simulation._race,
    "tick": Simulation._tick,
    "limit": Simulation._limit,
    "again": Simulation._again,
    "late": Simulation._late,
    "hear": Simulation._hear,
    "answer": Simulation._answer,
    "release": Simulation._release,
    "stop": Simulation._stop,
    "operate": Simulation._operate,
    "crash": Simulation._crash,
    "carry": Simulation._carry,
    "anew": Simulation._anew,
    "room": Simulation._room,
    "lost_run": Simulation._lost_run,
    "retry": Simulation._retry,
}


def replay(case: Case, moves: Iterable[Move]) -> Simulation:
    """Make these moves, as far as they can be made, and bring the run to its end."""
    run = Simulation(case)
    for move in moves:
        run.make(move)
    run.drain()
    return run
