"""The embedded stack: everything Segue needs on one machine, each part a process of its own.

Temporal, an object store, the API and the workers are the ones a production service runs, with their state in one
folder, so a run behaves here as it does there. This module decides what runs and in which order; it runs no step and
serves no request itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import TextIO

from segue.secret_sources import FOLDER, PREFIX
from workers.parts import Part
from workers.ports import choose_ports
from workers.temporal_server import server_command
from workflows.plan import CONTROL_QUEUE

START_SECONDS = 60.0
STOP_SECONDS = 4.0
"""For each of the two groups (ours, then the servers beneath): Ctrl-C ends everything within 10 s."""
WATCH_SECONDS = 0.2


class StackError(Exception):
    """The stack cannot start or go on; the message says which part, why, and what to do."""


class Stack:
    """One machine's Segue, as a context manager.

    Entering starts it and waits until it answers; leaving stops every process. A part that dies is started again;
    one that keeps dying ends the stack.

    Args:
        data: Folder of all state; made if absent. One stack at a time may use it.
        queues: Step queues that get a worker each.
        s3: Keep objects in a SeaweedFS server instead of a folder.
        api_port: Port of the API and the web page; None: a free one, the same as last time if possible.
        temporal_port: Port of Temporal's front end; likewise.
        log: Is told, in one line, what a person should know.

    Raises:
        StackError: On entering.
    """

    def __init__(
        self,
        data: Path,
        queues: Sequence[str] = ("cpu", "gpu"),
        *,
        s3: bool = False,
        api_port: int | None = None,
        temporal_port: int | None = None,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.data = data.resolve()
        self.service: dict[str, object] = {}
        self.parts: list[Part] = []
        self._queues = tuple(dict.fromkeys(queues))
        self._s3 = s3
        self._wanted = {"api": api_port, "temporal": temporal_port, "temporal_ui": None}
        self._log = log
        self._lock: TextIO | None = None
        self._stopping = threading.Event()
        self._settled = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="segue-stack", daemon=True)

    def __enter__(self) -> Stack:
        """Start every part and wait until the API and Temporal answer."""
        self.data.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.data / "lock")
        self._thread.start()
        try:
            while not self._settled.wait(WATCH_SECONDS):
                pass
        except BaseException:
            self._leave()
            raise
        if self._failure:
            self._leave()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every part, newest first."""
        self._leave()

    def wait(self) -> None:
        """Block until SIGINT or SIGTERM.

        Raises:
            StackError: A part keeps dying.
        """

        def stop(_number: int, _frame: FrameType | None) -> None:
            self._stopping.set()

        previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            while not self._stopping.wait(WATCH_SECONDS) and self._thread.is_alive():
                pass
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        if self._failure:
            raise self._failure

    def _leave(self) -> None:
        self._stopping.set()
        self._thread.join()
        (self.data / "service.json").unlink(missing_ok=True)
        if self._lock:
            self._lock.close()

    def _run(self) -> None:
        """The thread that owns the parts: starts them, watches them, stops them."""
        try:
            self._start()
            self._settled.set()
            while not self._stopping.wait(WATCH_SECONDS):
                self._watch()
        except BaseException as error:
            self._failure = error
        finally:
            _stop(self.parts)
            self._settled.set()

    def _start(self) -> None:
        ports = choose_ports(self.data / "ports.json", self._wanted)
        logs = self.data / "logs"
        logs.mkdir(exist_ok=True)
        environment = self._environment(ports)

        def begin(name: str, command: list[str], *, steps: bool = False) -> Part:
            part = Part(name, command, environment if steps else without_secrets(environment), logs)
            self.parts.append(part)
            part.start()
            return part

        temporal = begin("temporal", server_command(self.data / "temporal.db", ports["temporal"], ports["temporal_ui"]))
        if self._s3:
            self._start_s3(environment, begin)
        key = _api_key(self.data / "api-key")
        asyncio.run(_prepare_database(environment["SEGUE_DATABASE_URL"], key))
        ours = [sys.executable, "-P", "-m", "segue"]
        api = begin("api", [*ours, "api"])
        begin("worker control", [*ours, "worker", "--queue", CONTROL_QUEUE])
        for queue in self._queues:
            begin(f"worker {queue}", [*ours, "worker", "--queue", queue], steps=True)
        self._until(temporal, lambda: asyncio.run(_temporal_answers(environment["SEGUE_TEMPORAL_ADDRESS"])))
        url = f"http://127.0.0.1:{ports['api']}"
        self._until(api, lambda: _answers(f"{url}/api/v1/health"))
        self.service = {
            "api_url": url,
            "api_key": key,
            "ui_url": f"{url}/#key={key}",
            "temporal_address": environment["SEGUE_TEMPORAL_ADDRESS"],
            "temporal_ui_url": environment["SEGUE_TEMPORAL_UI_URL"],
            "pid": os.getpid(),
        }
        _write_private(self.data / "service.json", json.dumps(self.service, indent=2))

    def _start_s3(self, environment: dict[str, str], begin: Callable[[str, list[str]], Part]) -> None:
        from workers.seaweedfs import SeaweedFS

        server = SeaweedFS(self.data / "seaweedfs")
        environment.update(server.environment())
        part = begin("seaweedfs", server.command())
        self._until(part, server.answers)

    def _environment(self, ports: dict[str, int]) -> dict[str, str]:
        """Return the environment of our processes: the caller's, with what it leaves open decided here."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment.setdefault("SEGUE_DATABASE_URL", f"sqlite+aiosqlite:///{self.data / 'segue.db'}")
        environment.setdefault("SEGUE_OBJECT_STORE", (self.data / "objects").as_uri())
        environment.setdefault("SEGUE_CACHE_DIR", str(self.data / "cache"))
        environment["SEGUE_TEMPORAL_ADDRESS"] = f"127.0.0.1:{ports['temporal']}"
        environment["SEGUE_TEMPORAL_NAMESPACE"] = "default"
        environment["SEGUE_TEMPORAL_UI_URL"] = f"http://127.0.0.1:{ports['temporal_ui']}"
        environment["SEGUE_API_HOST"] = "127.0.0.1"
        environment["SEGUE_API_PORT"] = str(ports["api"])
        environment.setdefault("SEGUE_PUBLIC_URL", f"http://127.0.0.1:{ports['api']}")
        return environment

    def _until(self, part: Part, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self._stopping.is_set():
                raise StackError("stopped while starting")
            if part.exit_status() is not None:
                raise StackError(f"{part.name} ended while starting ({part.log_path}):\n{part.log_tail()}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{part.name} does not answer after {START_SECONDS:.0f} s ({part.log_path}):\n{part.log_tail()}"
                )
            time.sleep(0.05)

    def _watch(self) -> None:
        for part in self.parts:
            status = part.exit_status()
            if status is None:
                continue
            if not part.may_restart():
                raise StackError(f"{part.name} keeps dying ({part.log_path}):\n{part.log_tail()}")
            self._log(f"{part.name} ended ({_ending(status)}); starting it again")
            part.start()


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for those who run no steps: without the secrets of steps."""
    return {name: value for name, value in environment.items() if not name.startswith(PREFIX) and name != FOLDER}


def _stop(parts: list[Part]) -> None:
    """Stop our own processes first, all at once, then the servers beneath them."""
    servers = [part for part in parts if part.name in ("temporal", "seaweedfs")]
    ours = [part for part in parts if part not in servers]
    for group in (ours, servers):
        for part in group:
            part.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for part in group:
            part.stop(deadline)


def _lock(path: Path) -> TextIO:
    """Take the data folder's lock, held until the file is closed or the process ends however it ends."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise StackError(
            f"{path.parent} is in use by another segue (process {holder}): use that one, stop it, or give --data."
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _api_key(path: Path) -> str:
    """Return the stack's API key, made at the first start."""
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


async def _prepare_database(url: str, key: str) -> None:
    from store.database import Database
    from store.keys import add_key

    database = Database(url)
    try:
        await database.migrate()
        await add_key(database, "segue dev", key)
    finally:
        await database.close()


async def _temporal_answers(address: str) -> bool:
    from temporalio.client import Client

    with contextlib.suppress(RuntimeError):
        return await (await Client.connect(address)).service_client.check_health()
    return False


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit code {status}"
