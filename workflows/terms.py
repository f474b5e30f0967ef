"""Between Temporal's terms and the core's: arguments, ends and results, in both directions.

Small and without state; the interpreter (`workflows.interpreter`) drives, and decides nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import Priority, RawValue
from temporalio.exceptions import ApplicationError, CancelledError

from workflows.exchange import EndRun, Event, Place, StepCancelled, StepFailed, StepSucceeded
from workflows.failures import RunFailed, step_ended
from workflows.messages import JSON, OPERATION_REFUSED, RunRequest, StepError, StepResult, StepTask
from workflows.packing import deflated
from workflows.plan import Step
from workflows.values import brief
from workflows.wire import PACKED_JSON

MAX_SUMMARY = 200
PACKED_REPORT_ABOVE = 8 * 1024


def request_of(arguments: Sequence[RawValue]) -> tuple[RunRequest, RunFailed | None]:
    """Read the workflow's argument; it comes from anybody who can start a workflow, and raising here is too early."""
    try:
        return workflow.payload_converter().from_payload(arguments[0].payload, RunRequest), None
    except Exception as problem:
        error = StepError("InvalidRequest", f"the argument is no request for a run: {problem}")
        return RunRequest(workflow.info().workflow_type), RunFailed(error)


def landed(done: asyncio.Task[RawValue], step: Step, place: Place, at: float) -> Event:
    """Turn the end of an activity, or of a child, into the core's event."""
    if done.cancelled():
        return StepCancelled(at, place)
    problem = done.exception()
    if problem is not None:
        return step_ended(problem, step, place, at)
    try:
        if step.kind == "workflow":
            return StepSucceeded(
                at, place, StepResult(workflow.payload_converter().from_payload(done.result().payload))
            )
        result: StepResult = workflow.payload_converter().from_payload(done.result().payload, StepResult)
    except Exception as mismatch:
        message = f"the worker of {step.queue} gave what is no step's result: {mismatch}"
        return StepFailed(at, place, StepError("OutputInvalid", message[:500]))
    return StepSucceeded(at, place, result)


def result_of(end: EndRun) -> JSON:
    """Return the run's output, or raise what Temporal keeps as its end."""
    if end.state == "cancelled":
        raise CancelledError(end.reason)
    if end.state == "failed":
        raise RunFailed(end.error or StepError("RunFailed", end.reason))
    return end.value


def refused(problem: str) -> ApplicationError:
    """Return what an operation that may not be done raises."""
    return ApplicationError(problem, type=OPERATION_REFUSED, non_retryable=True)


def summary(task: StepTask, step: Step) -> str:
    """Return the line that Temporal's UI shows for an activity."""
    title = step.description or step.id
    if task.key != step.id:
        title = f"{task.key} {brief(task.item)}" if not step.description else f"{title}: {brief(task.item)}"
    # Temporal refuses more than 400 bytes here, and the run would hang on it.
    return title.encode(errors="replace")[:MAX_SUMMARY].decode(errors="ignore")


def never_again(types: Sequence[str]) -> list[str]:
    """Return the error types that end a step, in Temporal's words; a time limit that it keeps itself has its own."""
    return [*types, "TemporalTimeout:StartToClose"] if "Timeout" in types else list(types)


def priority_of(step: Step) -> Priority:
    """Return a step's priority in Temporal's words; one that has none has that of its run."""
    return Priority.default if step.priority is None else Priority(priority_key=step.priority)


def duration(seconds: float | None) -> timedelta | None:
    """Return seconds as Temporal's client takes them."""
    return None if seconds is None else timedelta(seconds=seconds)


def raw(document: bytes) -> RawValue:
    """Return JSON text as a value that is sent as it is, or packed when it is long: reports say the same often.

    What is short stays as it is, so that people can read it in Temporal's own UI.
    """
    if len(document) <= PACKED_REPORT_ABOVE:
        return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=document))
    return RawValue(Payload(metadata={"encoding": PACKED_JSON.encode()}, data=deflated(document)))
