"""A worker process: serves one or more task queues until it is told to stop.

The control queue (`segue-control`) runs the interpreter, its recording and the observer, and needs the database. Any
other queue runs steps, and needs Temporal and the object store only.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import (
    PollerBehaviorSimpleMaximum,
    UnsandboxedWorkflowRunner,
    Worker,
)

from activities.room import Room
from activities.step import StepActivities
from store.objects import open_object_store
from store.settings import Settings
from workers.connection import connect
from workers.fleet import Advertisement, OtherWorkers
from workers.machine import find_machine
from workers.versions import ANY, deployment, moving
from workflows.fleet import Facts
from workflows.plan import CONTROL_QUEUE
from workflows.sizes import amounts

logger = logging.getLogger("segue.workers")

GRACE = timedelta(seconds=2)
"""What a step in flight gets to end by itself when its worker is told to stop; it is tried again elsewhere after."""

POLLERS = PollerBehaviorSimpleMaximum(maximum=20)
MAX_STEP_POLLERS = 100
"""A step that finds somebody waiting for it goes there at once; else Temporal writes it down and reads it again."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker process offers to the steps of its queues.

    Attributes:
        slots: Steps at a time, per queue.
        labels: What its fleet calls it by.
        drain: Seconds that a step in flight gets to end when the worker is told to stop; it is handed back after.
        room: What steps that name resources occupy, of all queues together.
    """

    slots: int
    labels: Mapping[str, str] = field(default_factory=dict)
    drain: float = GRACE.total_seconds()
    room: Room = field(default_factory=lambda: Room(find_machine()))

    @property
    def facts(self) -> Facts:
        """What is said of it to Temporal."""
        return Facts(self.slots, dict(self.labels), self.room.machine.amounts)


def step_worker(client: Client, settings: Settings, queue: str, offer: Offer | int) -> Worker:
    """Return a worker that runs steps from `queue`, up to so many at a time."""
    offer = Offer(offer) if isinstance(offer, int) else offer
    slots = offer.slots
    steps = StepActivities(
        open_object_store(settings.object_store),
        Path(settings.cache_dir),
        settings.python,
        identity(queue),
        offer.room,
        OtherWorkers(client),
        settings.public_url,
    )
    return Worker(
        client,
        task_queue=queue,
        activities=steps.all(),
        identity=identity(queue),
        deployment_config=ANY,
        max_concurrent_activities=slots,
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=min(max(2, slots), MAX_STEP_POLLERS)),
        # A cancel reaches a step with the answer to its heartbeat, so a throttled heartbeat is a late cancel.
        max_heartbeat_throttle_interval=timedelta(seconds=2),
        default_heartbeat_throttle_interval=timedelta(seconds=1),
        graceful_shutdown_timeout=timedelta(seconds=offer.drain),
        plugins=[Advertisement(offer.facts)],
    )


@contextlib.asynccontextmanager
async def control_worker(client: Client, settings: Settings) -> AsyncIterator[Worker]:
    """Yield the worker of the interpreter, with the observer beside it; its database closes on leaving."""
    # Imported here: a step worker has no use for the database's libraries (150 MB and most of a second).
    from activities.control import ControlActivities
    from activities.going_on import GoingOnActivities
    from activities.places import PlaceActivities
    from store.database import Database
    from store.recording import apply_records
    from workers.observer import Observer
    from workers.search_attributes import register_search_attributes
    from workflows.interpreter import DagRun
    from workflows.places import SLOTS_WORKFLOW
    from workflows.slots import SegueSlots
    from workflows.trigger import SegueTrigger

    await register_search_attributes(client)
    database = Database(settings.database_url)
    try:
        await database.migrate()
        control = ControlActivities(database)
        going_on = GoingOnActivities(client, functools.partial(apply_records, database))
        worker = Worker(
            client,
            task_queue=CONTROL_QUEUE,
            workflows=[
                DagRun,
                moving(SegueSlots, SLOTS_WORKFLOW, settings.build_id),
                moving(SegueTrigger, "SegueTrigger", settings.build_id),
            ],
            activities=[
                *(control.resolve_run, control.record_run),
                *PlaceActivities(client).all(),
                *going_on.all(),
            ],
            identity=identity(CONTROL_QUEUE),
            deployment_config=deployment(settings.build_id),
            # User code never enters the interpreter, so the sandbox would cost replay time and guard nothing.
            workflow_runner=UnsandboxedWorkflowRunner(),
            workflow_task_poller_behavior=POLLERS,
            activity_task_poller_behavior=POLLERS,
            max_eager_activity_reservations_per_workflow_task=100,
            # After `kill -9` of this process its runs wait this long for it before another may go on with them.
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
            graceful_shutdown_timeout=GRACE,
        )
        observer = asyncio.create_task(Observer(client, database).run())
        try:
            yield worker
        finally:
            observer.cancel()
            await asyncio.gather(observer, return_exceptions=True)
    finally:
        await database.close()


def identity(queue: str) -> str:
    """Return this process's name in Temporal's worker list: `queue@host:pid`."""
    return f"{queue}@{socket.gethostname()}:{os.getpid()}"


async def serve(settings: Settings, queues: list[str], offer: Offer) -> None:
    """Serve `queues` until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    connecting = asyncio.ensure_future(connect(settings, identity(",".join(queues))))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        connecting.cancel()
        return
    client = connecting.result()
    async with contextlib.AsyncExitStack() as stack:
        for queue in queues:
            if queue == CONTROL_QUEUE:
                worker = await stack.enter_async_context(control_worker(client, settings))
            else:
                worker = step_worker(client, settings, queue, offer)
            await stack.enter_async_context(worker)
        has = amounts(offer.room.machine.amounts)
        logger.info(
            "serving %s with %d slots (%s) from %s", ", ".join(queues), offer.slots, has, settings.temporal_address
        )
        await stopping
        logger.info("stopping")


def default_slots() -> int:
    """Return how many steps a worker runs at once unless told: two per core, at least eight, since many only wait."""
    return max(8, 2 * (os.cpu_count() or 1))


def main(queues: list[str], offer: Offer | None = None) -> None:
    """Run a worker process with the settings of its environment; returns never.

    Args:
        queues: Task queues to serve.
        offer: What it offers to steps.
    """
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    # It writes down each address whole, with what may be secret in its query.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(serve(Settings(), queues, offer or Offer(default_slots())))
    logging.shutdown()
    sys.stdout.flush()
    # SDK 1.35 may abort while the interpreter is finalised, after all the work is done: leave without finalising.
    os._exit(0)
