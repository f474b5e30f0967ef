"""Says whether this machine's worker serves its queue: `worker_ready.py QUEUE` exits 0 when Temporal has seen it.

The health check of a worker's container. A process that lives but has lost Temporal is not healthy, so it asks
Temporal, not the process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
from typing import NoReturn

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from store.settings import Settings
from workflows.plan import CONTROL_QUEUE

SEEN_SECONDS = 90
"""A poll lasts up to 60 s, and Temporal notes its beginning."""


async def seen_ago(settings: Settings, queue: str) -> float:
    """Return how many seconds ago a worker of this machine last asked for work; infinity: it never did."""
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
    workflows = queue == CONTROL_QUEUE
    kind = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW if workflows else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=settings.temporal_namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
        )
    )
    here = f"@{socket.gethostname()}:"
    polls = [poller.last_access_time.ToSeconds() for poller in answer.pollers if here in poller.identity]
    return time.time() - max(polls) if polls else float("inf")


def main(queue: str) -> None:
    """Exit 0 or, with a sentence, 1."""
    settings = Settings()
    logging.disable(logging.CRITICAL)
    try:
        ago = asyncio.run(seen_ago(settings, queue))
    except (RPCError, RuntimeError) as error:
        _leave(f"Temporal at {settings.temporal_address} does not answer: {error}")
    _leave(f"no worker of this machine asks for work from queue {queue}" if ago > SEEN_SECONDS else "")


def _leave(problem: str) -> NoReturn:
    """End at once: SDK 1.35 may abort while Python is finalised, which would call a healthy worker sick."""
    if problem:
        print(problem, file=sys.stderr, flush=True)
    os._exit(1 if problem else 0)


if __name__ == "__main__":
    main(sys.argv[1])
