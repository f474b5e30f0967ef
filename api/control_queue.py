"""Whether anybody serves the control queue, without whom no run moves; asked of Temporal, which knows who polls.

What else can keep a run from moving is found by the control worker's own observer (`workers.observer`), which is not
there to say that it is not there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from api.problems import Problem
from workflows.plan import CONTROL_QUEUE

RPC_TIMEOUT = timedelta(seconds=1.5)
PATIENCE_SECONDS = 0.8
"""The most that showing a run waits for this: it is shown without it while Temporal is away."""
KNOWN_SECONDS = 2.0
"""How long an answer is taken for true, so that lists that are looked at all day cost Temporal nothing."""
SILENCE = timedelta(seconds=75)
"""A worker asks again once a minute when there is nothing to do; Temporal remembers it for five."""

UNSERVED = (
    f"nobody serves the control queue, so nothing of this run is decided; start a control worker: "
    f"segue worker --queue {CONTROL_QUEUE}"
)


class ControlQueue:
    """What is known about who serves the control queue."""

    def __init__(self, session: Callable[[float], AbstractAsyncContextManager[Client]]) -> None:
        """Prepare it.

        Args:
            session: Opens a session with Temporal that lasts so many seconds at most.
        """
        self._session = session
        self._known: str | None = None
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def problem(self) -> str | None:
        """Return what is wrong, with the way out; None: nothing is, or Temporal does not say."""
        async with self._asking:
            if time.monotonic() >= self._until:
                self._known = await self._ask()
                self._until = time.monotonic() + KNOWN_SECONDS
            return self._known

    async def _ask(self) -> str | None:
        try:
            async with self._session(PATIENCE_SECONDS) as client:
                return None if await workers_of(client, CONTROL_QUEUE) else UNSERVED
        except (Problem, RPCError):
            return None


async def workers_of(client: Client, queue: str) -> list[str]:
    """Return the names of the workers that have polled a queue within the last 75 seconds."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    answer = await client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)
    since = datetime.now(UTC) - SILENCE
    seen = (each for each in answer.pollers if each.last_access_time.ToDatetime(UTC) > since)
    return sorted({each.identity for each in seen})
