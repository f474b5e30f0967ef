"""A run's events, in order and without gaps: what people follow live. They are written by `store.recording`."""

from __future__ import annotations

from sqlalchemy import select

from store.database import Database
from store.rows import Event, row_as
from store.tables import events, runs
from workflows.messages import TERMINAL_RUN_STATES


async def events_after(database: Database, run: str, after: int, limit: int = 500) -> list[Event]:
    """Return at most `limit` events with a `seq` above `after`, oldest first."""
    query = (
        select(events.c.seq, events.c.at, events.c.kind, events.c.data)
        .where(events.c.run == run, events.c.seq > max(0, min(after, 2**31 - 1)))
        .order_by(events.c.seq)
        .limit(limit)
    )
    async with database.read() as connection:
        return [row_as(Event, row) for row in (await connection.execute(query)).mappings()]


async def last_seq(database: Database, run: str) -> tuple[int, bool] | None:
    """Return the number of the run's last event and whether the run has ended, cheaply; None: no such run.

    Once it has ended, no event follows.
    """
    async with database.read() as connection:
        row = (await connection.execute(select(runs.c.seq, runs.c.state).where(runs.c.id == run))).first()
    return None if row is None else (row.seq, row.state in TERMINAL_RUN_STATES)
