"""Workflows and their immutable, numbered versions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.rows import Run, Version, Workflow, row_as
from store.runs import RUN_COLUMNS
from store.tables import runs, versions, workflows
from workflows.plan import Plan

MAX_INTEGER = 2**31 - 1


async def deploy_workflow(
    database: Database, plan: Plan, source: dict[str, Any], bundle: str | None
) -> tuple[Version, bool]:
    """Make a new version of a workflow, or the workflow itself.

    Returns:
        The version, and whether it was made now: the newest one is returned when it has the same plan and bundle.
    """
    now = datetime.now(UTC)
    async with database.write() as connection:
        await _lock_workflow(connection, plan, now)
        newest = await _version(connection, plan.workflow, None)
        if newest is not None and (newest.plan_hash, newest.bundle) == (plan.content_hash, bundle):
            return newest, False
        document = plan.to_json()
        number = newest.version + 1 if newest else 1
        made = Version(plan.workflow, number, plan.content_hash, bundle, now, document, source)
        await connection.execute(
            versions.insert().values(
                workflow=made.workflow,
                version=made.version,
                plan_hash=made.plan_hash,
                bundle=bundle,
                triggers=document["triggers"],
                plan=document,
                source=source,
                created_at=now,
            )
        )
        await connection.execute(
            workflows.update()
            .where(workflows.c.name == plan.workflow)
            .values(description=plan.description, labels=plan.labels)
        )
    return made, True


async def get_workflow(database: Database, name: str) -> Workflow | None:
    """Return a workflow by its name, or None."""
    found = await _workflows(database, _newest().where(workflows.c.name == name))
    return found[0] if found else None


async def list_workflows(database: Database) -> list[Workflow]:
    """Return all workflows by name."""
    return await _workflows(database, _newest().order_by(workflows.c.name))


async def list_versions(database: Database, name: str) -> list[Version]:
    """Return a workflow's versions, newest first, with `plan` and `source` left empty."""
    columns = [column for column in versions.c if column.name not in ("plan", "source", "triggers")]
    query = select(*columns).where(versions.c.workflow == name).order_by(versions.c.version.desc())
    async with database.read() as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [row_as(Version, row, plan={}, source={}) for row in rows]


async def get_version(database: Database, name: str, number: int | None = None) -> Version | None:
    """Return a version by its number, or the newest."""
    async with database.read() as connection:
        return await _version(connection, name, number)


async def _lock_workflow(connection: AsyncConnection, plan: Plan, now: datetime) -> None:
    """Make the workflow's row if it is missing, and hold it so that version numbers follow each other."""
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(workflows)
    await connection.execute(
        insert.values(name=plan.workflow, description=plan.description, labels=plan.labels, created_at=now)
        .on_conflict_do_nothing(index_elements=["name"])
    )  # fmt: skip
    await connection.execute(select(workflows.c.name).where(workflows.c.name == plan.workflow).with_for_update())


async def _version(connection: AsyncConnection, name: str, number: int | None) -> Version | None:
    if number is not None and not 0 < number <= MAX_INTEGER:
        return None
    query = select(versions).where(versions.c.workflow == name)
    if number is None:
        query = query.order_by(versions.c.version.desc()).limit(1)
    else:
        query = query.where(versions.c.version == number)
    row = (await connection.execute(query)).mappings().first()
    return row_as(Version, row) if row else None


def _newest() -> Select[Any]:
    """Select each workflow with its newest version and the id of its last run."""
    newest = (
        select(versions.c.workflow, func.max(versions.c.version).label("version"))
        .group_by(versions.c.workflow)
        .subquery()
    )
    last_run = (
        select(runs.c.id)
        .where(runs.c.workflow == workflows.c.name)
        .order_by(runs.c.created_at.desc(), runs.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            workflows,
            versions.c.version,
            versions.c.plan_hash,
            versions.c.bundle,
            versions.c.triggers,
            last_run.label("last_run_id"),
        )
        .join(newest, newest.c.workflow == workflows.c.name)
        .join(versions, (versions.c.workflow == newest.c.workflow) & (versions.c.version == newest.c.version))
    )


async def _workflows(database: Database, query: Select[Any]) -> list[Workflow]:
    async with database.read() as connection:
        rows = (await connection.execute(query)).mappings().all()
        last = await _runs(connection, rows)
    return [row_as(Workflow, row, last_run=last.get(row["last_run_id"])) for row in rows]


async def _runs(connection: AsyncConnection, rows: Any) -> dict[str, Run]:
    ids = [row["last_run_id"] for row in rows if row["last_run_id"] is not None]
    if not ids:
        return {}
    found = (await connection.execute(select(*RUN_COLUMNS).where(runs.c.id.in_(ids)))).mappings()
    return {row["id"]: row_as(Run, row) for row in found}
