"""From what Temporal says about a failed activity to the `StepError` that people read.

Sorts failures into three: the step's own, a lost worker, a cancel. Decides nothing about what follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
)

from workflows.exchange import Place, StepCancelled, StepFailed
from workflows.messages import StepError, StepResult
from workflows.plan import Step

MAX_MESSAGE = 4096
WORKER_LOST = "WorkerLost"
"""The type with which a worker itself reports that it had to drop a step."""


class RunFailed(ApplicationError):
    """The end of a run that failed, as Temporal keeps it; without frames of ours, which tell its author nothing."""

    def __init__(self, error: StepError) -> None:
        super().__init__(error.message, error.detail, type=error.type, non_retryable=True)

    @property
    def __traceback__(self) -> None:
        """Nothing: what the SDK reads when it writes a failure's stack trace."""
        return

    @__traceback__.setter
    def __traceback__(self, frames: object) -> None:
        pass


def step_ended(error: BaseException, step: Step, place: Place, at: float) -> StepFailed | StepCancelled:
    """Turn the exception of an activity, or of a child's run, into the core's event."""
    if isinstance(error, ChildWorkflowError | WorkflowAlreadyStartedError):
        return _child_ended(error, place, at)
    cause = error.cause if isinstance(error, ActivityError) and error.cause is not None else error
    if isinstance(cause, CancelledError):
        return StepCancelled(at, place, _result(cause.details))
    if isinstance(cause, TimeoutError):
        return _timed_out(cause, step, place, at)
    if isinstance(cause, ApplicationError):
        failure = StepError(cause.type or "Error", _bounded(cause.message), _detail(cause.details))
        return StepFailed(at, place, failure, _result(cause.details[1:]), lost=cause.type == WORKER_LOST)
    return StepFailed(at, place, StepError(type(cause).__name__, _bounded(str(cause))))


def _child_ended(
    error: ChildWorkflowError | WorkflowAlreadyStartedError, place: Place, at: float
) -> StepFailed | StepCancelled:
    if isinstance(error, WorkflowAlreadyStartedError):
        message = f"a run with the id {error.workflow_id} is there already"
        return StepFailed(at, place, StepError("ChildExists", message))
    match error.cause:
        case CancelledError():
            return StepCancelled(at, place)
        case ApplicationError() as cause:
            failure = StepError(cause.type or "Error", _bounded(cause.message), _detail(cause.details))
        case TerminatedError():
            failure = StepError("Terminated", "its execution was terminated in Temporal")
        case cause:
            failure = StepError(type(cause).__name__, _bounded(str(cause)))
    return StepFailed(at, place, failure)


def _timed_out(cause: TimeoutError, step: Step, place: Place, at: float) -> StepFailed:
    match cause.type:
        case TimeoutType.HEARTBEAT:
            message = f"the worker was silent for {_seconds(step.timeout.heartbeat)}"
            return StepFailed(at, place, StepError(WORKER_LOST, message, {"timeout": "heartbeat"}), lost=True)
        case TimeoutType.SCHEDULE_TO_START:
            waited = f" within {_seconds(step.timeout.queue)}" if step.timeout.queue is not None else ""
            facts, message = {"timeout": "queue"}, f"no worker of queue {step.queue} took the step{waited}"
        case TimeoutType.START_TO_CLOSE:
            facts, message = {"timeout": "run"}, f"the attempt took longer than {_seconds(step.timeout.run)}"
        case _:
            total = f" of {_seconds(step.timeout.total)}" if step.timeout.total is not None else ""
            facts, message = {"timeout": "total"}, f"the step's total time{total} was used up"
    detail: dict[str, Any] = {**facts, **_last_failure(cause)}
    return StepFailed(at, place, StepError("Timeout", message, detail))


def _last_failure(cause: TimeoutError) -> dict[str, Any]:
    """Return what the attempt before the time-out died of, if Temporal kept it."""
    last = cause.__cause__
    if not isinstance(last, ApplicationError):
        return {}
    return {"last_error": {"type": last.type or "Error", "message": _bounded(last.message)}}


def _detail(details: Sequence[Any]) -> dict[str, Any]:
    return dict(details[0]) if details and isinstance(details[0], dict) else {}


def _result(details: Sequence[Any]) -> StepResult | None:
    """Read the step activity's account of an attempt that gave no output."""
    if not details or not isinstance(details[0], dict):
        return None
    known = {field.name for field in fields(StepResult)} - {"value", "output"}
    return StepResult(**{name: value for name, value in details[0].items() if name in known})


def _bounded(message: str) -> str:
    if len(message) <= MAX_MESSAGE:
        return message
    half = MAX_MESSAGE // 2
    return f"{message[:half]}\n... {len(message) - 2 * half:,} characters left out ...\n{message[-half:]}"


def _seconds(value: float | None) -> str:
    return f"{value or 0:g} s"
