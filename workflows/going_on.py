"""A run that goes on after its end, in another execution: its state is fetched from the one that has ended.

That one is asked itself, since what its history says is what happened; the database is a copy for people. A part of
the interpreter (`workflows.interpreter`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from workflows.exchange import Retried
from workflows.messages import LAST_EXECUTIONS, SNAPSHOT_RUN, Operation, RunRequest
from workflows.plan import CONTROL_QUEUE
from workflows.retrying import calls_to_look_at
from workflows.state import State

ASKING_LIMIT = timedelta(minutes=5)
"""How long the execution that has ended may fail to answer: a control worker has to replay it."""

_PATIENTLY = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5))


def retry_of(request: RunRequest) -> Operation | None:
    """Return what lets the run go on after its end, if it does."""
    return request.again if request.again is not None and request.again.kind == "retry" else None


async def carried_over(run: str, execution: str) -> dict[str, Any]:
    """Return what the execution that has ended says of itself: `{"seq": ..., "core": snapshot}`.

    Raises:
        FailureError: It cannot be had.
    """
    try:
        found: dict[str, Any] = await workflow.execute_activity(
            SNAPSHOT_RUN,
            args=[run, execution],
            task_queue=CONTROL_QUEUE,
            result_type=dict,
            summary="how far it was",
            start_to_close_timeout=timedelta(seconds=60),
            schedule_to_close_timeout=ASKING_LIMIT,
            retry_policy=_PATIENTLY,
        )
    except ActivityError as error:
        raise error.cause or error from None
    return found


async def first_event(state: State, operation: Operation) -> Retried:
    """Return the event by which the run goes on; which of its children can go on too is looked up."""
    runs = calls_to_look_at(state)
    found: Mapping[str, str] = {}
    if runs:
        found = await workflow.execute_activity(
            LAST_EXECUTIONS,
            args=[runs],
            task_queue=CONTROL_QUEUE,
            result_type=dict,
            summary="which children can go on",
            start_to_close_timeout=timedelta(seconds=60),
            retry_policy=_PATIENTLY,
        )
    return Retried(workflow.time(), operation, dict(found))
