"""What the queries return: rows of the metadata database as frozen values, and how each is told to the world.

`to_json` and `summary` give the shape of the HTTP API and of its event stream in one place, since an event is stored in
the shape in which it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from store.columns import text_of
from workflows.messages import PROGRESS, TERMINAL_RUN_STATES

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a workflow.

    Attributes:
        id: Also the id of its Temporal execution.
        reason: One sentence: why it is in this state.
        cause_kind: `manual`, `schedule` or `event`.
        cause_id: The schedule's or event's id; who asked, for a manual run.
        error: `{"type", "message", "detail"}` of a failed run.
        seq: Number of its last event.
        applied: Number of the interpreter's last transition that is recorded.
        stuck: One sentence: what keeps it from moving that is not of its plan, and the way out; None: nothing does.
    """

    id: str
    workflow: str
    version: int
    state: str
    reason: str
    cause_kind: str
    cause_id: str
    params: dict[str, Any]
    output: Any
    error: dict[str, Any] | None
    plan_hash: str
    seq: int
    applied: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    stuck: str | None = None

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.state in TERMINAL_RUN_STATES

    def summary(self) -> dict[str, Any]:
        """Return what lists and events show."""
        return {
            "id": self.id,
            "workflow": self.workflow,
            "version": self.version,
            "state": self.state,
            "reason": self.reason,
            "cause": {"kind": self.cause_kind, "id": self.cause_id},
            "created_at": text_of(self.created_at),
            "started_at": text_of(self.started_at),
            "ended_at": text_of(self.ended_at),
            "stuck": self.stuck,
        }


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a step, as far as it was seen.

    Attributes:
        generation: How often the step had been scheduled before, after a worker was lost.
        number: Within the generation, from 1.
        attempt: Within the step, from 1.
        state: `running`, `succeeded`, `failed` or `cancelled`.
        folder: Prefix of its objects; None until it ended.
    """

    generation: int
    number: int
    attempt: int
    state: str
    worker: str | None
    started_at: datetime | None
    ended_at: datetime | None
    error: dict[str, Any] | None
    folder: str | None

    def to_json(self) -> dict[str, Any]:
        """Return what HTTP shows."""
        return {
            "attempt": self.attempt,
            "generation": self.generation,
            "worker": self.worker,
            "started_at": text_of(self.started_at),
            "ended_at": text_of(self.ended_at),
            "state": self.state,
            "error": self.error,
            "folder": self.folder,
        }


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a run, or one item of its map.

    Attributes:
        key: The step's id, or `train[3]` for an item.
        step: The step's id.
        detail: The reason as data.
        attempt: Number of the latest attempt that started; 0 before the first.
        scheduled_at: When it was first handed to its queue.
        output: The output as JSON, or the reference that stands for it.
        output_object: Reference to the whole output document in the object store.
        folder: Prefix of the last attempt's objects.
        attempts: Oldest first.
    """

    key: str
    step: str
    item: int | None
    kind: str
    queue: str
    state: str
    reason: str
    detail: dict[str, Any]
    attempt: int
    worker: str | None
    scheduled_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    output: Any
    output_object: dict[str, Any] | None
    error: dict[str, Any] | None
    folder: str | None
    attempts: tuple[Attempt, ...] = ()

    @property
    def progress(self) -> dict[str, Any] | None:
        """How far the attempt is that runs, or failed: `{"done", "total", "text", "at"}`; None when it has not said."""
        found: dict[str, Any] | None = self.detail.get(PROGRESS)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return what HTTP and events show."""
        return {
            "key": self.key,
            "step": self.step,
            "item": self.item,
            "kind": self.kind,
            "queue": self.queue,
            "state": self.state,
            "reason": self.reason,
            "detail": {name: fact for name, fact in self.detail.items() if name != PROGRESS},
            "progress": self.progress,
            "attempt": self.attempt,
            "worker": self.worker,
            "scheduled_at": text_of(self.scheduled_at),
            "started_at": text_of(self.started_at),
            "ended_at": text_of(self.ended_at),
            "output": self.output,
            "error": self.error,
            "folder": self.folder,
            "attempts": [attempt.to_json() for attempt in self.attempts],
        }


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable version of a workflow.

    Attributes:
        version: 1, 2, 3 ... within the workflow.
        bundle: sha256 of the code bundle, or None.
        plan: `Plan.to_json()`.
        source: What was deployed: `{"filename", "text", "language"}`.
    """

    workflow: str
    version: int
    plan_hash: str
    bundle: str | None
    created_at: datetime
    plan: dict[str, Any]
    source: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow with the facts of its newest version.

    Attributes:
        triggers: The plan's triggers, as JSON.
        last_run: The run created last.
    """

    name: str
    description: str
    labels: dict[str, str]
    created_at: datetime
    version: int
    plan_hash: str
    bundle: str | None
    triggers: list[dict[str, Any]]
    last_run: Run | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a run that people can follow.

    Attributes:
        seq: 1, 2, 3 ... within the run, without gaps.
        kind: `run` or `step`.
        data: The run's summary or the step, as it was then.
    """

    seq: int
    at: datetime
    kind: str
    data: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return what the event stream sends."""
        return {"seq": self.seq, "at": text_of(self.at), **self.data}


def row_as(kind: type[T], row: Mapping[Any, Any], **more: Any) -> T:
    """Return a value of one of the classes above from a row that has its columns, among others."""
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(f.name for f in fields(kind))  # type: ignore[arg-type]
    return kind(**{name: row[name] for name in names if name not in more}, **more)


def step_as(row: Mapping[Any, Any], attempts: Sequence[Mapping[Any, Any]] = ()) -> Step:
    """Return a step from its row and those of its attempts."""
    return row_as(Step, row, attempts=tuple(row_as(Attempt, each) for each in attempts))


_NAMES: dict[type, tuple[str, ...]] = {}
