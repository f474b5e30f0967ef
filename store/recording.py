"""Writes what happens to runs: the interpreter's transitions, what was seen of attempts, and ends from outside.

Whoever writes to a run holds its row, so that its events are numbered without gaps in the order in which readers can
see them. Everything here may be repeated and may come late: what is known already changes nothing. The rules are in
`store.folding`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.folding import Fold, PendingAttempt
from store.rows import row_as
from store.runs import RUN_COLUMNS, create_run
from store.tables import ACTIVE_STEP_STATES, attempts, events, runs, step_is_active, steps
from store.workflows import get_version
from workflows.messages import Cause, Operation, RunRecords, RunRequest, Transition
from workflows.plan import INTERPRETER_KINDS, Plan

MANY_KEYS = 4_000
"""Above it, all rows of a run are read at once: a query has a limited number of parameters."""

_RUN_CHANGES = ("state", "reason", "output", "error", "seq", "applied", "started_at", "ended_at", "stuck")
_STEP_CHANGES = [c.name for c in steps.c if c.name not in ("run", "key", "step", "item", "position", "kind")]
_ATTEMPT_CHANGES = [c.name for c in attempts.c if not c.primary_key]
_ITEM_NUMBER = re.compile(r"\[.*")


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has not ended, as the observer needs it.

    Attributes:
        active: Whether a step is with a worker, or waits for one.
        applied: Number of the interpreter's last transition that is recorded.
        stuck: What is recorded of what keeps it from moving.
    """

    id: str
    workflow: str
    version: int
    state: str
    created_at: datetime
    applied: int
    stuck: str | None
    active: bool


async def apply_records(database: Database, records: RunRecords) -> int:
    """Record the transitions of a batch that are next in their run's order.

    One that is recorded already is passed over. After a gap nothing is taken, since readers rely on the order; the
    observer then brings what is missing. A run that has no row is given one.

    Returns:
        Number of the last transition that is recorded.
    """
    applied = await _apply(database, records)
    if applied is None:
        await _create_from(database, records)
        applied = await _apply(database, records)
    return applied or 0


async def observe_attempts(database: Database, run: str, seen: Sequence[PendingAttempt]) -> int:
    """Record what Temporal says about steps in flight; say how many of them were news.

    A step in a final state stays there, and an observation older than what is recorded changes nothing.
    """
    now = datetime.now(UTC)
    keys = {each.key for each in seen}
    async with database.read() as connection:
        fold = await _load(connection, run, keys, hold=False)
    if fold is None or not any(fold.observe(each, now) for each in seen):
        return 0
    # There is news; now again with the row held, as it may have changed since.
    async with database.write() as connection:
        fold = await _load(connection, run, keys)
        if fold is None:
            return 0
        news = sum(fold.observe(each, now) for each in seen)
        await _save(database, connection, fold)
    return news


async def mark_stuck(database: Database, run: str, stuck: str | None) -> bool:
    """Record what keeps a run from moving, or that nothing does any more (None).

    Returns:
        False: There is no such run, or it has ended, or this is known.
    """
    async with database.write() as connection:
        fold = await _load(connection, run, ())
        if fold is None or not fold.mark_stuck(stuck, datetime.now(UTC)):
            return False
        await _save(database, connection, fold)
    return True


async def finish_run(database: Database, run: str, state: str, reason: str) -> bool:
    """End a run from outside, because its interpreter will not; steps that had not ended become cancelled.

    Returns:
        False: There is no such run, or it has ended already.
    """
    async with database.write() as connection:
        fold = await _load(connection, run, None)
        if fold is None or fold.ended:
            return False
        fold.finish(state, reason, datetime.now(UTC))
        await _save(database, connection, fold)
    return True


async def reopen_run(database: Database, run: str, applied: int, reason: str) -> bool:
    """Note that a run goes on after its end, until it says so itself.

    Args:
        database: Where.
        run: Its id.
        applied: The number that its last transition had when it ended.
        reason: Who lets it go on.

    Returns:
        False: There is no such run, or it has not ended, or has said something since.
    """
    async with database.write() as connection:
        fold = await _load(connection, run, ())
        if fold is None or not fold.ended or fold.run["applied"] != applied:
            return False
        fold.reopen(reason, datetime.now(UTC))
        await _save(database, connection, fold)
    return True


async def open_runs(database: Database, *, after: str = "", limit: int = 500) -> list[OpenRun]:
    """Return runs that have not ended, by id from behind `after`."""
    with_workers = step_is_active & steps.c.kind.not_in(sorted(INTERPRETER_KINDS))
    in_flight = select(steps.c.key).where(steps.c.run == runs.c.id, with_workers)
    columns = [runs.c[name] for name in ("id", "workflow", "version", "state", "created_at", "applied", "stuck")]
    query = (
        select(*columns, in_flight.exists().label("active"))
        .where(runs.c.state.in_(("pending", "running", "paused")), runs.c.id > after)
        .order_by(runs.c.id)
        .limit(limit)
    )
    async with database.read() as connection:
        rows = (await connection.execute(query)).mappings()
        return [row_as(OpenRun, row, active=bool(row["active"])) for row in rows]


