"""Fleets: who serves which queue, where, with what, and what waits. From Temporal's own lists; nothing is kept here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    ListWorkersRequest,
)
from temporalio.client import Client

from api.fleet_schemas import Fleet, FleetQueue, FleetWorker
from api.routes.queues import Name
from api.services import InDatabase, InTemporal
from api.strict_json import StrictRoute
from api.temporal import RPC_TIMEOUT
from store.columns import text_of
from store.queues import waiting_queues
from workflows.fleet import Facts, read_facts
from workflows.plan import CONTROL_QUEUE

router = APIRouter(tags=["queues"], route_class=StrictRoute)

MAX_WORKERS = 2_000
MAX_QUEUES = 200
_PAGE = 500
_BEAT = timedelta(seconds=25)
"""A worker tells Temporal how it is every ten seconds; one that missed two of them is gone."""
_SILENCE = timedelta(seconds=75)
"""One that has only just started has not told yet, but polls: at least once a minute."""


@router.get("/fleet", summary="Workers, queues, and what waits in them")
async def show(
    temporal: InTemporal,
    database: InDatabase,
    queue: Annotated[list[Name], Query(max_length=MAX_QUEUES, description="Only these queues.")] = [],  # noqa: B006
) -> Fleet:
    """Return all queues that are served or in which steps wait, or those that are asked about, and their workers.

    A worker is known for its queue within ten seconds; of a queue that is asked about, at once.
    """
    waiting = await waiting_queues(database)
    async with temporal.session() as client:
        known = await _workers(client)
        names = sorted({*queue} or {each.queue for each in known} | {*waiting})[:MAX_QUEUES]
        described = await asyncio.gather(*(_described(client, name) for name in names))
    workers = [each for each in known if each.queue in names]
    for name, answer in zip(names, described, strict=True):
        workers += _new(name, answer, workers)
    queues = [
        _queue(name, answer, [each for each in workers if each.queue == name], waiting.get(name, 0))
        for name, answer in zip(names, described, strict=True)
    ]
    return Fleet(queues=queues, workers=sorted(workers, key=lambda each: (each.queue, each.name)))


async def _workers(client: Client) -> list[FleetWorker]:
    since = datetime.now(UTC) - _BEAT
    found: list[FleetWorker] = []
    token = b""
    while len(found) < MAX_WORKERS:
        request = ListWorkersRequest(namespace=client.namespace, page_size=_PAGE, next_page_token=token)
        answer = await client.workflow_service.list_workers(request, timeout=RPC_TIMEOUT)
        beats = (info.worker_heartbeat for info in answer.workers_info)
        found += [
            _worker(beat)
            for beat in beats
            if beat.heartbeat_time.ToDatetime(UTC) > since and beat.task_queue not in ("", CONTROL_QUEUE)
        ]
        token = answer.next_page_token
        if not token:
            break
    return found


def _worker(beat: WorkerHeartbeat) -> FleetWorker:
    facts = read_facts(plugin.name for plugin in beat.plugins) or Facts()
    slots, host = beat.activity_task_slots_info, beat.host_info
    runs = beat.status == WorkerStatus.WORKER_STATUS_RUNNING
    return FleetWorker(
        name=f"{beat.task_queue}@{host.host_name}:{host.process_id}",
        queue=beat.task_queue,
        host=host.host_name,
        pid=int(host.process_id) if host.process_id.isdigit() else None,
        state="running" if runs else "stopping",
        slots=facts.slots or slots.current_available_slots + slots.current_used_slots,
        used=slots.current_used_slots,
        version=beat.deployment_version.build_id,
        started_at=text_of(beat.start_time.ToDatetime(UTC)),
        labels=facts.labels,
        resources=facts.resources,
    )


def _new(queue: str, answer: DescribeTaskQueueResponse, known: Sequence[FleetWorker]) -> list[FleetWorker]:
    """Return those that poll the queue and have not said more of themselves yet."""
    since = datetime.now(UTC) - _SILENCE
    # A process polls all its queues under one name.
    places = {(each.host, each.pid) for each in known if each.queue == queue}
    found = []
    for poller in answer.pollers:
        host, _, pid = poller.identity.partition("@")[2].rpartition(":")
        number = int(pid) if pid.isdigit() else None
        if poller.last_access_time.ToDatetime(UTC) > since and (host, number) not in places:
            places.add((host, number))
            name, build = f"{queue}@{host}:{pid}", poller.deployment_options.build_id
            found.append(
                FleetWorker(
                    name=name, queue=queue, host=host, pid=number, state="running", slots=None, used=None,
                    version=build, started_at=None,
                )
            )  # fmt: skip
    return found


async def _described(client: Client, name: str) -> DescribeTaskQueueResponse:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=name),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_stats=True,
    )
    return await client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)


def _queue(name: str, answer: DescribeTaskQueueResponse, workers: list[FleetWorker], waiting: int) -> FleetQueue:
    active = [each for each in workers if each.state == "running"]
    backlog = answer.stats.approximate_backlog_count
    age = answer.stats.approximate_backlog_age
    return FleetQueue(
        name=name,
        workers=len(active),
        slots=sum(each.slots or 0 for each in active),
        used=sum(each.used or 0 for each in active),
        backlog=backlog,
        oldest_wait=round(age.seconds + age.nanos / 1e9, 1) if backlog else None,
        problem=f"nobody serves it; start a worker: segue worker --queue {name}"
        if not active and (backlog or waiting)
        else None,
    )
