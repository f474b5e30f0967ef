"""A step's way from its arrival on a worker to its start: it waits for room, or goes where there is some.

What cannot be said at the queue is said here, since a worker learns what a step needs when it has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from temporalio import activity

from activities.attempt import Attempt
from activities.errors import StepFailed
from activities.room import GPU, Share
from workflows.failures import WORKER_LOST
from workflows.sizes import amount, amounts

LOOK_SECONDS = 10.0
"""How often a step that waits looks for another worker that has room. Also what it waits at first before it leaves."""
MAX_HANDED_BACK = 3
"""How often a step that waits goes to look for another worker; then it stays where it is."""


class Others(Protocol):
    """The other workers of a queue, as Temporal knows them."""

    async def with_room(self, queue: str, wanted: Mapping[str, float], *, now: bool) -> str | None:
        """Return one whose machine is large enough, and who `now` has a free slot; None: there is none."""


class Alone:
    """For a worker that cannot ask for others."""

    async def with_room(self, queue: str, wanted: Mapping[str, float], *, now: bool) -> str | None:
        """Know of none."""
        return None


@contextlib.asynccontextmanager
async def occupied(attempt: Attempt) -> AsyncIterator[None]:
    """Occupy what the step needs while it runs.

    Raises:
        StepFailed: `ResourcesMissing`: no worker of the queue is large enough; `Timeout`: it waited for too long;
            `WorkerLost`: another worker is to run it.
    """
    wanted = attempt.task.resources
    if not wanted:
        yield
        return
    room = attempt.workshop.room
    if lacking := room.machine.lacks(wanted):
        raise await _too_large(attempt, lacking)
    async with contextlib.AsyncExitStack() as stack:
        looking = asyncio.create_task(_look_around(attempt))
        stack.callback(looking.cancel)
        entering = asyncio.create_task(_enter(attempt, stack))
        try:
            async with asyncio.timeout(_patience(attempt)):
                await asyncio.wait([entering, looking], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            message = f"the step waited {attempt.task.queue_timeout:g} s for a worker with room: it {attempt.waits}"
            raise StepFailed("Timeout", message, {"timeout": "queue"}, retryable=False) from None
        finally:
            if not entering.done():
                entering.cancel()
                await asyncio.wait([entering])
        if entering.cancelled():
            raise StepFailed(WORKER_LOST, looking.result(), retryable=False)
        looking.cancel()
        attempt.begin(entering.result())
        yield


async def _enter(attempt: Attempt, stack: contextlib.AsyncExitStack) -> Share:
    return await stack.enter_async_context(attempt.workshop.room.share(attempt.task.resources, attempt.wait))


def _patience(attempt: Attempt) -> float | None:
    """Return the seconds that are left of the time a step may wait for a worker."""
    limit = attempt.task.queue_timeout
    return None if limit is None else max(0.1, limit - (time.time() - attempt.scheduled_at))


async def _look_around(attempt: Attempt) -> str:
    """Return why the step should be handed back: this worker stops, or another one could run it at once."""
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await activity.wait_for_worker_shutdown()
                return "the worker was stopped while the step waited for room"
        if attempt.task.generation >= MAX_HANDED_BACK or attempt.waits is None:
            continue
        other = await attempt.workshop.others.with_room(attempt.queue, attempt.task.resources, now=True)
        if other is not None:
            return f"the step {attempt.waits}, and {other} may have room"


async def _too_large(attempt: Attempt, lacking: list[str]) -> StepFailed:
    """Return the failure of a step that this machine can never run; a larger one of the queue gets its turn."""
    wanted, machine = attempt.task.resources, attempt.workshop.room.machine
    asked = " and ".join(amount(name, wanted[name]) for name in lacking)
    why = f"the step needs {asked}, and this worker has {amounts(machine.amounts)}"
    other = await attempt.workshop.others.with_room(attempt.queue, wanted, now=False)
    if other is not None:
        attempt.wait(f"is too large for this worker, and waits for {other}")
        await asyncio.sleep(LOOK_SECONDS * (attempt.task.generation + 1) / 2)
        return StepFailed(WORKER_LOST, f"{why}; {other} is large enough", retryable=False)
    start, less = f"segue worker --queue {attempt.queue}", "send the step to another queue, or have it need less"
    hint = f"start one that has more ({start}{f' --gpu {wanted[GPU]:g}' if lacking == [GPU] else ''}), {less}"
    detail = {"needs": dict(wanted), "has": machine.amounts}
    message = f'{why}, as much as any other of the queue "{attempt.queue}": {hint}'
    return StepFailed("ResourcesMissing", message, detail, retryable=False)
