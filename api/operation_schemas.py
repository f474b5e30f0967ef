"""What people may do to a run, as HTTP takes it. Who does it is the name of the API key."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.schemas import Run
from workflows.messages import RunState
from workflows.plan import MAX_PLAN_STEPS

Reason = Annotated[str, StringConstraints(max_length=1000)]
Seconds = Annotated[float, Field(gt=0, le=315_360_000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Wish(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    reason: Reason = Field("", description="Why; shown with the run.")


class Why(_Wish):
    """A wish that says nothing but why."""


class Retry(_Wish):
    """Let a run that failed or was cancelled go on."""

    steps: Annotated[list[Name], Field(max_length=MAX_PLAN_STEPS)] = Field(
        default_factory=list, description="Of the steps that failed, those to try again; all of them without any."
    )


class Mark(_Wish):
    """Say what a step gave."""

    output: Any = Field(None, description="The step's output: any JSON of at most 16 KiB.", examples=[{"rows": 1500}])


class RetryChange(BaseModel):
    """New values for a step's `retry`; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    attempts: Annotated[int, Field(ge=1, le=1_000)] | None = None
    delay: Annotated[float, Field(ge=0, le=86_400)] | None = None
    backoff: Annotated[float, Field(ge=1, le=1_000)] | None = None
    max_delay: Annotated[float, Field(ge=0, le=86_400)] | None = None


class TimeoutChange(BaseModel):
    """New values for a step's `timeout`, in seconds; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    run: Seconds | None = None
    queue: Seconds | None = None
    total: Seconds | None = None
    heartbeat: Annotated[float, Field(ge=1, le=86_400)] | None = None


class Change(_Wish):
    """New terms for a step that has not ended and that no worker runs now."""

    queue: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")] | None = None
    retry: RetryChange | None = None
    timeout: TimeoutChange | None = None


class Rerun(_Wish):
    """A new run that takes over what an older one has done."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Annotated[list[Name], Field(max_length=MAX_PLAN_STEPS)] = Field(
        default_factory=list, alias="from", description="Steps that run again, with all that follows them."
    )
    params: dict[str, Any] = Field(default_factory=dict, description="Params that are to be others.")
    version: Annotated[int, Field(ge=1)] | None = Field(None, description="Default: the newest.")


class Done(BaseModel):
    """An operation was done."""

    run: str
    state: RunState = Field(description="The run's state after it.")


class Again(BaseModel):
    """A step that runs again, and why."""

    step: str
    why: str


class Rerunning(BaseModel):
    """A rerun."""

    run: Run
    kept: list[str] = Field(description="Steps whose outputs are taken over.")
    again: list[Again]
    notes: list[str] = Field(description="What somebody should know of it.")
