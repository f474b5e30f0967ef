"""The sql operator against SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pyarrow.parquet as pq
import pytest

from activities.clients.rows import Rows, Unfit
from tests.activities.conftest import Steps
from tests.waiting import eventually
from workflows.messages import StepResult


async def sql(steps: Steps, url: str, statements: Any, **inputs: Any) -> StepResult:
    return await steps.run("sql", inputs={"url": url, "sql": statements, **inputs})


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/runs.db"


async def test_rows_are_the_output(steps: Steps, database: str) -> None:
    made = [
        "CREATE TABLE runs (id INTEGER, name TEXT, score REAL)",
        "INSERT INTO runs VALUES (1, 'é', 0.5), (2, NULL, 1)",
    ]
    changed = await sql(steps, database, made)
    assert changed.value == {"count": 2, "columns": [], "rows": [], "file": None}
    read = await sql(steps, database, "SELECT * FROM runs ORDER BY id")
    rows = [{"id": 1, "name": "é", "score": 0.5}, {"id": 2, "name": None, "score": 1.0}]
    assert read.value == {"count": 2, "columns": ["id", "name", "score"], "rows": rows, "file": None}
    [line] = steps.log(read.folder)
    assert line.startswith("SELECT * FROM runs ORDER BY id -> 2 rows in ")


async def test_values_are_bound_and_never_part_of_a_statement(steps: Steps, database: str) -> None:
    hostile = "x'; DROP TABLE runs; --"
    statements = ["CREATE TABLE runs (name TEXT)", "INSERT INTO runs VALUES (:name)", "SELECT name FROM runs"]
    result = await sql(steps, database, statements, parameters={"name": hostile})
    assert result.value["rows"] == [{"name": hostile}]
    result = await sql(
        steps,
        database,
        "SELECT :flag AS flag, :big AS big, :none AS none, :list AS list, 5 IN :among AS found, '\\:x' AS colon",
        parameters={"flag": True, "big": 2**40, "none": None, "list": [1, "é"], "among": [4, 5]},
    )
    [row] = result.value["rows"]
    assert row == {"flag": 1, "big": 2**40, "none": None, "list": '[1, "é"]', "found": 1, "colon": ":x"}


async def test_statements_are_one_transaction(steps: Steps, database: str) -> None:
    await sql(steps, database, "CREATE TABLE runs (id INTEGER PRIMARY KEY)")
    failure = await steps.failure(sql(steps, database, ["INSERT INTO runs VALUES (1)", "INSERT INTO runs VALUES (1)"]))
    assert (failure.type, failure.message) == ("SqlError", "UNIQUE constraint failed: runs.id")
    assert failure.non_retryable
    assert (await sql(steps, database, "SELECT * FROM runs")).value["count"] == 0


@pytest.mark.parametrize(
    ("format", "name"), [(None, "rows.parquet"), ("parquet", "rows.parquet"), ("ndjson", "rows.ndjson")]
)
async def test_many_rows_are_a_file(steps: Steps, database: str, tmp_path: Path, format: str | None, name: str) -> None:
    count = """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
        SELECT i, CASE WHEN i > 15000 THEN 'late' END AS late FROM n
    """
    given = {"inline": 10} | ({"format": format} if format else {})
    result = await sql(steps, database, count, **given)
    assert (result.value["count"], result.value["columns"], result.value["rows"]) == (25_000, ["i", "late"], None)
    assert result.value["file"]["name"] == name
    data = steps.objects.get(result.value["file"]["key"])
    if name.endswith(".ndjson"):
        lines = data.decode().splitlines()
        assert (len(lines), json.loads(lines[0]), json.loads(lines[-1])["late"]) == (
            25_000,
            {"i": 1, "late": None},
            "late",
        )
        return
    (tmp_path / name).write_bytes(data)
    table = pq.read_table(tmp_path / name)
    assert [str(kind) for kind in table.schema.types] == ["int64", "string"]
    assert table.column("i").to_pylist() == [*range(1, 25_001)]
    assert table.column("late").null_count == 15_000


async def test_file_of_rows_reaches_a_python_step_as_a_path(steps: Steps, database: str) -> None:
    made = await sql(steps, database, "SELECT 1 AS a UNION SELECT 2", inline=0, format="ndjson")
    code = "def f(file): return file.read_text()"
    read = await steps.python(code, inputs={"file": made.value["file"]})
    assert read.value == '{"a":1}\n{"a":2}\n'


def test_parquet_without_pyarrow_is_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unfit, match=r"no pyarrow.*format: ndjson"):
        Rows(tmp_path, 0, "parquet")
    rows = Rows(tmp_path, 0, None)
    rows.begin(["a"], keep=True)
    rows.add([(1,)])
    assert rows.output()["file"]["path"].endswith("rows.ndjson")


@pytest.mark.parametrize(
    ("inputs", "type", "message"),
    [
        ({"url": "nonsense"}, "InputInvalid", "with.url is no URL of a database"),
        ({"url": "sqlite:///here.db"}, "InputInvalid", "write an absolute path"),
        ({"url": "nosuch://me:geheim@x/y"}, "InputInvalid", 'there is no kind of database "nosuch"'),
        ({"url": "mysql+pymysql://me:geheim@x/y"}, "InputInvalid", "install pymysql in its environment"),
        ({"connection": "warehouse"}, "InputInvalid", "set SEGUE_CONNECTION_WAREHOUSE"),
        ({"inline": "5"}, "InputInvalid", "with.inline: Input should be a valid integer"),
        ({"sql": "SELEC 1"}, "SqlError", 'near "SELEC": syntax error'),
        ({"sql": "SELECT 1 AS a, 2 AS a"}, "OutputInvalid", "several columns called a: name them with AS"),
        ({"sql": "SELECT 1 AS a UNION SELECT 'x'", "inline": 0}, "OutputInvalid", "column a: .*CAST"),
    ],
)
async def test_what_cannot_work_fails_for_good_and_says_why(
    steps: Steps, inputs: dict[str, Any], type: str, message: str
) -> None:
    given = {"sql": "SELECT 1", **({} if "connection" in inputs else {"url": "sqlite://"}), **inputs}
    failure = await steps.failure(steps.run("sql", inputs=given))
    assert (failure.type, failure.non_retryable) == (type, True)
    assert re.search(message, failure.message), failure.message
    assert "geheim" not in failure.message + "".join(steps.log(failure.details[1]["folder"]))


async def test_locked_database_is_worth_another_try(steps: Steps, database: str) -> None:
    with sqlite3.connect(database.removeprefix("sqlite:///")) as held:
        held.execute("BEGIN EXCLUSIVE")
        failure = await steps.failure(sql(steps, database + "?timeout=0.1", "CREATE TABLE t (a)"))
    assert (failure.type, failure.message, failure.non_retryable) == ("SqlError", "database is locked", False)


async def test_connection_is_the_workers_own(steps: Steps, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_CONNECTION_WAREHOUSE", database)
    result = await steps.run("sql", inputs={"connection": "warehouse", "sql": "SELECT 1 AS one"})
    assert result.value["rows"] == [{"one": 1}]


async def test_cancel_interrupts_a_statement_of_sqlite(steps: Steps, database: str, tmp_path: Path) -> None:
    await sql(steps, database, "CREATE TABLE t (a)")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    statements = ["INSERT INTO t VALUES (1)", endless]
    running, attempt = steps.start("sql", inputs={"url": database, "sql": statements})
    task = asyncio.create_task(attempt)
    journal = Path(f"{tmp_path}/runs.db-journal")
    await eventually(journal.exists)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await sql(steps, database, "SELECT * FROM t")).value["count"] == 0


async def test_postgresql_binds_streams_and_keeps_types(steps: Steps, postgresql_url: str) -> None:
    made = [
        "CREATE TABLE runs (id bigint, at timestamptz, price numeric(10, 2), tags jsonb)",
        "INSERT INTO runs VALUES (:id, CAST(:at AS timestamptz), CAST(:price AS numeric), CAST(:tags AS jsonb))",
    ]
    values = {"id": 2**40, "at": "2026-01-02T03:04:05Z", "price": "9.90", "tags": {"é": [1]}}
    assert (await sql(steps, postgresql_url, made, parameters=values)).value["count"] == 1
    read = await sql(steps, postgresql_url, "SELECT * FROM runs WHERE id IN :ids", parameters={"ids": [1, 2**40]})
    [row] = read.value["rows"]
    assert (row["id"], row["price"], row["tags"]) == (2**40, "9.90", {"é": [1]})
    assert row["at"].startswith("2026-01-02T03:04:05")
    many = await sql(steps, postgresql_url, "SELECT generate_series(1, 12000) AS n")
    assert (many.value["count"], many.value["rows"]) == (12_000, None)


async def test_postgresql_says_whether_another_try_makes_sense(steps: Steps, postgresql_url: str) -> None:
    failure = await steps.failure(sql(steps, postgresql_url, "SELECT * FROM nosuch"))
    assert (failure.message, failure.non_retryable) == ('relation "nosuch" does not exist', True)
    assert failure.details[0] == {"sqlstate": "42P01"}
    password = postgresql_url.partition("postgres:")[2].partition("@")[0]
    wrong = await steps.failure(sql(steps, postgresql_url.replace(password, "geheim"), "SELECT 1"))
    assert (wrong.type, wrong.non_retryable) == ("SqlError", True)
    assert "geheim" not in wrong.message
    deadlock = "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"
    assert not (await steps.failure(sql(steps, postgresql_url, deadlock))).non_retryable
    gone = await steps.failure(sql(steps, "postgresql://me:geheim@127.0.0.1:1/x", "SELECT 1"))
    assert (gone.type, gone.non_retryable) == ("SqlError", False)
    assert "geheim" not in gone.message


@pytest.mark.parametrize("how", ["cancel", "kill"])
async def test_postgresql_stops_the_statement_with_the_step(steps: Steps, postgresql_url: str, how: str) -> None:
    watcher: Any = await asyncpg.connect(postgresql_url)
    active = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND datname = current_database()"
    running_now = f"{active} AND pid <> pg_backend_pid()"
    running, attempt = steps.start("sql", inputs={"url": postgresql_url, "sql": "SELECT pg_sleep(600)"})
    task = asyncio.create_task(attempt)
    try:
        await eventually(lambda: watcher.fetch(running_now))
        if how == "cancel":
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            [client] = _working_in(steps.folder)
            os.kill(client, signal.SIGKILL)
            assert (await steps.failure(task)).type == "ExitCode"

        async def is_gone() -> bool:
            return not await watcher.fetch(running_now)

        await eventually(is_gone)
    finally:
        await watcher.close()


def _working_in(folder: Path) -> list[int]:
    """Return the processes whose working directory is below a folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if link.readlink().is_relative_to(folder):
                found.append(int(link.parent.name))
    return found
