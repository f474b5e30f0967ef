"""The control queue's activities behind runs that go on after their end: asking the execution that has ended.

Its history is what happened, and it is asked itself: a control worker replays it to answer. Both may be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle, WorkflowQueryFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from workflows.messages import LAST_EXECUTIONS, SNAPSHOT_QUERY, SNAPSHOT_RUN, STATE_QUERY, RunRecords

RPC_TIMEOUT = timedelta(seconds=10)
LOOKS_AT_ONCE = 20

_CAN_GO_ON = frozenset(
    {
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.TIMED_OUT,
        # A child that somebody let go on by itself: it has nothing left to do, and gives its output once more.
        WorkflowExecutionStatus.COMPLETED,
    }
)

Record = Callable[[RunRecords], Awaitable[int]]


class GoingOnActivities:
    """The activities, bound to the Temporal whose runs they are about and to the record of what happened to them."""

    def __init__(self, client: Client, record: Record) -> None:
        """Bind them.

        Args:
            client: Connected to Temporal.
            record: Records a batch, and returns the number of the last transition that is recorded.
        """
        self._client = client
        self._record = record

    def all(self) -> list[Callable[..., Any]]:
        """Return them, for a worker."""
        return [self.snapshot_run, self.last_executions]

    @activity.defn(name=SNAPSHOT_RUN)
    async def snapshot_run(self, run: str, execution: str) -> dict[str, Any]:
        """Return how far an execution was, with all that it did recorded: what goes on is numbered from there.

        Raises:
            ApplicationError: `NotBegun`, `SnapshotTooLarge` or `HistoryGone`; none is worth another try.
        """
        handle = self._client.get_workflow_handle(run, run_id=execution)
        found = await _snapshot(handle)
        if found is None:
            raise _never("NotBegun", f"the run {run} had not begun: start it anew")
        await self._catch_up(handle, run, found["seq"])
        return found

    @activity.defn(name=LAST_EXECUTIONS)
    async def last_executions(self, runs: list[str]) -> dict[str, str]:
        """Return the last execution of each of some runs, of those that can go on after it."""
        slots = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def look(run: str) -> str | None:
            async with slots:
                return await self._last_execution(run)

        found = await asyncio.gather(*(look(run) for run in runs))
        return {run: execution for run, execution in zip(runs, found, strict=True) if execution is not None}

    async def _last_execution(self, run: str) -> str | None:
        handle = self._client.get_workflow_handle(run)
        try:
            description = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        if description.status is WorkflowExecutionStatus.RUNNING:
            raise ApplicationError(f"the run {run} has not ended yet", type="NotEnded")
        if description.status not in _CAN_GO_ON:
            return None
        # One that was refused before it began has nothing to go on from.
        begun = self._client.get_workflow_handle(run, run_id=description.run_id)
        try:
            return description.run_id if await _snapshot(begun) is not None else None
        except ApplicationError as problem:
            if problem.non_retryable:
                return None
            raise

    async def _catch_up(self, handle: WorkflowHandle[Any, Any], run: str, seq: int) -> None:
        """Record what is not recorded up to this number."""
        applied = await self._record(RunRecords(run, "", 0))
        while applied < seq:
            records: RunRecords = await handle.query(
                STATE_QUERY, applied, result_type=RunRecords, rpc_timeout=RPC_TIMEOUT
            )
            last = await self._record(records)
            if last <= applied:
                raise _never("HistoryGone", f"what happened to the run {run} is not recorded, and cannot be any more")
            applied = last


async def _snapshot(handle: WorkflowHandle[Any, Any]) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] | None = await handle.query(SNAPSHOT_QUERY, rpc_timeout=RPC_TIMEOUT)
    except WorkflowQueryFailedError as error:
        raise _never("SnapshotTooLarge", f"the run cannot go on: {error}") from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise _never("HistoryGone", "Temporal has deleted the run's history") from None
        raise
    return found


def _never(kind: str, message: str) -> ApplicationError:
    return ApplicationError(message, type=kind, non_retryable=True)
