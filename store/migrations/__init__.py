"""Brings the tables of an existing or an empty database up to date, by Alembic.

A new migration is drafted by `python -m store.migrations "What it does"`; a test says when one is missing. A released
migration is never edited, and there is no way back but a backup.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection


class DatabaseTooNew(Exception):
    """The database was migrated by a newer version of Segue than this one."""

    code = "database_too_new"

    def __init__(self, revision: str) -> None:
        super().__init__(f"the database is of a newer Segue (revision {revision}): upgrade this one")
        self.revision = revision


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing, within the connection's transaction.

    Raises:
        DatabaseTooNew: The database's revision is none that this code knows.
    """
    # Alembic takes 0.2 s to import, which `segue --help` and step workers need not pay.
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    current = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(config)
    if current == scripts.get_current_head():
        return
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseTooNew(current)
    command.upgrade(config, "head")


def alembic_config(connection: Connection) -> Any:
    """Return Alembic's configuration for work through `connection`."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
