"""Servers and databases of the store tests: one server of each kind a session, a fresh database for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from store.database import Database
from tests.servers import PostgreSQL


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
async def template(postgresql: PostgreSQL) -> str:
    """Name of a database that has the tables."""
    name = await postgresql.create_database()
    database = Database(postgresql.url(name))
    await database.migrate()
    await database.close()
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path, postgresql: PostgreSQL) -> str:
    """Address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/segue.db"
    return postgresql.url(await postgresql.create_database())


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path, postgresql: PostgreSQL, template: str) -> str:
    """Address of a database that has the tables, or gets them from `database`."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/segue.db"
    return postgresql.url(await postgresql.create_database(template))


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A database with tables and nothing in them."""
    database = Database(url)
    await database.migrate()
    yield database
    await database.close()
