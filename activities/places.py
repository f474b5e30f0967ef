"""The control queue's activities behind concurrency limits: asking for a place, and finding who left without a word.

They talk to Temporal alone. Both may be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from workflows.places import (
    ASK_FOR_PLACE,
    ASK_SIGNAL,
    SLOTS_WORKFLOW,
    WHICH_RUNS_ENDED,
    PlaceAsk,
    PlaceRelease,
    SlotsRequest,
)
from workflows.plan import CONTROL_QUEUE

RPC_TIMEOUT = timedelta(seconds=5)
LOOKS_AT_ONCE = 20

_ENDED = frozenset(
    {
        WorkflowExecutionStatus.COMPLETED,
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.TIMED_OUT,
    }
)


class PlaceActivities:
    """The activities, bound to the Temporal whose runs they are about."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def all(self) -> list[Callable[..., Any]]:
        """Return them, for a worker."""
        return [self.ask_for_place, self.which_runs_ended]

    @activity.defn(name=ASK_FOR_PLACE)
    async def ask_for_place(self, ask: PlaceAsk) -> None:
        """Hand the ask to the key's `SegueSlots`, which is started when nobody had a place."""
        await self._client.start_workflow(
            SLOTS_WORKFLOW,
            SlotsRequest(ask.workflow, ask.key, ask.limit),
            id=ask.slots,
            task_queue=CONTROL_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=timedelta(seconds=2),
            start_signal=ASK_SIGNAL,
            start_signal_args=[ask],
            static_summary=_summary(ask),
            rpc_timeout=RPC_TIMEOUT,
        )

    @activity.defn(name=WHICH_RUNS_ENDED)
    async def which_runs_ended(self, holders: list[PlaceRelease]) -> list[PlaceRelease]:
        """Return those whose run has ended, or is not known any more."""
        slots = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def has_ended(run: str) -> bool:
            async with slots:
                return await self._has_ended(run)

        ended = await asyncio.gather(*(has_ended(holder.run) for holder in holders))
        return [holder for holder, over in zip(holders, ended, strict=True) if over]

    async def _has_ended(self, run: str) -> bool:
        try:
            description = await self._client.get_workflow_handle(run).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return True
            raise
        return description.status in _ENDED


def _summary(ask: PlaceAsk) -> str:
    # Temporal refuses more than 400 bytes here.
    return f"places of {ask.workflow} under {ask.key}".encode(errors="replace")[:200].decode(errors="ignore")
