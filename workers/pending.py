"""Reads what Temporal says about the steps of a run that are in flight. It only reads: nothing is decided here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import WorkflowExecutionDescription
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError, TimeoutError, TimeoutType

from store.folding import PendingAttempt
from workflows.messages import ATTEMPT, CONTROL_PREFIX, PROGRESS, WAITS, StepError

_TAKEN = frozenset(
    {
        PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
        PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED,
        PendingActivityState.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED,
    }
)
"""States in which a worker has the attempt."""


async def pending_attempts(
    description: WorkflowExecutionDescription, converter: DataConverter
) -> Sequence[PendingAttempt]:
    """Return the steps in flight; what the interpreter does for itself, such as recording, is no step."""
    return [
        await _attempt(activity, converter)
        for activity in description.raw_description.pending_activities
        if not activity.activity_type.name.startswith(CONTROL_PREFIX)
    ]


def worth_recording(
    seen: Sequence[PendingAttempt], before: Collection[tuple[str, int]], many: int = 50
) -> Sequence[PendingAttempt]:
    """Return the attempts to record: all of a few; of many only what failed or is seen again, since most end so soon.

    Args:
        seen: In flight now.
        before: Keys and numbers of the attempts that were in flight at the look before.
        many: How many are many.
    """
    if len(seen) <= many:
        return seen
    return [each for each in seen if each.failure is not None or (each.key, each.number) in before]


async def _attempt(activity: PendingActivityInfo, converter: DataConverter) -> PendingAttempt:
    has_failed = activity.HasField("last_failure")
    said = await _said(activity, converter)
    return PendingAttempt(
        key=activity.activity_id,
        number=activity.attempt,
        running=activity.state in _TAKEN,
        limit=activity.maximum_attempts,
        scheduled_at=_time(activity, "scheduled_time"),
        started_at=_time(activity, "last_started_time"),
        worker=activity.last_worker_identity or None,
        failure=_failure(await converter.decode_failure(activity.last_failure)) if has_failed else None,
        failed_at=_time(activity, "last_attempt_complete_time"),
        next_at=_time(activity, "next_attempt_schedule_time"),
        waits=_waits(said),
        progress=_progress(said),
    )


async def _said(activity: PendingActivityInfo, converter: DataConverter) -> dict[str, Any]:
    """Return what the attempt says in its heartbeats; Temporal keeps the one before's until this one says more."""
    if not activity.HasField("heartbeat_details"):
        return {}
    try:
        details = await converter.decode(activity.heartbeat_details.payloads)
    except (KeyError, RuntimeError, ValueError):  # what a worker has sent must not keep anybody from seeing the rest
        return {}
    said = details[0] if details else None
    return said if isinstance(said, dict) and said.get(ATTEMPT) == activity.attempt else {}


def _waits(said: dict[str, Any]) -> str | None:
    """Return what a step waits for on its worker."""
    waits = said.get(WAITS)
    return waits if isinstance(waits, str) else None


def _progress(said: dict[str, Any]) -> dict[str, Any] | None:
    """Return how far the attempt is."""
    progress = said.get(PROGRESS)
    return progress if isinstance(progress, dict) and progress.keys() == {"done", "total", "text"} else None


def _time(activity: PendingActivityInfo, name: str) -> datetime | None:
    stamp: Timestamp = getattr(activity, name)
    return stamp.ToDatetime(UTC) if activity.HasField(name) else None  # type: ignore[arg-type]


def _failure(error: BaseException) -> StepError:
    if isinstance(error, ApplicationError):
        detail: Any = error.details[0] if error.details else {}
        return StepError(error.type or "Error", error.message, detail if isinstance(detail, dict) else {})
    if isinstance(error, TimeoutError):
        if error.type is TimeoutType.HEARTBEAT:
            return StepError("WorkerLost", "the worker fell silent", {"timeout": "heartbeat"})
        return StepError("Timeout", "the attempt took too long", {"timeout": "run"})
    return StepError(type(error).__name__, str(error))
