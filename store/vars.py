"""The service's variables: what `vars.NAME` means in expressions, as of a run's start."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import delete, select

from store.database import Database
from store.tables import variables
from workflows.messages import JSON


async def get_vars(database: Database) -> dict[str, JSON]:
    """Return all variables by name."""
    async with database.read() as connection:
        rows = await connection.execute(select(variables.c.name, variables.c.value).order_by(variables.c.name))
        return {name: value for name, value in rows}  # noqa: C416 - dict(rows) is untyped


async def set_var(database: Database, name: str, value: JSON) -> None:
    """Make or change a variable; runs that have started keep the value they saw."""
    async with database.write() as connection:
        await connection.execute(
            database.upsert(variables, ["value", "updated_at"]),
            [{"name": name, "value": value, "updated_at": datetime.now(UTC)}],
        )


async def delete_var(database: Database, name: str) -> bool:
    """Remove a variable; say whether it was there."""
    async with database.write() as connection:
        done = await connection.execute(delete(variables).where(variables.c.name == name))
        return done.rowcount > 0
