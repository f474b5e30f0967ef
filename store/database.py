"""The connection to the metadata database: SQLite for the embedded stack, PostgreSQL for a service.

It opens transactions and brings the tables up to date. What is asked and written is in the query modules, one noun a
file. A query never waits longer than the database's timeout, and whatever keeps it from an answer is
`DatabaseUnavailable`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Table, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.migrations import DatabaseTooNew, upgrade

__all__ = ["Database", "DatabaseTooNew", "DatabaseUnavailable"]

MIGRATION_SECONDS = 300.0
MIGRATION_LOCK = 0x5E60E
"""Number of the advisory lock under which one process at a time migrates."""

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


class DatabaseUnavailable(Exception):
    """The database cannot be reached, is locked for too long, or refuses us; the same call may succeed later."""

    code = "database_unavailable"

    def __init__(self, database: str, problem: str) -> None:
        super().__init__(f"the database {database} cannot be used: {problem}")
        self.database = database
        self.problem = problem


class Database:
    """The metadata database, for one event loop.

    Attributes:
        address: Its url without the password.
    """

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        """Prepare it; nothing is contacted before the first call.

        Args:
            url: `sqlite:///path` or `postgresql://user:password@host/name`.
            timeout: Seconds that connecting, and each statement, may take.

        Raises:
            ValueError: The url is of no kind we know.
        """
        self._url = _checked(url)
        self._is_sqlite = self._url.get_backend_name() == "sqlite"
        self.address = self._url.render_as_string(hide_password=True)
        self._engine = self._open(timeout)
        self._reader = self._engine.execution_options(**({} if self._is_sqlite else _SNAPSHOT))
        self._writer = self._engine.execution_options(**(_IMMEDIATE if self._is_sqlite else {}))
        self._upserts: dict[tuple[str, ...], Any] = {}
        # SQLite has one writer; in a queue of ours each waits its turn instead of asking again and again.
        self._turn: contextlib.AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if self._is_sqlite else contextlib.nullcontext()
        )

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection that sees one state of the database; what it writes is undone."""
        async with self._errors(), self._reader.connect() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection whose changes are all kept when the block ends, and none when it raises."""
        async with self._turn, self._errors(), self._writer.begin() as connection:
            yield connection

    def upsert(self, table: Table, columns: list[str]) -> Any:
        """Return an INSERT of rows that updates `columns` where the primary key is there already."""
        made = self._upserts.get((table.name, *columns))
        if made is None:  # to build it takes longer than to run it
            insert = sqlite.insert(table) if self._is_sqlite else postgresql.insert(table)
            key = [column.name for column in table.primary_key]
            made = insert.on_conflict_do_update(index_elements=key, set_={c: insert.excluded[c] for c in columns})
            self._upserts[table.name, *columns] = made
        return made

    async def ping(self) -> None:
        """Ask the database for an answer."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def migrate(self) -> None:
        """Bring the tables up to date; several processes may do so at once, one does it and the others wait.

        Raises:
            DatabaseTooNew: A newer Segue has been here.
        """
        if self._is_sqlite and self._url.database:
            Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = self._open(MIGRATION_SECONDS)
        try:
            async with self._errors(), engine.execution_options(**_IMMEDIATE).begin() as connection:
                if not self._is_sqlite:
                    await connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                await connection.run_sync(upgrade)
        finally:
            await engine.dispose()

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    def _open(self, timeout: float) -> AsyncEngine:
        if not self._is_sqlite:
            settings = {"application_name": "segue"}
            arguments = {"timeout": timeout, "command_timeout": timeout, "server_settings": settings}
            return create_async_engine(
                self._url, connect_args=arguments, pool_timeout=timeout, pool_pre_ping=True, pool_use_lifo=True
            )
        engine = create_async_engine(self._url, connect_args={"timeout": timeout}, pool_timeout=timeout)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine

    @contextlib.asynccontextmanager
    async def _errors(self) -> AsyncIterator[None]:
        try:
            yield
        except (OSError, PoolTimeoutError, OperationalError, InterfaceError) as error:
            raise DatabaseUnavailable(self.address, _sentence(error)) from error
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None) or ""
            if not error.connection_invalidated and state[:2] not in _AWAY:
                raise
            raise DatabaseUnavailable(self.address, _sentence(error)) from error


_AWAY = frozenset({"08", "28", "3D", "40", "53", "55", "57", "58"})
"""Classes of PostgreSQL's error codes that are not about what was asked: connection, login, missing database, deadlock,
resources, locks, shutdown, disk."""

_SNAPSHOT: dict[str, Any] = {"isolation_level": "REPEATABLE READ"}
_IMMEDIATE: dict[str, Any] = {"segue_begin": "BEGIN IMMEDIATE"}


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    backend = parsed.drivername.split("+")[0] if parsed else ""
    if parsed is None or backend not in DRIVERS:
        raise ValueError("the database's url must be sqlite:///path or postgresql://user:password@host/name")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("a database in memory cannot be shared between processes: give a path, sqlite:///path")
    return parsed.set(drivername=DRIVERS[backend])


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions are begun by us: the driver would not lock before the first write, and then fail instead of waiting.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "temp_store = MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("segue_begin", "BEGIN"))


def _sentence(error: BaseException) -> str:
    """Return the driver's own words, without the statement and its parameters."""
    original = getattr(error, "orig", None) or error
    return str(original).strip() or type(original).__name__
