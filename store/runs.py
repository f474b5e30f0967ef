"""Runs: made once, looked up and listed. What happens to them afterwards is in `store.recording`."""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, Select, literal, nulls_first, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.columns import CleanText, UtcTime, text_of
from store.database import Database
from store.rows import Run, Step, row_as, step_as
from store.tables import attempts, events, runs, steps
from workflows.messages import RunRequest
from workflows.plan import Plan
from workflows.plan import Step as PlanStep

RUN_COLUMNS = [runs.c[field.name] for field in fields(Run)]
"""All but what nobody lists: the request, which may be large."""


class IdempotencyConflict(Exception):
    """The idempotency key was used before, with another request."""

    code = "idempotency_conflict"

    def __init__(self, key: str, run: str) -> None:
        super().__init__(f"the idempotency key {key!r} was used for another request, which made the run {run}")
        self.key = key
        self.run = run


class InvalidCursor(ValueError):
    """The cursor is none that `list_runs` gave."""

    code = "cursor_invalid"

    def __init__(self, cursor: str) -> None:
        super().__init__(f"{cursor!r} is not a cursor of this list")
        self.cursor = cursor


async def create_run(
    database: Database, run: str, request: RunRequest, *, idempotency: tuple[str, str] | None = None
) -> tuple[Run, bool]:
    """Record a run that is about to start: its row, one for each of its plan's steps, and its first event.

    Args:
        database: Where.
        run: Its id.
        request: With its version, and its plan if it is known.
        idempotency: The caller's key and the sha256 of what it asked for.

    Returns:
        The run, and whether it was made now: one that has the id or the idempotency key already is returned as it is.

    Raises:
        IdempotencyConflict: The key was used for another request.
    """
    plan = Plan.from_json(request.plan) if request.plan else None
    made, rows = _new_run(run, request, plan, idempotency)
    try:
        async with database.write() as connection:
            existing = await _existing(connection, run, idempotency)
            if existing is not None:
                return existing, False
            await insert_run(connection, rows, made, _step_rows(run, plan))
    except IntegrityError:
        # Another process made it between our look and our insert.
        async with database.read() as connection:
            existing = await _existing(connection, run, idempotency)
        if existing is None:
            raise
        return existing, False
    return made, True


async def find_idempotent_run(database: Database, key: str, body_hash: str) -> Run | None:
    """Return the run that the same request with this key made before.

    Raises:
        IdempotencyConflict: The key was used for another request.
    """
    async with database.read() as connection:
        return await _by_key(connection, key, body_hash)


async def get_run(database: Database, run: str) -> Run | None:
    """Return a run by its id, or None."""
    async with database.read() as connection:
        return await _by_id(connection, run)


async def get_run_steps(database: Database, run: str) -> list[Step]:
    """Return a run's steps with their attempts, in plan order; a map's items follow their step."""
    query = select(steps).where(steps.c.run == run).order_by(steps.c.position, nulls_first(steps.c.item))
    tried = select(attempts).where(attempts.c.run == run)
    async with database.read() as connection:
        return await _with_attempts(connection, query, tried)


async def get_operations(database: Database, run: str) -> list[dict[str, Any]]:
    """Return what people did to a run, oldest first: `{"at", "reason", "kind", "by", "why", "steps", ...}`."""
    query = select(events.c.at, events.c.data).where(events.c.run == run, events.c.kind == "run").order_by(events.c.seq)
    async with database.read() as connection:
        found = (await connection.execute(query)).all()
    told = [(row.at, row.data) for row in found if row.data.get("operation")]
    return [{**data["operation"], "at": text_of(at), "reason": data["reason"]} for at, data in told]


async def get_step(database: Database, run: str, key: str) -> Step | None:
    """Return one step, or one item, of a run; None when there is none."""
    query = select(steps).where(steps.c.run == run, steps.c.key == key)
    tried = select(attempts).where(attempts.c.run == run, attempts.c.key == key)
    async with database.read() as connection:
        found = await _with_attempts(connection, query, tried)
    return found[0] if found else None


async def list_runs(
    database: Database,
    *,
    workflow: str | None = None,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> tuple[list[Run], str | None]:
    """Return a page of runs, newest first, and the cursor of the next page or None.

    Raises:
        InvalidCursor: The cursor is none of ours.
    """
    query = select(*RUN_COLUMNS).order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit + 1)
    if workflow is not None:
        query = query.where(runs.c.workflow == workflow)
    if state is not None:
        query = query.where(runs.c.state == state)
    if cursor is not None:
        query = query.where(_behind(*_read_cursor(cursor)))
    async with database.read() as connection:
        found = [row_as(Run, row) for row in (await connection.execute(query)).mappings()]
    page = found[:limit]
    return page, _cursor(page[-1]) if len(found) > limit and page else None


