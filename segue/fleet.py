"""Fleets as the service tells of them: queues, and the workers that serve them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from segue.models import time_of


@dataclass(frozen=True, slots=True)
class FleetWorker:
    """A worker process, as one of the workers of one queue.

    Attributes:
        slots: Steps at a time; None for one that has said nothing yet.
        used: Slots that have a step.
        resources: What its machine has for steps: `cpu`, `memory` in bytes, `gpu`.
    """

    name: str
    queue: str
    host: str
    pid: int | None
    state: Literal["running", "stopping"]
    slots: int | None
    used: int | None
    version: str
    started_at: datetime | None = None
    labels: dict[str, str] = field(default_factory=dict)
    resources: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FleetQueue:
    """A queue.

    Attributes:
        workers: How many take steps.
        backlog: Steps that no worker has taken.
        oldest_wait: Seconds for which the first of them has waited.
        problem: Why nothing moves, with the command that mends it.
    """

    name: str
    workers: int
    slots: int
    used: int
    backlog: int
    oldest_wait: float | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """All queues that somebody serves or in which something waits, and all workers."""

    queues: tuple[FleetQueue, ...]
    workers: tuple[FleetWorker, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Fleet:
        """Read the service's object."""
        workers = [_known(FleetWorker, each) for each in document["workers"]]
        return cls(
            tuple(FleetQueue(**_known(FleetQueue, each)) for each in document["queues"]),
            tuple(FleetWorker(**{**each, "started_at": time_of(each.get("started_at"))}) for each in workers),
        )


def _known(kind: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in document.items() if name in names}
