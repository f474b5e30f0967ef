"""What HTTP shows of fleets: queues, and the workers that serve them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import Time


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class FleetWorker(_Answer):
    """A worker process, as one of the workers of one queue."""

    name: str = Field(examples=["gpu@node7:4242"])
    queue: str
    host: str
    pid: int | None
    state: Literal["running", "stopping"]
    slots: int | None = Field(description="Steps at a time; null for one that has said nothing yet.")
    used: int | None = Field(description="Slots that have a step.")
    version: str
    started_at: Time | None
    labels: dict[str, str] = Field(default_factory=dict)
    resources: dict[str, float] = Field(
        default_factory=dict, description="What its machine has for steps: `cpu`, `memory` in bytes, `gpu`."
    )


class FleetQueue(_Answer):
    """A queue: what waits in it, and who serves it."""

    name: str
    workers: int = Field(description="Those that take steps.")
    slots: int
    used: int
    backlog: int = Field(description="Steps that no worker has taken, as far as Temporal has counted.")
    oldest_wait: float | None = Field(description="Seconds for which the first of them has waited.")
    problem: str | None = Field(description="Why nothing moves, with the command that mends it.")


class Fleet(_Answer):
    """All queues that somebody serves or in which something waits, and all workers."""

    queues: list[FleetQueue]
    workers: list[FleetWorker]
