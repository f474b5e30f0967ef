"""Draft the next migration: `python -m store.migrations "What it does"` writes it beside the others, to be reviewed."""

from __future__ import annotations

import sys

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from store.migrations import alembic_config, upgrade


def main(message: str) -> None:
    """Compare the tables with what the migrations make of an empty SQLite database, and write the difference."""
    with create_engine("sqlite://").begin() as connection:
        upgrade(connection)
        config = alembic_config(connection)
        number = sum(1 for _ in ScriptDirectory.from_config(config).walk_revisions()) + 1
        command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
