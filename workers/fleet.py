"""A worker among others: it tells Temporal what it has, and asks who else serves its queue."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import ListWorkersRequest
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError
from temporalio.worker import Plugin, Replayer, ReplayerConfig, Worker, WorkerConfig, WorkflowReplayResult

from workflows.fleet import Facts, plugin_name, read_facts

logger = logging.getLogger("segue.workers")

PATIENCE = timedelta(seconds=5)
FRESH = timedelta(seconds=25)
MOST = 500
"""Workers of a queue that are looked at."""


class Advertisement(Plugin):
    """Does nothing but be named after what the worker has."""

    def __init__(self, facts: Facts) -> None:
        self._name = plugin_name(facts)

    def name(self) -> str:
        """What Temporal keeps."""
        return self._name

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Change nothing."""
        return config

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run the worker as it is."""
        await next(worker)

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """Change nothing."""
        return config

    def run_replayer(
        self,
        replayer: Replayer,
        histories: AsyncIterator[WorkflowHistory],
        next: Callable[
            [Replayer, AsyncIterator[WorkflowHistory]],
            AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]],
        ],
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]]:
        """Replay as without it."""
        return next(replayer, histories)


class OtherWorkers:
    """The other workers of a queue, asked for when a step does not fit here."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._own = f"{socket.gethostname()}:{os.getpid()}"

    async def with_room(self, queue: str, wanted: Mapping[str, float], *, now: bool) -> str | None:
        """Return a worker whose machine is large enough, and who `now` has a free slot; None: no other is known."""
        request = ListWorkersRequest(namespace=self._client.namespace, page_size=MOST, query=f'TaskQueue="{queue}"')
        try:
            answer = await self._client.workflow_service.list_workers(request, timeout=PATIENCE)
        except RPCError as error:
            logger.warning("cannot ask who else serves %s: %s", queue, error.message)
            return None
        for info in answer.workers_info:
            beat = info.worker_heartbeat
            # A process polls all its queues under one name, and has one room for all of them.
            process = f"{beat.host_info.host_name}:{beat.host_info.process_id}"
            if process != self._own and _could(beat, wanted, now):
                return f"{queue}@{process}"
        return None


def _lives(beat: WorkerHeartbeat) -> bool:
    """Whether it told Temporal so lately, as it does every ten seconds; one that was killed stays in the list."""
    lately = datetime.now(UTC) - FRESH
    running = beat.status == WorkerStatus.WORKER_STATUS_RUNNING
    return running and beat.heartbeat_time.ToDatetime(UTC) > lately


def _could(beat: WorkerHeartbeat, wanted: Mapping[str, float], now: bool) -> bool:
    facts = read_facts(plugin.name for plugin in beat.plugins)
    if not _lives(beat) or facts is None or not facts.fits(dict(wanted)):
        return False
    return not now or beat.activity_task_slots_info.current_used_slots < facts.slots
