"""What goes into the core and what comes out: events and commands, as plain data.

Steps are named by number, and by item within a map; `generation` tells a late answer from the one awaited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from workflows.messages import JSON, RunState, StepError, StepResult, StepTask, Transition


@dataclass(frozen=True, slots=True)
class Place:
    """A step, or one item of its map, the n-th time it is scheduled."""

    number: int
    item: int | None = None
    generation: int = 0


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first event of a run."""

    at: float


@dataclass(frozen=True, slots=True)
class StepSucceeded:
    """A worker gave the step's result."""

    at: float
    place: Place
    result: StepResult


@dataclass(frozen=True, slots=True)
class StepFailed:
    """All attempts are spent.

    Attributes:
        lost: A worker went away; the step itself did nothing wrong.
    """

    at: float
    place: Place
    error: StepError
    result: StepResult | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class StepCancelled:
    """The step ended because it was asked to."""

    at: float
    place: Place
    result: StepResult | None = None


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The run is to end: somebody cancels it, or its time is up."""

    at: float
    why: Literal["cancel", "timeout"]
    reason: str


Event: TypeAlias = RunStarted | StepSucceeded | StepFailed | StepCancelled | StopRequested


@dataclass(frozen=True, slots=True)
class Record:
    """Keep this change of state for people to see."""

    transition: Transition


@dataclass(frozen=True, slots=True)
class StartStep:
    """Hand this task to a worker."""

    place: Place
    task: StepTask


@dataclass(frozen=True, slots=True)
class CancelStep:
    """Ask the worker to stop; the core still waits for the step's end."""

    place: Place


@dataclass(frozen=True, slots=True)
class EndRun:
    """Nothing is in flight and nothing will start.

    Attributes:
        value: The run's output.
        error: The first cause of a failure.
    """

    state: RunState
    reason: str
    value: JSON = None
    error: StepError | None = None


Command: TypeAlias = Record | StartStep | CancelStep | EndRun
