"""A core driven by hand: the test says what the workers answer, and sees what the core makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workflows.core import advance
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
from workflows.messages import Cause, RunRequest, StepError, StepResult, StepTask, Transition
from workflows.plan import Edge, Plan, Step
from workflows.state import State, begin

Needs = str | Sequence[str] | Mapping[str, str | None]


def step(name: str, needs: Needs = (), **fields: Any) -> Step:
    """Return a step: `needs` is names in one text, a list, or a mapping of name to condition."""
    if isinstance(needs, str):
        needs = needs.split()
    edges = needs.items() if isinstance(needs, Mapping) else ((need, None) for need in needs)
    return Step(name, fields.pop("kind", "noop"), needs=tuple(Edge(need, when) for need, when in edges), **fields)


def plan(*steps: Step, **fields: Any) -> Plan:
    return Plan("demo", steps, **fields)


class Drive:
    """A run in progress, with a clock that goes on by one second an event."""

    def __init__(self, *steps: Step, request: Mapping[str, Any] | None = None, start: bool = True, **fields: Any):
        given = RunRequest("demo", 3, cause=Cause("manual", "ada"), plan=plan(*steps, **fields).to_json())
        for name, value in (request or {}).items():
            setattr(given, name, value)
        self.state: State = begin("demo-1", given)
        self.now = 1_700_000_000.0
        self.transitions: list[Transition] = []
        self.flying: dict[str, tuple[Place, StepTask]] = {}
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.end: EndRun | None = None
        if start:
            self.send(RunStarted(self.now))

    def send(self, event: Event) -> list[Command]:
        """Give the core an event and note what it commands."""
        self.now += 1
        self.state, commands = advance(self.state, event)
        for command in commands:
            match command:
                case Record(transition):
                    self.transitions.append(transition)
                case StartStep(place, task):
                    assert task.key not in self.flying, f"{task.key} is in flight already"
                    self.flying[task.key] = (place, task)
                    self.started.append(task.key)
                case CancelStep(place):
                    self.cancelled.append(next(key for key, (at, _) in self.flying.items() if at == place))
                case EndRun():
                    assert self.end is None
                    self.end = command
        return commands

    def succeed(self, key: str, value: Any = None, **result: Any) -> list[Command]:
        place, _ = self.flying.pop(key)
        return self.send(StepSucceeded(self.now, place, StepResult(value, **result)))

    def fail(self, key: str, kind: str = "Boom", message: str = "it broke", *, lost: bool = False) -> list[Command]:
        place, _ = self.flying.pop(key)
        return self.send(StepFailed(self.now, place, StepError(kind, message), lost=lost))

    def lose(self, key: str) -> list[Command]:
        return self.fail(key, "WorkerLost", "the worker was silent for 10 s", lost=True)

    def land_cancelled(self, key: str) -> list[Command]:
        place, _ = self.flying.pop(key)
        return self.send(StepCancelled(self.now, place))

    def cancel(self) -> list[Command]:
        return self.send(StopRequested(self.now, "cancel", "the run was cancelled"))

    def time_out(self) -> list[Command]:
        return self.send(StopRequested(self.now, "timeout", "the run took longer than its timeout of 60 s"))

    def task(self, key: str) -> StepTask:
        return self.flying[key][1]

    @property
    def states(self) -> dict[str, str]:
        """State of each step."""
        return {each.id: state for each, state in zip(self.state.graph.steps, self.state.steps, strict=True)}

    def last(self, key: str) -> Transition:
        """Return the latest transition of a step, an item, or (empty) the run."""
        return [each for each in self.transitions if each.key == key][-1]
