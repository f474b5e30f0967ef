"""How a step fails: one exception with a type, a message and facts, and its form on Temporal's wire.

A failure larger than 4 KiB loses its details while Temporal retries, so everything here is bounded: the whole log is
in the object store, a failure carries its last lines.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from workflows.messages import StepResult

MAX_MESSAGE_BYTES = 1_500
MAX_DETAIL_BYTES = 1_600


class StepFailed(Exception):
    """A step, or what it needs, failed in a way that its author should read.

    Attributes:
        type: An exception's class name, or one of ours: `ExitCode`, `InputInvalid`, `OutputInvalid` ...
        message: One or a few sentences for people.
        detail: Facts as data: `exit_code`, `signal`, `status`, `log_tail` ...
        retryable: False when another attempt would fail the same way.
        ancestors: Other names it goes by (base classes of an exception), for `retry.unless`.
    """

    def __init__(
        self,
        type: str,
        message: str,
        detail: dict[str, Any] | None = None,
        *,
        retryable: bool = True,
        ancestors: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.type = type
        self.message = message
        self.detail = detail or {}
        self.retryable = retryable
        self.ancestors = ancestors


class StepFailure(ApplicationError):
    """A `StepFailed` as Temporal keeps it; without the frames of this worker, which say nothing to a step's author."""

    @property
    def __traceback__(self) -> None:
        """Nothing: what the SDK reads when it writes a failure's stack trace."""
        return

    @__traceback__.setter
    def __traceback__(self, frames: object) -> None:
        pass


def to_failure(error: StepFailed, result: StepResult, unless: tuple[str, ...] = ()) -> StepFailure:
    """Return what an activity raises for `error`.

    Args:
        error: What went wrong.
        result: The attempt that failed.
        unless: Types that the step's retry policy never tries again.
    """
    detail = _fitting(error.detail)
    message = clip(error.message, MAX_MESSAGE_BYTES)
    return StepFailure(
        message,
        detail,
        asdict(result),
        type=error.type,
        non_retryable=not error.retryable or any(name in unless for name in error.ancestors),
        # A user's failing step is no trouble of the worker's: without this its log fills with our stack traces.
        category=ApplicationErrorCategory.BENIGN,
    )


def clip(text: str, limit: int) -> str:
    """Return `text`, or its head and tail around `...` when it has more than `limit` bytes."""
    raw = _harmless(text).encode(errors="replace")
    if len(raw) <= limit:
        return raw.decode()
    head, tail = raw[: limit * 2 // 3 - 5], raw[-(limit // 3) :]
    return f"{head.decode(errors='ignore')}\n...\n{tail.decode(errors='ignore')}"


def _harmless(text: str) -> str:
    # PostgreSQL refuses it, in text and in JSON.
    return text.replace("\0", "\N{SYMBOL FOR NULL}")


def _fitting(detail: dict[str, Any]) -> dict[str, Any]:
    """Return `detail` within its bound: the oldest lines of `log_tail` go first, then whole facts, the last first."""
    detail = dict(detail)
    tail = [_harmless(line) for line in detail.pop("log_tail", ())]
    kept: dict[str, Any] = {}
    for name, fact in detail.items():
        if _size(kept | {name: fact}) <= MAX_DETAIL_BYTES:
            kept[name] = fact
    while tail and _size(kept | {"log_tail": tail}) > MAX_DETAIL_BYTES:
        if len(tail) == 1:
            tail = [clip(tail[0], MAX_DETAIL_BYTES // 4)] if len(tail[0]) > MAX_DETAIL_BYTES // 4 else []
        else:
            del tail[0]
    return kept | {"log_tail": tail} if tail else kept


def _size(value: dict[str, Any]) -> int:
    return len(json.dumps(value))
