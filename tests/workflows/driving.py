"""A core driven by hand: the test says what the workers answer, and sees what the core makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from workflows.core import advance
from workflows.exchange import (
    AnswerGiven,
    CancelStep,
    CancelTimer,
    Command,
    Continued,
    EndRun,
    Event,
    EventArrived,
    HoldReleased,
    LimitFinally,
    Operated,
    Place,
    Record,
    Retried,
    RunStarted,
    SetTimer,
    StartChild,
    StartStep,
    StepCancelled,
    StepFailed,
    StepSucceeded,
    StopRequested,
    TimerFired,
)
from workflows.messages import (
    Answer,
    Cause,
    Operation,
    Release,
    RunRequest,
    StepError,
    StepResult,
    StepTask,
    Transition,
)
from workflows.messages import Event as Message
from workflows.plan import Edge, Plan, Step
from workflows.snapshot import restore, snapshot, whole_snapshot
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

    def __init__(
        self,
        *steps: Step,
        request: Mapping[str, Any] | None = None,
        start: bool = True,
        run: str = "demo-1",
        **fields: Any,
    ) -> None:
        given = RunRequest("demo", 3, cause=Cause("manual", "ada"), plan=plan(*steps, **fields).to_json())
        for name, value in (request or {}).items():
            setattr(given, name, value)
        self.request = given
        self.state: State = begin(run, given)
        self.now = 1_700_000_000.0
        self.transitions: list[Transition] = []
        self.flying: dict[str, tuple[Place, StepTask]] = {}
        self.children: dict[str, StartChild] = {}
        self.timers: dict[str, tuple[Place, float]] = {}
        self.limits: list[float] = []
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.end: EndRun | None = None
        self.operations = 0
        if start:
            self.send(RunStarted(self.now))

    def send(self, event: Event) -> list[Command]:
        """Give the core an event and note what it commands."""
        self.now += 1
        self.state, commands = advance(self.state, event)
        self.take(commands)
        return commands

    def take(self, commands: list[Command]) -> None:
        """Note what the core commands."""
        for command in commands:
            match command:
                case Record(transition):
                    self.transitions.append(transition)
                case StartStep(place, task):
                    assert task.key not in self.flying, f"{task.key} is in flight already"
                    assert task.key == self.key(place)
                    self.flying[task.key] = (place, task)
                    self.started.append(task.key)
                case StartChild(place):
                    assert self.key(place) not in self.children
                    self.children[self.key(place)] = command
                case SetTimer(place, seconds):
                    assert self.key(place) not in self.timers
                    self.timers[self.key(place)] = (place, seconds)
                case CancelTimer(place):
                    self.timers = {key: timer for key, timer in self.timers.items() if timer[0] != place}
                case LimitFinally(seconds):
                    self.limits.append(seconds)
                case CancelStep(place):
                    assert self.key(place) in self.flying | self.children
                    self.cancelled.append(self.key(place))
                case EndRun():
                    assert self.end is None
                    self.end = command

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

    def key(self, place: Place) -> str:
        """Return the key of a step or item."""
        return self.key_of(place.number, place.item)

    def key_of(self, number: int, item: int | None) -> str:
        step = self.state.graph.steps[number].id
        return step if item is None else step + self.state.maps[number].path(item)

    def ring(self, key: str, after: float | None = None) -> list[Command]:
        """Let a timer run down, and the clock go on by its time."""
        place, seconds = self.timers.pop(key)
        self.now += (seconds if after is None else after) - 1
        return self.send(TimerFired(self.now + 1, place))

    def hear(self, name: str, payload: Any = None, event: str = "e1") -> list[Command]:
        return self.send(EventArrived(self.now, Message(event, name, payload)))

    def say(self, key: str, approved: bool, by: str = "ada", comment: str = "", **values: Any) -> list[Command]:
        return self.send(AnswerGiven(self.now, Answer(key, approved, by, values, comment)))

    def release(self, step: str, action: Any, by: str = "ada") -> list[Command]:
        return self.send(HoldReleased(self.now, Release(step, action, by)))

    def operate(self, kind: Any, *steps: str, by: str = "ada", why: str = "", **fields: Any) -> list[Command]:
        """Do something to the run, each time as another operation."""
        self.operations += 1
        operation = Operation(f"o{self.operations}", kind, by, why, list(steps), **fields)
        return self.send(Operated(self.now, operation))

    def carried_over(self) -> None:
        """Go on in the state that comes back from the snapshot, as it travels; what was in flight is lost."""
        document = json.loads(json.dumps(snapshot(self.state)))
        self.state = restore(self.state.identity.run, self.request, document)
        self.flying.clear()
        self.children.clear()
        self.timers.clear()

    def begin_anew(self) -> None:
        """Go on in the state that comes back from the whole snapshot, in which waits and their timers are too."""
        assert not self.flying
        assert not self.children
        before = list(self.timers)
        self.timers.clear()
        document = json.loads(json.dumps(whole_snapshot(self.state)))
        self.state = restore(self.state.identity.run, self.request, document)
        self.send(Continued(self.now - 1))
        self.now -= 1
        assert set(self.timers) == set(before)
        self.timers = {key: self.timers[key] for key in before}

    def retry(self, *steps: str, executions: Mapping[str, str] | None = None) -> list[Command]:
        """Let the run go on after its end, or after it was lost."""
        self.carried_over()
        self.end = None
        self.operations += 1
        operation = Operation(f"o{self.operations}", "retry", "ada", steps=list(steps))
        return self.send(Retried(self.now, operation, dict(executions or {})))

    def child_ends(self, key: str, value: Any = None, error: StepError | None = None) -> list[Command]:
        place = self.children.pop(key).place
        if error is not None:
            return self.send(StepFailed(self.now, place, error))
        return self.send(StepSucceeded(self.now, place, StepResult(value)))

    def child_cancelled(self, key: str) -> list[Command]:
        return self.send(StepCancelled(self.now, self.children.pop(key).place))

    def task(self, key: str) -> StepTask:
        return self.flying[key][1]

    @property
    def states(self) -> dict[str, str]:
        """State of each step."""
        return {each.id: state for each, state in zip(self.state.graph.steps, self.state.steps, strict=True)}

    def last(self, key: str) -> Transition:
        """Return the latest transition of a step, an item, or (empty) the run."""
        return [each for each in self.transitions if each.key == key][-1]