async def insert_run(
    connection: AsyncConnection, row: dict[str, Any], made: Run, step_rows: list[dict[str, Any]]
) -> None:
    """Insert a run, its steps and its first event."""
    await connection.execute(runs.insert(), [row])
    if step_rows:
        await connection.execute(steps.insert(), step_rows)
    first = {"run": made.id, "seq": 1, "at": made.created_at, "kind": "run", "key": "", "data": made.summary()}
    await connection.execute(events.insert(), [first])


def step_row(run: str, key: str, **more: Any) -> dict[str, Any]:
    """Return the row of a step of which nothing is known yet but `more`."""
    return {**_BLANK, "run": run, "key": key, "step": key, **more}


_BLANK: dict[str, Any] = {
    **{column.name: None for column in steps.c},
    "position": 0,
    "kind": "",
    "queue": "",
    "state": "waiting",
    "reason": "",
    "detail": {},
    "generation": 0,
    "earlier": 0,
    "attempt": 0,
}


def _new_run(
    run: str, request: RunRequest, plan: Plan | None, idempotency: tuple[str, str] | None
) -> tuple[Run, dict[str, Any]]:
    made = Run(
        id=run,
        workflow=request.workflow,
        version=request.version or 0,
        state="pending",
        reason="waits to be started",
        cause_kind=request.cause.kind,
        cause_id=request.cause.id,
        params=request.params,
        output=None,
        error=None,
        plan_hash=plan.content_hash if plan else "",
        seq=1,
        applied=0,
        created_at=datetime.now(UTC),
        started_at=None,
        ended_at=None,
    )
    key, body_hash = idempotency or (None, None)
    kept = {**asdict(replace(request, plan=None))}
    return made, {**asdict(made), "request": kept, "idempotency_key": key, "body_hash": body_hash}


def _step_rows(run: str, plan: Plan | None) -> list[dict[str, Any]]:
    return [
        step_row(run, step.id, position=position, kind=step.kind, queue=step.queue, reason=_waits_for(step))
        for position, step in enumerate(plan.steps if plan else ())
    ]


def _waits_for(step: PlanStep) -> str:
    needs = [need.step for need in step.needs]
    if step.phase == "finally":
        return "waits for the end of all other steps"
    if not needs:
        return "waits for the run to start"
    return f"waits for {', '.join(needs[:5])}" + (f" and {len(needs) - 5} more" if len(needs) > 5 else "")


async def _existing(connection: AsyncConnection, run: str, idempotency: tuple[str, str] | None) -> Run | None:
    found = await _by_key(connection, *idempotency) if idempotency else None
    return found or await _by_id(connection, run)


async def _by_id(connection: AsyncConnection, run: str) -> Run | None:
    row = (await connection.execute(select(*RUN_COLUMNS).where(runs.c.id == run))).mappings().first()
    return row_as(Run, row) if row else None


async def _by_key(connection: AsyncConnection, key: str, body_hash: str) -> Run | None:
    row = (
        (await connection.execute(select(*RUN_COLUMNS, runs.c.body_hash).where(runs.c.idempotency_key == key)))
        .mappings()
        .first()
    )
    if row is None:
        return None
    if row["body_hash"] != body_hash:
        raise IdempotencyConflict(key, row["id"])
    return row_as(Run, row)


async def _with_attempts(connection: AsyncConnection, query: Select[Any], tried: Select[Any]) -> list[Step]:
    rows = (await connection.execute(query)).mappings().all()
    by_key: dict[str, list[RowMapping]] = defaultdict(list)
    order = (attempts.c.generation, attempts.c.number)
    for attempt in (await connection.execute(tried.order_by(*order))).mappings():
        by_key[attempt["key"]].append(attempt)
    return [step_as(row, by_key.get(row["key"], ())) for row in rows]


def _behind(time: datetime, run: str) -> Any:
    return tuple_(runs.c.created_at, runs.c.id) < tuple_(literal(time, UtcTime), literal(run, CleanText))


def _cursor(run: Run) -> str:
    text = f"{run.created_at.isoformat()} {run.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        time, _, run = text.partition(" ")
        found = datetime.fromisoformat(time)
    except (ValueError, binascii.Error):
        raise InvalidCursor(cursor) from None
    if found.tzinfo is None or not run:
        raise InvalidCursor(cursor)
    return found, run
