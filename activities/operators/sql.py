"""The sql operator: statements for a database, in one transaction, in a process of their own.

What waits for the database is that process, so neither a driver that hangs nor one that crashes hurts the worker. When
the step is cancelled it has the database stop the statement, and is then gone like any step's process.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from activities.attempt import Attempt
from activities.helper import run_helper
from activities.operators.given import Given, connection, given
from activities.references import Inputs
from workflows.messages import JSON

CANCEL_SECONDS = 5.0
"""How long the database may take to stop a statement before its client is killed."""


class SqlGiven(Given):
    """What stands under `with`."""

    url: str | None = None
    connection: str | None = None
    sql: str | list[str]
    parameters: dict[str, Any] = Field(default_factory=dict)
    inline: int = 1_000
    format: str | None = None


class SqlOperator:
    """Runs `inputs.sql`; its output is `{"count", "columns", "rows", "file"}`, of the last statement."""

    async def run(self, attempt: Attempt) -> JSON:
        """Run the statements; see `Operator`."""
        wanted = given(SqlGiven, await Inputs(attempt).local(attempt.task.inputs))
        job = {
            "url": connection(wanted.connection) if wanted.connection else wanted.url,
            "statements": [wanted.sql] if isinstance(wanted.sql, str) else wanted.sql,
            "parameters": wanted.parameters,
            "inline": wanted.inline,
            "format": wanted.format,
        }
        return await run_helper(attempt, "sql", job, "the database client", grace=CANCEL_SECONDS)
