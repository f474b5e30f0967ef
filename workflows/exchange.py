"""What goes into the core and what comes out: events and commands, as plain data.

Steps are named by number, and by item within a map; `generation` tells a late answer from the one awaited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from workflows.messages import JSON, Answer, Operation, Release, RunState, StepError, StepResult, StepTask, Transition
from workflows.messages import Event as Message


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
class TimerFired:
    """The timer that was set for a step has run down."""

    at: float
    place: Place


@dataclass(frozen=True, slots=True)
class EventArrived:
    """Somebody sent the run an event; every `wait` step looks at it."""

    at: float
    message: Message


@dataclass(frozen=True, slots=True)
class AnswerGiven:
    """Somebody answered an `approve` step."""

    at: float
    answer: Answer


@dataclass(frozen=True, slots=True)
class HoldReleased:
    """Somebody decided about a held step."""

    at: float
    release: Release


@dataclass(frozen=True, slots=True)
class Operated:
    """Somebody changes the run. What may not be done (`workflows.operations.refusal`) changes nothing."""

    at: float
    operation: Operation


@dataclass(frozen=True, slots=True)
class Continued:
    """The first event of a state that was restored from its snapshot: what may start, starts."""

    at: float


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """The history has room for so many steps in flight from now on, and no more; None: for as many as the plan lets."""

    at: float
    room: int | None


@dataclass(frozen=True, slots=True)
class Retried:
    """The first event of the restored state of a run that has ended: what failed is tried again.

    Attributes:
        executions: Runs of its `workflow` steps that can go on too, and the executions of theirs that ended.
    """

    at: float
    operation: Operation
    executions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The run is to end: somebody cancels it, its time is up, or a step failed where that stops the rest.

    The first one cancels what is in the main part of the plan; `finally` steps run on. Another one, once they run,
    cancels them too.
    """

    at: float
    why: Literal["cancel", "timeout", "failure"]
    reason: str


Event: TypeAlias = (
    RunStarted
    | StepSucceeded
    | StepFailed
    | StepCancelled
    | TimerFired
    | EventArrived
    | AnswerGiven
    | HoldReleased
    | Operated
    | Continued
    | RoomChanged
    | Retried
    | StopRequested
)


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
class StartChild:
    """Start a run of another workflow; its end comes as that of a step.

    Attributes:
        run: The child's run id.
        version: None: the newest.
        again: The child has ended and goes on: its failed steps are tried again.
    """

    place: Place
    run: str
    workflow: str
    version: int | None
    params: dict[str, JSON]
    again: Operation | None = None


@dataclass(frozen=True, slots=True)
class CancelStep:
    """Ask the worker, or the child, to stop; the core still waits for the step's end."""

    place: Place


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Give `TimerFired` for this place after so many seconds; a place has one timer at a time."""

    place: Place
    seconds: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget the place's timer."""

    place: Place


@dataclass(frozen=True, slots=True)
class LimitFinally:
    """Give another `StopRequested` after so many seconds: `finally` steps of a stopped run have no other limit."""

    seconds: float


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


Command: TypeAlias = Record | StartStep | StartChild | CancelStep | SetTimer | CancelTimer | LimitFinally | EndRun
