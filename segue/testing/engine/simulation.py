"""A run in virtual time: a heap of what is due, the core, and what each of its commands comes to here.

A new command of the core is one more method, named in `_HANDLERS`; one that is not there fails loudly.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, Literal

from segue.testing.engine.attempts import Flight, Log
from segue.testing.engine.values import Memory
from segue.testing.mocks import Act, Exemplify, Mock, MockError
from workflows.core import advance
from workflows.exchange import CancelStep, EndRun, Event, Place, Record, RunStarted, StartStep, StopRequested
from workflows.messages import StepTask, Transition
from workflows.plan import Step
from workflows.state import State

Unmocked = Literal["refuse", "succeed"]

EXEMPLIFY = Mock((Act(Exemplify()),))


class Simulation:
    """One run.

    Args:
        state: Of the run, before its first event.
        mocks: By step id, or by the key of an item; an item's own comes first.
        at: When it starts, in seconds since the epoch.
        unmocked: What a step without a mock does.
    """

    def __init__(self, state: State, mocks: Mapping[str, Mock], at: float, unmocked: Unmocked) -> None:
        self.state = state
        self.now = at
        self.transitions: list[Transition] = []
        self.order: list[str] = []
        self.logs: dict[str, Log] = {}
        self.memory = Memory()
        self._mocks = mocks
        self._unmocked = unmocked
        self._flying: dict[Place, Flight] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._end: EndRun | None = None

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Make a call when this much virtual time has passed; what is due at once keeps its order."""
        self._count += 1
        heapq.heappush(self._due, (self.now + seconds, self._count, call))

    def stop_at(self, seconds: float, why: Literal["cancel", "timeout"], reason: str) -> None:
        """Stop the run when it is this old."""
        self.after(seconds, lambda: self.send(StopRequested(self.now, why, reason)))

    def run(self) -> EndRun:
        """Run to the end.

        Raises:
            MockError: A step without a mock would start, or the run waits for what no mock brings.
        """
        timeout = self.state.graph.plan.timeout
        self.stop_at(timeout, "timeout", f"the run took longer than its timeout of {timeout:g} s")
        self.send(RunStarted(self.now))
        while self._end is None and self._due:
            self.now, _, call = heapq.heappop(self._due)
            call()
        if self._end is None:
            raise MockError(f"the run of {self.state.identity.workflow} can neither go on nor end")
        return self._end

    def send(self, event: Event) -> None:
        """Let the core take an event, and do what it commands."""
        self.state, commands = advance(self.state, event)
        for command in commands:
            handler = self._HANDLERS.get(type(command))
            if handler is None:
                name = type(command).__name__
                raise NotImplementedError(f"segue.testing does not know the command {name} of the scheduling core")
            handler(self, command)

    # One method for each command.

    def _record(self, command: Record) -> None:
        self.transitions.append(command.transition)

    def _start(self, command: StartStep) -> None:
        place, task = command.place, command.task
        step = self.state.graph.steps[place.number]
        if place.generation == 0:
            self.order.append(task.key)
        log = self.logs.setdefault(task.key, Log())
        mock = self._mock(task, step)
        flight = self._flying[place] = Flight(place, task, step, mock, self, self._land, self.memory, log)
        flight.start()

    def _cancel(self, command: CancelStep) -> None:
        # It is not there when its end has come in the same moment.
        if command.place in self._flying:
            self._flying[command.place].cancel()

    def _finish(self, command: EndRun) -> None:
        self._end = command

    _HANDLERS: ClassVar[Mapping[type, Callable[[Any, Any], None]]] = {
        Record: _record,
        StartStep: _start,
        CancelStep: _cancel,
        EndRun: _finish,
    }

    def _land(self, event: Any) -> None:
        """Take the end of a flight. What follows comes after what is due now, as an answer from Temporal would."""
        del self._flying[event.place]
        self.after(0, lambda: self.send(event))

    def _mock(self, task: StepTask, step: Step) -> Mock:
        mock = self._mocks.get(task.key) or self._mocks.get(task.step)
        if mock is not None:
            return mock
        if task.kind == "noop" or self._unmocked == "succeed":
            return EXEMPLIFY
        raise MockError(f"{_described(task, step)} would start, but has no mock", hint=_way_out(task))


def check_names(mocks: Mapping[str, Mock], steps: tuple[Step, ...]) -> None:
    """Refuse mocks of what is no step.

    Raises:
        MockError: With what was meant, perhaps.
    """
    known = {step.id: step for step in steps}
    for name in mocks:
        step, _, item = name.partition("[")
        if step not in known:
            close = get_close_matches(step, known, n=1)
            hint = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(known) or 'none'}"
            raise MockError(f'steps has a mock of "{name}", which is no step of the workflow', hint=hint)
        if item and known[step].map is None:
            raise MockError(f'steps has a mock of "{name}", but {step} is no map')


def _described(task: StepTask, step: Step) -> str:
    what = task.action.get("callable") or ""
    return f"step {task.key} ({task.kind}{f' {what}' if what else ''}, queue {step.queue})"


def _way_out(task: StepTask) -> str:
    return (
        f'give it an output, steps={{"{task.step}": ...}}, or a function of its task; '
        'unmocked="succeed" lets every step without a mock give null or an example of its declared output'
    )
