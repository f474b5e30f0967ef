"""What the service tells about workflows and runs, as typed values.

Fields that a newer service adds are ignored, so an old client keeps working. Times are `datetime`s in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from segue.measures import Progress

RunState = Literal["pending", "running", "paused", "succeeded", "failed", "cancelled"]
StepState = Literal[
    "waiting",
    "queued",
    "running",
    "retrying",
    "held",
    "succeeded",
    "failed",
    "upstream_failed",
    "skipped",
    "cancelled",
]
ENDED = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a run exists: `manual`, `schedule`, `event` or `workflow` (as a step of another run), and who or which."""

    kind: str = "manual"
    id: str = ""


@dataclass(frozen=True, slots=True)
class StepFailure:
    """Why a step failed.

    Attributes:
        type: The exception's class, or one of Segue's: `ExitCode`, `Timeout`, `WorkerLost`, `HttpStatus` ...
        detail: Facts as data: exit code, HTTP status, `log_tail`.
    """

    type: str
    message: str
    detail: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> StepFailure | None:
        """Read the service's object; None stays None."""
        if document is None:
            return None
        return cls(document["type"], document["message"], document.get("detail") or {})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a step."""

    attempt: int
    state: str
    worker: str | None
    started_at: datetime | None
    ended_at: datetime | None
    error: StepFailure | None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Attempt:
        """Read the service's object."""
        return cls(
            document["attempt"],
            document["state"],
            document.get("worker"),
            time_of(document.get("started_at")),
            time_of(document.get("ended_at")),
            StepFailure.from_json(document.get("error")),
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a run, or an item of a mapped one.

    Attributes:
        key: Its id, or `train[3]` for an item.
        step: The id without the item.
        reason: One sentence: why this state.
        attempt: Number of the latest try; 0 before the first.
        output: Its value; a reference (an object with the key `$segue`) when it is large.
        progress: How far its attempt says it is, while it runs or when it failed.
    """

    key: str
    step: str
    item: int | None
    kind: str
    queue: str
    state: StepState
    reason: str
    detail: dict[str, Any]
    attempt: int
    worker: str | None
    scheduled_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    output: Any
    error: StepFailure | None
    attempts: tuple[Attempt, ...]
    progress: Progress | None = None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Step:
        """Read the service's object."""
        return cls(
            key=document["key"],
            step=document.get("step") or document["key"].partition("[")[0],
            item=document.get("item"),
            kind=document.get("kind") or "",
            queue=document.get("queue") or "",
            state=document["state"],
            reason=document.get("reason") or "",
            detail=document.get("detail") or {},
            attempt=document.get("attempt") or 0,
            worker=document.get("worker"),
            scheduled_at=time_of(document.get("scheduled_at")),
            started_at=time_of(document.get("started_at")),
            ended_at=time_of(document.get("ended_at")),
            output=document.get("output"),
            error=StepFailure.from_json(document.get("error")),
            attempts=tuple(Attempt.from_json(attempt) for attempt in document.get("attempts") or ()),
            progress=Progress.from_json(document.get("progress")),
        )


@dataclass(frozen=True, slots=True)
class FiredEvent:
    """What became of an event.

    Attributes:
        run: Id of the run that it starts, or would; the run is there when `state` is `started`.
        state: `accepted` (nothing is decided yet), `started`, `debounced`, `superseded`, `condition_false`,
            `condition_error`, `unmatched` or `dropped`.
        reason: One sentence, with the values that a condition saw.
        seen: An event with this id was sent before; sending it again changes nothing.
    """

    run: str
    state: str
    reason: str
    seen: bool

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> FiredEvent:
        """Read the service's object."""
        return cls(
            document["run"],
            document.get("state") or "accepted",
            document.get("reason") or "",
            bool(document.get("seen")),
        )


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as lists show it.

    Attributes:
        stuck: What keeps it from moving that is not of its plan, and the way out; empty: nothing does.
    """

    id: str
    workflow: str
    version: int
    state: RunState
    reason: str
    cause: Cause
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    stuck: str

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.state in ENDED

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RunSummary:
        """Read the service's object."""
        return cls(**_summary(document))


@dataclass(frozen=True, slots=True)
class Operation:
    """What somebody did to a run; `reason` says all of it in a sentence.

    Attributes:
        anew: Of a retry: the steps that were decided anew.
        kept: Of a retry: the steps that had succeeded, and did not run again.
    """

    at: datetime | None
    kind: str
    by: str
    why: str
    steps: tuple[str, ...]
    reason: str
    anew: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Operation:
        """Read the service's object."""
        given: dict[str, Any] = {name: document.get(name) or "" for name in ("kind", "by", "why", "reason")}
        given |= {name: tuple(document.get(name) or ()) for name in ("steps", "anew", "kept")}
        return cls(at=time_of(document.get("at")), **given)


@dataclass(frozen=True, slots=True)
class Run(RunSummary):
    """A run with its steps.

    Attributes:
        params: As checked, with defaults.
        output: The run's output; None before it has ended.
        seq: Number of the newest event, from which `events` goes on.
        steps: In the order of the plan; a map's items follow their step.
        temporal_url: The run in Temporal's own UI.
        operations: What people did to it, oldest first.
    """

    params: dict[str, Any]
    output: Any
    seq: int
    temporal_url: str | None
    steps: tuple[Step, ...]
    operations: tuple[Operation, ...] = ()

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Run:
        """Read the service's object."""
        return cls(
            **_summary(document),
            params=document.get("params") or {},
            output=document.get("output"),
            seq=document.get("seq") or 0,
            temporal_url=document.get("temporal_url"),
            steps=tuple(Step.from_json(step) for step in document.get("steps") or ()),
            operations=tuple(Operation.from_json(each) for each in document.get("operations") or ()),
        )

    def step(self, key: str) -> Step:
        """Return a step, or an item of one, by its key.

        Raises:
            KeyError: The run has none of that key.
        """
        for step in self.steps:
            if step.key == key:
                return step
        raise KeyError(key)

    @property
    def first_failure(self) -> Step | None:
        """The step that failed first, with what it said; None when none failed."""
        failed = [step for step in self.steps if step.state == "failed" and step.error is not None]
        return min(failed, key=_end_of_item_first, default=None)


@dataclass(frozen=True, slots=True)
class RunEvent:
    """A change of a run or of one of its steps.

    Attributes:
        seq: 1, 2, 3 ... within the run.
        run: The run after the change, when it is the run that changed.
        step: The step after the change, when it is a step that changed.
    """

    seq: int
    at: datetime | None
    run: RunSummary | None = None
    step: Step | None = None

    @classmethod
    def from_json(cls, kind: str, document: Mapping[str, Any]) -> RunEvent:
        """Read the data of an event of this kind, `run` or `step`."""
        at = time_of(document.get("at"))
        if kind == "run":
            return cls(document["seq"], at, run=RunSummary.from_json(document))
        return cls(document["seq"], at, step=Step.from_json(document))


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a step wrote; `stream` is `stdout` or `stderr`."""

    at: float
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines of an attempt's log.

    Attributes:
        attempt: The attempt's name; None when the step has not written anything yet.
        attempts: The names of all attempts, oldest first.
        next: Where the next page begins.
        complete: Whether nothing will follow.
    """

    attempt: str | None
    attempts: tuple[str, ...]
    lines: tuple[LogLine, ...]
    next: int
    complete: bool

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> LogPage:
        """Read the service's object."""
        lines = tuple(LogLine(line["at"], line["stream"], line["text"]) for line in document["lines"])
        names = tuple(document["attempts"])
        return cls(document["attempt"], names, lines, int(document["next"] or 0), document["complete"])


@dataclass(frozen=True, slots=True)
class Workflow:
    """A deployed workflow."""

    name: str
    description: str
    labels: dict[str, str]
    version: int
    plan_hash: str
    created_at: datetime | None
    triggers: tuple[dict[str, Any], ...]
    last_run: RunSummary | None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Workflow:
        """Read the service's object."""
        last = document.get("last_run")
        return cls(
            name=document["name"],
            description=document.get("description") or "",
            labels=document.get("labels") or {},
            version=document["version"],
            plan_hash=document.get("plan_hash") or "",
            created_at=time_of(document.get("created_at")),
            triggers=tuple(document.get("triggers") or ()),
            last_run=RunSummary.from_json(last) if last else None,
        )


@dataclass(frozen=True, slots=True)
class Deployed:
    """The answer to a deploy; `created` is false when this very version was there already."""

    name: str
    version: int
    plan_hash: str
    created: bool
    triggers: tuple[dict[str, Any], ...] = ()

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Deployed:
        """Read the service's object."""
        triggers = tuple(document.get("triggers") or ())
        return cls(document["name"], document["version"], document["plan_hash"], document["created"], triggers)


def time_of(text: str | None) -> datetime | None:
    """Read the service's time."""
    return None if text is None else datetime.fromisoformat(text)


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    cause = document.get("cause") or {}
    return {
        "id": document["id"],
        "workflow": document["workflow"],
        "version": document.get("version") or 0,
        "state": document["state"],
        "reason": document.get("reason") or "",
        "stuck": document.get("stuck") or "",
        "cause": Cause(cause.get("kind", "manual"), cause.get("id") or ""),
        **{name: time_of(document.get(name)) for name in ("created_at", "started_at", "ended_at")},
    }


def _end_of_item_first(step: Step) -> tuple[float, bool]:
    """Order failures by time; an item before its map, which failed because of it."""
    return (step.ended_at.timestamp() if step.ended_at else float("inf"), step.item is None)
