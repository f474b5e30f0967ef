"""What one would write by hand for a chain and a fan-out of no-op steps: the yardstick of `overhead.py`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn(name="handwritten_noop")
async def noop(number: int) -> int:
    """Do nothing."""
    return number


@workflow.defn(name="HandwrittenChain")
class HandwrittenChain:
    """One activity after another."""

    @workflow.run
    async def run(self, steps: int, queue: str) -> None:
        """Run `steps` activities in a row."""
        for number in range(steps):
            await _step(number, queue)


@workflow.defn(name="HandwrittenFanOut")
class HandwrittenFanOut:
    """All activities at once, within a window like Segue's `max_parallel`."""

    @workflow.run
    async def run(self, steps: int, queue: str) -> None:
        """Run `steps` activities, 200 of them at a time."""
        window = asyncio.Semaphore(200)

        async def one(number: int) -> None:
            async with window:
                await _step(number, queue)

        await asyncio.gather(*(one(number) for number in range(steps)))


async def _step(number: int, queue: str) -> None:
    await workflow.execute_activity(
        noop, number, task_queue=queue, start_to_close_timeout=timedelta(minutes=1), activity_id=f"s{number}"
    )
