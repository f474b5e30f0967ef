"""A run in virtual time: the core, and what each of its commands comes to here.

A new command of the core is one more method, named in `_HANDLERS`; one that is not there fails loudly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from segue.testing.engine.attempts import Flight, Log
from segue.testing.engine.children import ChildFlight
from segue.testing.engine.clock import Clock, Due
from segue.testing.engine.people import People
from segue.testing.engine.values import Memory
from segue.testing.mocks import Act, Exemplify, Mock, MockError
from segue.testing.outside import Script
from workflows.core import advance
from workflows.exchange import (
    CancelStep,
    CancelTimer,
    EndRun,
    Event,
    LimitFinally,
    Place,
    Record,
    RunStarted,
    SetTimer,
    StartChild,
    StartStep,
    StopRequested,
    TimerFired,
)
from workflows.messages import StepTask, Transition
from workflows.own_steps import Calling
from workflows.plan import INTERPRETER_KINDS, Step
from workflows.state import State

EXEMPLIFY = Mock((Act(Exemplify()),))


class Simulation:
    """One run.

    Args:
        state: Of the run, before its first event.
        script: What its steps do, and what comes to it.
        clock: Shared with the run whose step this one is.
        memory: Likewise.
        ended: Called at the end.
    """

    def __init__(
        self,
        state: State,
        script: Script,
        clock: Clock,
        memory: Memory,
        ended: Callable[[EndRun], None] | None = None,
    ) -> None:
        self.state = state
        self.script = script
        self.clock = clock
        self.memory = memory
        self.transitions: list[Transition] = []
        self.order: list[str] = []
        self.logs: dict[str, Log] = {}
        self.end: EndRun | None = None
        self._ended = ended
        self._people = People(self)
        self._flying: dict[Place, Flight] = {}
        self._timers: dict[Place, Due] = {}
        self._deadline: Due | None = None

    def stop_at(self, seconds: float, why: Literal["cancel", "timeout"], reason: str) -> None:
        """Stop the run when so much time has passed."""
        self.clock.after(seconds, lambda: self.send(StopRequested(self.clock.now, why, reason)))

    def begin(self) -> None:
        """Let the run begin.

        Raises:
            MockError: A step without a mock would start.
        """
        timeout = self.state.graph.plan.timeout
        self._set_deadline(timeout, f"the run took longer than its timeout of {timeout:g} s")
        self._people.begin()
        self.send(RunStarted(self.clock.now))

    def run(self) -> None:
        """Run to the end.

        Raises:
            MockError: A step without a mock would start, or the run waits for what no mock brings.
        """
        self.begin()
        while self.end is None:
            due = self.clock.next()
            if due is None:
                raise MockError(f"the run of {self.state.identity.workflow} can neither go on nor end")
            if due.limit and self.clock.quiet:
                self._check_waiting()
            due.call()

    def send(self, event: Event) -> None:
        """Let the core take an event, and do what it commands."""
        self.state, commands = advance(self.state, event)
        for command in commands:
            handler = self._HANDLERS.get(type(command))
            if handler is None:
                name = type(command).__name__
                raise NotImplementedError(f"segue.testing does not know the command {name} of the scheduling core")
            handler(self, command)

    def waiting(self) -> list[tuple[str, str]]:
        """Return what the run waits for, and what in a test would bring it."""
        flights = [flight for flight in self._flying.values() if isinstance(flight, ChildFlight)]
        return [*self._people.waiting(), *(each for flight in flights for each in flight.waiting())]

    def mock(self, key: str, step: Step) -> Mock | None:
        """Return the mock of a step, or of an item of a map: its own, or that of a list it is in."""
        name = key
        while name not in self.script.mocks and name.endswith("]"):
            name = name.rpartition("[")[0]
        found = self.script.mocks.get(name)
        if found is None and (step.kind == "noop" or self.script.unmocked == "succeed"):
            return EXEMPLIFY
        return found

    # One method for each command.

    def _record(self, command: Record) -> None:
        change = command.transition
        self.transitions.append(change)
        if change.key:
            name = change.key.partition("[")[0]
            step = self.state.graph.steps[self.state.graph.numbers[name]]
            self._people.note(change, step)

    def _start(self, command: StartStep) -> None:
        place, task = command.place, command.task
        step = self.state.graph.steps[place.number]
        self._count(place, task.key)
        self._fly(Flight(place, task, step, self._needed(task, step), self, self._log(task.key)))

    def _start_child(self, command: StartChild) -> None:
        own = self.state.own[command.place]
        assert isinstance(own, Calling)
        task, step = own.task, self.state.graph.steps[command.place.number]
        self._count(command.place, task.key)
        self._fly(ChildFlight(command, task, step, self._needed(task, step), self, self._log(task.key)))

    def _cancel(self, command: CancelStep) -> None:
        # It is not there when its end has come in the same moment.
        if command.place in self._flying:
            self._flying[command.place].cancel()

    def _set_timer(self, command: SetTimer) -> None:
        place = command.place

        def fire() -> None:
            del self._timers[place]
            self.send(TimerFired(self.clock.now, place))

        self._timers[place] = self.clock.after(command.seconds, fire)

    def _cancel_timer(self, command: CancelTimer) -> None:
        if command.place in self._timers:
            self._timers.pop(command.place).cancel()

    def _limit_finally(self, command: LimitFinally) -> None:
        self._set_deadline(command.seconds, f"the finally steps took longer than {command.seconds:g} s")

    def _finish(self, command: EndRun) -> None:
        self.end = command
        self._people.end()
        if self._deadline is not None:
            self._deadline.cancel()
        if self._ended is not None:
            self._ended(command)

    _HANDLERS: ClassVar[Mapping[type, Callable[[Any, Any], None]]] = {
        Record: _record,
        StartStep: _start,
        StartChild: _start_child,
        CancelStep: _cancel,
        SetTimer: _set_timer,
        CancelTimer: _cancel_timer,
        LimitFinally: _limit_finally,
        EndRun: _finish,
    }

    def began(self, key: str) -> None:
        """Take note that a worker began a step, or an item of a map."""
        self._people.started(key)

    def count(self, key: str) -> None:
        """Take note that a step, or an item of a map, was given to whoever runs it."""
        self.order.append(key)

    def _count(self, place: Place, key: str) -> None:
        if place.generation == 0:
            self.count(key)

    def _log(self, key: str) -> Log:
        return self.logs.setdefault(key, Log())

    def _fly(self, flight: Flight) -> None:
        self._flying[flight.place] = flight
        flight.start()

    def land(self, event: Any) -> None:
        """Take the end of a flight. What follows comes after what is due now, as an answer from Temporal would."""
        del self._flying[event.place]
        self.clock.after(0, lambda: self.send(event))

    def _set_deadline(self, seconds: float, reason: str) -> None:
        """Stop the run after so many seconds, instead of whenever it was to be stopped before."""
        if self._deadline is not None:
            self._deadline.cancel()
        stop = lambda: self.send(StopRequested(self.clock.now, "timeout", reason))  # noqa: E731
        self._deadline = self.clock.after(seconds, stop, limit=True)

    def _check_waiting(self) -> None:
        """Refuse to wait for the end of the run's time.

        Raises:
            MockError: The run waits for what nothing in the test brings.
        """
        waiting = self.waiting()
        if waiting:
            what = "; ".join(sentence for sentence, _ in waiting)
            raise MockError(f"the run goes on for ever: {what}", hint=waiting[0][1])

    def _needed(self, task: StepTask, step: Step) -> Mock:
        mock = self.mock(task.key, step)
        if mock is None:
            raise MockError(f"{_described(task, step)} would start, but has no mock", hint=_way_out(task))
        return mock


def _described(task: StepTask, step: Step) -> str:
    what = task.action.get("callable") or task.action.get("workflow") or ""
    queue = "" if task.kind in INTERPRETER_KINDS else f", queue {step.queue}"
    return f"step {task.key} ({task.kind}{f' {what}' if what else ''}{queue})"


def _way_out(task: StepTask) -> str:
    workflow = task.action.get("workflow")
    run = f', or runs("{workflow}.yaml", steps=...), which runs that workflow too' if workflow else ""
    return (
        f'give it an output, steps={{"{task.step}": ...}}, or a function of its task{run}; '
        'unmocked="succeed" lets every step without a mock give null or an example of its declared output'
    )
