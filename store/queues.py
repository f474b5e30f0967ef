"""Queues in which steps wait, as far as the database knows: also those that nobody serves."""

from __future__ import annotations

from sqlalchemy import func, select

from store.database import Database
from store.tables import ACTIVE_STEP_STATES, steps


async def waiting_queues(database: Database) -> dict[str, int]:
    """Return how many steps wait for a worker, by queue."""
    query = (
        select(steps.c.queue, func.count())
        .where(steps.c.state.in_(ACTIVE_STEP_STATES), steps.c.state == "queued", steps.c.queue.is_not(None))
        .group_by(steps.c.queue)
        .order_by(steps.c.queue)
    )
    async with database.read() as connection:
        return {name: count for name, count in await connection.execute(query)}  # noqa: C416 - dict(rows) is untyped