async def active_keys(database: Database, run: str) -> set[str]:
    """Return the keys of steps that are recorded as being with a worker, or waiting for one."""
    # A map runs without ever being queued; its items are.
    in_flight = step_is_active & steps.c.queued_at.is_not(None)
    async with database.read() as connection:
        return set(await connection.scalars(select(steps.c.key).where(steps.c.run == run, in_flight)))


async def get_request(database: Database, run: str) -> RunRequest | None:
    """Return what a run was asked to do, with its plan, so that it can be started; None: its version is lost."""
    async with database.read() as connection:
        row = (await connection.execute(select(runs.c.request).where(runs.c.id == run))).first()
    if row is None:
        return None
    request = RunRequest(**{**row.request, "cause": Cause(**row.request["cause"])})
    if row.request.get("again") is not None:
        request.again = Operation(**row.request["again"])
    version = await get_version(database, request.workflow, request.version)
    if version is None:
        return None
    request.plan = Plan.from_json(version.plan).compact()
    return request


async def _apply(database: Database, records: RunRecords) -> int | None:
    now = datetime.now(UTC)
    keys = {change.key for change in records.transitions if change.key}
    async with database.write() as connection:
        fold = await _load(connection, records.run, keys)
        if fold is None:
            return None
        before: int = fold.run["applied"]
        for change in _following(records.transitions, before):
            fold.apply(change, now)
        applied: int = fold.run["applied"]
        if applied > before:
            await _save(database, connection, fold)
    return applied


def _following(transitions: Sequence[Transition], applied: int) -> list[Transition]:
    """Return the transitions that continue after number `applied` without a gap."""
    following: list[Transition] = []
    for change in sorted(transitions, key=lambda each: each.seq):
        if change.seq == applied + 1:
            following.append(change)
            applied += 1
    return following


async def _create_from(database: Database, records: RunRecords) -> None:
    """Make the row of a run that Temporal knows and we do not, as far as it can be known."""
    version = await get_version(database, records.workflow, records.version)
    request = RunRequest(records.workflow, records.version, plan=version.plan if version else None)
    await create_run(database, records.run, request)


async def _load(connection: AsyncConnection, run: str, keys: Collection[str] | None, hold: bool = True) -> Fold | None:
    """Read a run's row, by default held until the transaction ends, and the steps of these keys (None: all)."""
    query = select(*RUN_COLUMNS).where(runs.c.id == run)
    row = (await connection.execute(query.with_for_update() if hold else query)).mappings().first()
    if row is None:
        return None
    of_steps, of_attempts = steps.c.run == run, attempts.c.run == run
    if keys is not None and len(keys) <= MANY_KEYS:
        wanted = _padded({*keys, *(_ITEM_NUMBER.sub("", key) for key in keys)})
        of_steps, of_attempts = of_steps & steps.c.key.in_(wanted), of_attempts & attempts.c.key.in_(wanted)
    found = (await connection.execute(select(steps).where(of_steps))).mappings().all()
    tried: Sequence[RowMapping] = ()
    if any(step["attempt"] or step["state"] in ACTIVE_STEP_STATES for step in found):
        tried = (await connection.execute(select(attempts).where(of_attempts))).mappings().all()
    return Fold(dict(row), map(dict, found), map(dict, tried))


async def _save(database: Database, connection: AsyncConnection, fold: Fold) -> None:
    """Write what changed, in one statement a table."""
    if fold.changed_steps:
        rows = [fold.steps[key] for key in fold.changed_steps]
        await connection.execute(database.upsert(steps, _STEP_CHANGES), rows)
    if fold.changed_attempts:
        rows = [fold.attempts[key][generation, number] for key, generation, number in fold.changed_attempts]
        await connection.execute(database.upsert(attempts, _ATTEMPT_CHANGES), rows)
    if fold.events:
        await connection.execute(events.insert(), fold.events)
    changes = {name: fold.run[name] for name in _RUN_CHANGES}
    await connection.execute(runs.update().where(runs.c.id == fold.run["id"]).values(changes))


def _padded(keys: Collection[str]) -> list[str]:
    """Return the keys with repetitions up to a power of two: few lengths of list, few statements to prepare."""
    wanted = sorted(keys)
    return wanted + wanted[:1] * ((1 << max(0, len(wanted) - 1).bit_length()) - len(wanted))
