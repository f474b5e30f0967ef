"""What steps leave, as HTTP shows it: logs, files and artifacts."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class LogLine(_Answer):
    """A line that a step wrote."""

    at: float = Field(description="Seconds since the epoch, by the worker's clock.")
    stream: Literal["stdout", "stderr"]
    text: str


class Log(_Answer):
    """A page of an attempt's log."""

    attempt: str | None = Field(examples=["000.001-3f2a9c1e"])
    attempts: list[str]
    lines: list[LogLine]
    next: int = Field(description="The `after` of the next page.")
    complete: bool = Field(description="Nothing will follow.")


class FileInfo(_Answer):
    """A file that a step left."""

    name: str
    size: int
    sha256: str | None = None
    kind: Literal["artifact", "file", "bytes"]


class Files(_Answer):
    """The files of a step's newest attempt."""

    files: list[FileInfo]


class ArtifactInfo(_Answer):
    """A file that a step left to be kept."""

    name: str = Field(examples=["plots/loss.png"])
    size: int
    sha256: str | None = Field(description="Null when the worker was lost before it said what it had written.")
    type: str = Field(description="The media type that its name stands for.", examples=["image/png"])


class Lineage(_Answer):
    """The run and the step, or item, that made something."""

    run: str
    step: str


class Artifacts(_Answer):
    """A page of a step's artifacts."""

    artifacts: list[ArtifactInfo]
    made_by: Lineage | None = Field(description="Another run's, where the output was reused; null when nothing ran.")
    next: str | None = Field(description="The `after` of the next page; null: there is none.")


class Series(_Answer):
    """The points of a metric, by columns of one length."""

    name: str = Field(examples=["accuracy"])
    steps: list[float] = Field(description="Where each point is, such as its epoch; else they are counted.")
    values: list[float | None] = Field(description="Null for what was no finite number.")
    at: list[float] = Field(description="Seconds since the epoch, by the worker's clock.")


class Metrics(_Answer):
    """What a step has measured of itself."""

    attempts: list[str]
    series: list[Series]
