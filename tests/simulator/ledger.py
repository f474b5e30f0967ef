"""What a fake Temporal knows of a run: what is in flight, which timers run, and every change of state so far.

Takes the core's commands as Temporal would, and refuses what could not be done, or what was promised never to happen
whatever the plan says: a step that starts while it runs, an attempt under numbers that were used before, a change of
state that cannot be, an end that is none. Knows nothing of rules and needs (`tests.simulator.oracle` does).
"""

from __future__ import annotations

from tests.simulator.meaning import TERMINAL
from workflows.exchange import (
    CancelStep,
    CancelTimer,
    Command,
    EndRun,
    LimitFinally,
    Place,
    Record,
    SetTimer,
    StartChild,
    StartStep,
)
from workflows.messages import Transition


class Violation(AssertionError):
    """A promise that was broken.

    Attributes:
        promise: Its name, by which failures are told from one another.
    """

    def __init__(self, promise: str, what: str) -> None:
        super().__init__(f"{promise}: {what}")
        self.promise = promise


_BEGUN = frozenset({"queued", "running", "retrying", "held"}) | TERMINAL
_ENDS = TERMINAL - {"upstream_failed"}
_AFTER: dict[str, frozenset[str]] = {
    "waiting": _BEGUN,
    "queued": _ENDS | {"queued", "held"},
    "running": _ENDS | {"running", "retrying", "held"},
    "retrying": _ENDS | {"running", "held"},
    "held": _ENDS | {"waiting", "running"},
}
_RUN_AFTER: dict[str, frozenset[str]] = {
    "": frozenset({"running"}),
    "running": frozenset({"running", "paused", "succeeded", "failed", "cancelled"}),
    "paused": frozenset({"running", "paused", "succeeded", "failed", "cancelled"}),
}


class Ledger:
    """What is in flight, by key, and how far everything is.

    Attributes:
        now: Seconds.
        flying: Activities.
        children: Runs of other workflows, with the command that started each.
        calls: Steps and items that run other workflows, at rest too.
        timers: Each with the moment at which it is due.
        limit: When the `finally` steps are to be stopped.
        asked: What was asked to stop.
        states: The latest state of every step and item.
        run: That of the run.
        generations: The highest under which a key was started.
        runs: Ids of the children that were ever started.
        starts: Keys started by the latest event.
        end: The run's.
    """

    def __init__(self, steps: list[str]) -> None:
        self.now = 1_000.0
        self.flying: dict[str, Place] = {}
        self.children: dict[str, StartChild] = {}
        self.calls: dict[str, None] = {}
        self.timers: dict[str, tuple[float, Place]] = {}
        self.limit: float | None = None
        self.asked: set[str] = set()
        self.states: dict[str, str] = dict.fromkeys(steps, "waiting")
        self.run = ""
        self.generations: dict[str, int] = {}
        self.runs: set[str] = set()
        self.starts: list[str] = []
        self.seq = 0
        self.end: EndRun | None = None
        self.again = False

    def begin(self, again: bool) -> None:
        """Make ready for the commands of the next event; after `again` what has ended may begin anew."""
        self.again = again
        self.starts = []

    def forget(self) -> None:
        """Lose what is in flight: the execution it belonged to is no more."""
        for known in (self.flying, self.children, self.calls, self.timers, self.asked):
            known.clear()
        self.limit, self.end = None, None

    @property
    def taken(self) -> int:
        """How many places of the window are taken."""
        return len(self.flying) + len(self.calls)

    def take(self, command: Command, key: str) -> None:
        """Do what the core commands; `key` is that of the step or item it is about."""
        match command:
            case Record(transition):
                self._record(transition)
            case StartStep(place, task):
                self._start(key, place)
                if (task.key, task.generation) != (key, place.generation):
                    raise Violation("the task is of its place", f"{task.key} at {key}, {place}")
                self.flying[key] = place
            case StartChild(place):
                self._start(key, place)
                self._start_run(command)
                self.children[key] = command
                self.calls[key] = None
            case CancelStep():
                if key not in self.flying and key not in self.children:
                    raise Violation("only what is in flight is asked to stop", key)
                self.asked.add(key)
            case SetTimer(place, seconds):
                if key in self.timers:
                    raise Violation("a place has one timer", key)
                self.timers[key] = (self.now + seconds, place)
            case CancelTimer(place):
                if key in self.timers and self.timers[key][1] == place:
                    del self.timers[key]
            case LimitFinally(seconds):
                self.limit = self.now + seconds
            case EndRun():
                self._finish(command)

    def _start(self, key: str, place: Place) -> None:
        if key in self.flying or key in self.children:
            raise Violation("nothing runs twice at once", f"{key} starts while it is in flight")
        if place.generation <= self.generations.get(key, -1):
            raise Violation("an attempt's number is used once", f"{key} starts again as {place.generation}")
        self.generations[key] = place.generation
        self.starts.append(key)
        self.asked.discard(key)

    def _start_run(self, start: StartChild) -> None:
        if start.again is None and start.run in self.runs:
            raise Violation("a run's id is used once", f"{start.run} is started again")
        self.runs.add(start.run)

    def _finish(self, end: EndRun) -> None:
        if self.end is not None:
            raise Violation("a run ends once", end.reason)
        left = [*self.flying, *self.calls, *self.timers]
        if left:
            raise Violation("nothing is left behind at the end", ", ".join(left))
        if end.state != self.run:
            raise Violation("the end is what was recorded", f"{end.state}, but {self.run} was recorded")
        self.end = end

    # Changes of state.

    def _record(self, change: Transition) -> None:
        self.seq += 1
        if change.seq != self.seq or change.at != self.now:
            raise Violation("changes are numbered without a gap", f"{change.seq} at {change.at} for {self.seq}")
        if self.end is not None:
            raise Violation("nothing follows the end", f"{change.key} {change.state}")
        if not change.reason:
            raise Violation("every change has a reason", f"{change.key} {change.state}")
        if change.key:
            self._step_changed(change.key, change.state)
        else:
            if not (self.again or change.state in _RUN_AFTER.get(self.run, ())):
                raise Violation("only such changes of state", f"the run is {change.state} after {self.run}")
            self.run = change.state

    def _step_changed(self, key: str, state: str) -> None:
        before = self.states.get(key, "waiting")
        if before in TERMINAL and not self.again:
            raise Violation("what has ended stays so", f"{key} is {state} after {before}")
        if state not in _AFTER.get(before, ()) and not (self.again and state == "waiting"):
            raise Violation("only such changes of state", f"{key} is {state} after {before}")
        self.states[key] = state
        if state in TERMINAL or state == "held":
            if key in self.flying or key in self.children:
                raise Violation("what has ended is not in flight", f"{key} is {state}")
            self.calls.pop(key, None)
