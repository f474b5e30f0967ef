"""Tables come up to date by themselves, and a database that is away is told from one that says no."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from store.database import Database, DatabaseTooNew, DatabaseUnavailable
from store.tables import metadata
from store.vars import get_vars, set_var
from tests.servers import PostgreSQL

REPOSITORY = Path(__file__).parents[2]


async def test_migrations_make_the_tables_that_the_code_expects(empty_url: str) -> None:
    def difference(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    database = Database(empty_url)
    try:
        await database.migrate()
        await database.migrate()
        async with database.read() as connection:
            assert await connection.run_sync(difference) == []
        async with database.write() as connection:
            await connection.execute(text("DROP INDEX ix_runs_created_at_id"))
            assert len(await connection.run_sync(difference)) == 1
    finally:
        await database.close()


async def test_several_processes_may_migrate_at_once(empty_url: str) -> None:
    code = "import asyncio, sys; from store.database import Database; asyncio.run(Database(sys.argv[1]).migrate())"
    command = [sys.executable, "-W", "error", "-c", code, empty_url]
    several = [subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    endings = [(process.communicate()[1], process.returncode) for process in several]
    assert endings == [("", 0)] * 4
    database = Database(empty_url)
    assert await get_vars(database) == {}
    await database.close()


async def test_a_migration_that_fails_leaves_nothing(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (x INTEGER)"))
        raise RuntimeError("power cut")

    database = Database(empty_url)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("store.database.upgrade", half)
            with pytest.raises(RuntimeError):
                await database.migrate()
        await database.migrate()
        async with database.read() as connection:
            tables = await connection.run_sync(lambda c: c.dialect.get_table_names(c))
        assert "half" not in tables
        assert "runs" in tables
    finally:
        await database.close()


async def test_a_database_of_a_newer_segue_is_left_alone(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseTooNew, match=r"revision 9999.*upgrade"):
        await database.migrate()


async def test_a_write_is_kept_whole_or_not_at_all(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO vars VALUES ('X', '1', '2026-01-01 00:00:00')"))
            raise RuntimeError("died half way")

    with pytest.raises(RuntimeError):
        await fail()
    assert await get_vars(database) == {}


async def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    await set_var(database, "X", 1)
    async with database.read() as connection:
        first = (await connection.execute(text("SELECT value FROM vars"))).scalars().all()
        await set_var(database, "X", 2)
        assert (await connection.execute(text("SELECT value FROM vars"))).scalars().all() == first
    assert await get_vars(database) == {"X": 2}


async def test_many_writers_take_turns(url: str) -> None:
    several = [Database(url) for _ in range(3)]
    try:
        await several[0].migrate()
        await asyncio.gather(*(set_var(several[n % 3], f"X{n}", n) for n in range(60)))
        assert await get_vars(several[0]) == {f"X{n}": n for n in range(60)}
    finally:
        for database in several:
            await database.close()


@pytest.mark.parametrize(
    "address",
    ["postgresql://u:secret@127.0.0.1:1/x", "postgres://u:secret@127.0.0.1:1/x", "sqlite:////dev/null/x.db"],
)
async def test_a_database_that_is_away_is_said_so_in_time_and_without_secrets(address: str) -> None:
    database = Database(address, timeout=1)
    async with asyncio.timeout(20):
        with pytest.raises(DatabaseUnavailable) as away:
            await database.ping()
    assert "secret" not in str(away.value)
    await database.close()


async def test_a_wrong_password_and_a_full_server_are_said_so(postgresql: PostgreSQL) -> None:
    for address in (postgresql.url().replace("postgres:", "postgres:x", 1), postgresql.url("no_such_database")):
        database = Database(address, timeout=2)
        with pytest.raises(DatabaseUnavailable):
            await database.ping()
        await database.close()


async def test_a_silent_server_does_not_hang_its_caller() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = Database(f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/x", timeout=0.5)
        async with asyncio.timeout(20):
            with pytest.raises(DatabaseUnavailable):
                await database.ping()
        await database.close()


async def test_a_connection_that_was_cut_is_replaced(postgresql: PostgreSQL, template: str) -> None:
    name = await postgresql.create_database(template)
    database, other = Database(postgresql.url(name)), Database(postgresql.url())
    try:
        await set_var(database, "X", 1)
        async with other.write() as connection:
            ended = await connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
            )
            assert ended.scalars().all() == [True]
        assert await get_vars(database) == {"X": 1}
    finally:
        await database.close()
        await other.close()


async def test_a_lock_that_is_never_let_go_is_an_error_in_time(url: str) -> None:
    patient, hasty = Database(url), Database(url, timeout=0.3)
    try:
        await patient.migrate()
        await set_var(patient, "X", 1)
        async with patient.write() as connection:
            await connection.execute(text("UPDATE vars SET value = '2'"))
            with pytest.raises(DatabaseUnavailable):
                await set_var(hasty, "X", 3)
        await set_var(hasty, "X", 4)
        assert await get_vars(patient) == {"X": 4}
    finally:
        await patient.close()
        await hasty.close()


@pytest.mark.parametrize("url", ["", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "/x.db", "http://x"])
def test_an_address_of_no_kind_we_know_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="database"):
        Database(url)


def test_the_importer_of_tables_pays_for_no_migration_library() -> None:
    code = "import sys, store.database; sys.exit('alembic' in sys.modules or 'asyncpg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=os.environ, check=False).returncode == 0
