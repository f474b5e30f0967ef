"""Who serves which queue, as Temporal knows it: a worker that polls is there, one that does not is not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from api.schemas import Queue, Queues
from api.services import InTemporal
from api.strict_json import StrictRoute
from api.temporal import RPC_TIMEOUT

router = APIRouter(tags=["queues"], route_class=StrictRoute)

MAX_QUEUES = 50
_SILENCE = timedelta(seconds=75)
"""A worker asks again once a minute when there is nothing to do; Temporal remembers it for five."""

Name = Annotated[str, Query(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


@router.get("/queues", summary="Who serves which queue")
async def list_all(
    temporal: InTemporal,
    queue: Annotated[list[Name], Query(min_length=1, max_length=MAX_QUEUES, description="A queue's name.")],
) -> Queues:
    """Return for each queue that is asked about the workers that have polled it within the last 75 seconds."""
    names = dict.fromkeys(queue)
    async with temporal.session() as client:
        found = await asyncio.gather(*(_workers(client, name) for name in names))
    return Queues(queues=[Queue(name=name, workers=workers) for name, workers in zip(names, found, strict=True)])


async def _workers(client: Client, name: str) -> list[str]:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=name),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    answer = await client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)
    since = datetime.now(UTC) - _SILENCE
    seen = (each for each in answer.pollers if each.last_access_time.ToDatetime(UTC) > since)
    return sorted({each.identity for each in seen})
