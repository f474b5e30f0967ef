"""What Alembic runs for every command; the connection comes from `store.migrations`."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

from store.tables import metadata


def _plain_type(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our column types as the SQL types beneath them: a migration must mean the same for ever."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter most of a table; Alembic then copies it.
    render_as_batch=True,
    render_item=_plain_type,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
