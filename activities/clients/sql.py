"""Runs the statements of an sql step, for `activities.operators.sql`.

On SIGTERM it has the database stop what it does. It prints no value and no password: what it prints is the step's log.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from .rows import Rows, Unfit

FETCHED = 1_000
STOP_SECONDS = 3.0
DRIVERS = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
"""The driver that every worker has, where the URL names none."""
# A client that was killed leaves its statement running, unless the server looks for it.
WATCH_CLIENT = "SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'"
_STREAMED = re.compile(r"\s*(SELECT|VALUES|TABLE|WITH(?!.*\b(INSERT|UPDATE|DELETE|MERGE)\b))\b", re.I | re.S)
_WORTH_ANOTHER_TRY = ("08", "40", "53", "57", "58", "55P03")
"""Classes of SQLSTATE: connection, serialization and deadlock, resources, an operator's hand, the system, a lock."""
_SQLITE_TRY_AGAIN = frozenset({5, 6, 10, 13, 14, 15})  # BUSY, LOCKED, IOERR, FULL, CANTOPEN, PROTOCOL


class Failed(Exception):
    """The step's failure."""

    def __init__(self, type: str, message: str, *, retryable: bool = False, **detail: Any) -> None:
        super().__init__(message)
        self.report = {"type": type, "message": message, "detail": detail, "retryable": retryable}


class Client:
    """The statements of one job, and the connection that they run on."""

    def __init__(self, job: dict[str, Any], folder: Path) -> None:
        self.job = job
        self.url = address(job["url"])
        self.rows = Rows(folder, job["inline"], job["format"])
        self.raw: Any = None

    def run(self, connection: sa.Connection) -> dict[str, Any]:
        """Run the statements, and return the output of the last one."""
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(WATCH_CLIENT)
        self.raw = connection.connection.driver_connection
        output: dict[str, Any] = {}
        for number, statement in enumerate(self.job["statements"], 1):
            began = time.monotonic()
            output = self.one(connection, statement, last=number == len(self.job["statements"]))
            took = (time.monotonic() - began) * 1000
            print(f"{first_line(statement)} -> {output['count']} rows in {took:.0f} ms")
        return output

    def one(self, connection: sa.Connection, statement: str, *, last: bool) -> dict[str, Any]:
        """Run one statement; rows of those before the last are counted and dropped."""
        clause = bound(statement, self.job["parameters"])
        streamed = last and _STREAMED.match(statement) is not None
        result = connection.execute(clause, execution_options={"stream_results": streamed})
        if not result.returns_rows:
            return {"count": max(0, result.rowcount), "columns": [], "rows": [], "file": None}
        self.rows.begin(list(result.keys()), keep=last)
        while batch := result.fetchmany(FETCHED):
            self.rows.add([tuple(row) for row in batch])
        return self.rows.output()


def address(text: str) -> sa.URL:
    """Return the database's address, with a driver that is there."""
    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise Failed("InputInvalid", "with.url is no URL of a database, such as postgresql://host/name") from None
    url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":", "/", "file:")):
        message = "with.url: a step's folder goes with the step: write an absolute path, as in sqlite:////srv/runs.db"
        raise Failed("InputInvalid", message)
    try:
        url.get_dialect().import_dbapi()
    except NoSuchModuleError:
        raise Failed("InputInvalid", f'with.url: there is no kind of database "{url.drivername}"') from None
    except ImportError as error:
        message = f'this worker has no driver for "{url.drivername}": install {error.name} in its environment'
        raise Failed("InputInvalid", message) from None
    return url


def bound(statement: str, parameters: dict[str, Any]) -> sa.TextClause:
    """Return a statement with its values bound; never formatted in."""
    clause = sa.text(statement)
    for name in [name for name in clause._bindparams if name in parameters]:
        value = parameters[name]
        if isinstance(value, list) and re.search(rf"\bIN\s+:{re.escape(name)}\b", statement, re.IGNORECASE):
            kinds = {type(item): typed(item)[1] for item in value}
            kind = next(iter(kinds.values())) if len(kinds) == 1 else None
            clause = clause.bindparams(sa.bindparam(name, value, kind, expanding=True))
        else:
            clause = clause.bindparams(sa.bindparam(name, *typed(value)))
    return clause


def typed(value: Any) -> tuple[Any, Any]:
    """Return a value with its type in the database; what has none there goes as JSON text."""
    match value:
        case bool():
            return value, sa.Boolean()
        case int():
            return value, sa.BigInteger()
        case float():
            return value, sa.Double()
        case list() | dict():
            return json.dumps(value, ensure_ascii=False), sa.Text()
        case str():
            return value, sa.Text()
    return value, None


def first_line(statement: str) -> str:
    """Return a statement as the log shows it."""
    line = next((line.strip() for line in statement.splitlines() if line.strip()), "")
    return line if len(line) <= 80 else line[:77] + "..."


def run_blocking(client: Client) -> dict[str, Any]:
    """Run with a driver that blocks, in a thread, so that SIGTERM is heard meanwhile."""
    done: list[Any] = []
    engine = sa.create_engine(client.url, hide_parameters=True, poolclass=sa.pool.NullPool)

    def work() -> None:
        try:
            with engine.begin() as connection:
                done.append(client.run(connection))
        except BaseException as error:
            done.append(error)

    def stop(*_: object) -> None:
        interrupt = getattr(client.raw, "interrupt", None) or getattr(client.raw, "cancel", None)
        if interrupt is not None:
            with contextlib.suppress(Exception):
                interrupt()
        threading.Timer(STOP_SECONDS, os._exit, (1,)).start()

    signal.signal(signal.SIGTERM, stop)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    if isinstance(done[0], BaseException):
        raise done[0]
    output: dict[str, Any] = done[0]
    return output


async def run_async(client: Client) -> dict[str, Any]:
    """Run with a driver that does not block; SIGTERM cancels the statement."""
    from sqlalchemy.ext.asyncio import create_async_engine  # 0.1 s that SQLite has no use for

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    engine = create_async_engine(client.url, hide_parameters=True, poolclass=sa.pool.NullPool)
    async with engine.begin() as connection:
        return await connection.run_sync(client.run)


def failure(error: BaseException, secrets: list[str]) -> Failed:
    """Return the step's failure for what a driver raised."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    message = str(original).strip() or type(original).__name__
    # asyncpg's are wrapped twice, and begin with the name of the inner class.
    message = re.sub(r"^<class '[\w.]+'>: ", "", message)
    for secret in secrets:
        message = message.replace(secret, "***")
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    detail = {"sqlstate": state} if state else {}
    return Failed("SqlError", message, retryable=worth_another_try(error, original, state), **detail)


def worth_another_try(error: BaseException, original: BaseException, state: str | None) -> bool:
    """Tell whether the same statements may succeed later."""
    if state:
        return state.startswith(_WORTH_ANOTHER_TRY)
    code = getattr(original, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_TRY_AGAIN
    final = (sa.exc.ProgrammingError, sa.exc.IntegrityError, sa.exc.DataError, sa.exc.NotSupportedError)
    return not isinstance(error, final) and isinstance(error, DBAPIError | OSError | TimeoutError)


def main(folder: Path) -> int:
    """Run the job in a folder; return the exit code."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    secrets: list[str] = []
    try:
        client = Client(job, folder)
        secrets = [part for part in (client.url.password, *map(str, client.url.query.values())) if part]
        asynchronous = client.url.get_dialect().is_async
        output = asyncio.run(run_async(client)) if asynchronous else run_blocking(client)
        (folder / "output.json").write_text(json.dumps(output, ensure_ascii=False), encoding="utf-8")
        return 0
    except Failed as error:
        report = error.report
    except Unfit as error:
        report = Failed("OutputInvalid", str(error)).report
    except (SQLAlchemyError, OSError, TimeoutError, ValueError) as error:
        report = failure(error, secrets).report
    (folder / "error.json").write_text(json.dumps(report), encoding="utf-8")
    return 1
