"""Runs a command for a step: in a session of its own, with its output in the log, and gone when the step is over.

The command sees no environment but the one it is given; `base_environment` says what of the worker's own a step may
see. Credentials of the service are never among it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from activities import oom
from activities.errors import StepFailed
from activities.logs import LogSink
from activities.memory import out_of_memory, watch

GRACE_SECONDS = 2.0
"""What a command gets to end by itself between SIGTERM and SIGKILL."""
MAX_VARIABLE_BYTES = 128 * 1024
"""Linux's MAX_ARG_STRLEN: the longest single argument or environment variable."""
BY_SIGNAL = 128
"""What a shell adds to the number of the signal that ended its command."""
GUARD = Path(__file__).with_name("guard.py")
DRAIN_SECONDS = 2.0
"""Bound on reading what is left in the pipes once all processes are gone."""

PASSED_ON = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    # Which devices a GPU worker may use, and where their libraries are.
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
)


def base_environment() -> dict[str, str]:
    """Return those variables of the worker's own environment that a step may see."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


@dataclass(frozen=True, slots=True)
class Command:
    """What to run.

    Attributes:
        argv: Program and arguments; looked up on the `PATH` of `env`.
        env: The whole environment.
        cwd: The folder it starts in.
        after: A command that ends its work elsewhere; run when nothing of it is left here, also when this worker was
            killed.
        folder: Of a Python step's job, for an interpreter that runs it without being started.
        nested: Its program only holds what it runs, and would take that along when it is asked to end.
        memory: Bytes that it and all that it starts may use; 0: there is no limit.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    after: tuple[str, ...] = ()
    folder: str = ""
    nested: bool = False
    memory: float = 0


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended: with a code, or by a signal.

    Attributes:
        out_of_memory: It or a command of its own was ended by SIGKILL, while the kernel was getting memory back.
    """

    code: int | None = None
    signal: int | None = None
    out_of_memory: bool = False

    @property
    def by(self) -> int | None:
        """The signal that ended the command, or one that it ran: a shell adds 128 to that one's number."""
        return self.signal or (self.code - BY_SIGNAL if self.code is not None and self.code > BY_SIGNAL else None)


class NeverStarted(Exception):
    """Whoever was to start a command is gone; nothing of the command has run."""


class ProcessHost:
    """Starts the commands of a worker's steps, through one guard process that is started when it is first needed.

    All calls come from one event loop.
    """

    def __init__(self) -> None:
        self._requests: socket.socket | None = None

    async def run(
        self,
        command: Command,
        log: LogSink,
        *,
        grace: float = GRACE_SECONDS,
        warm: socket.socket | None = None,
    ) -> Exit:
        """Run a command to its end; its output goes to `log`.

        On return, also by cancellation, no process of the command is left. A cancelled command gets SIGTERM and,
        after `grace` seconds, SIGKILL.

        Args:
            command: What to run.
            log: Gets its output.
            grace: Seconds between SIGTERM and SIGKILL.
            warm: Requests of an interpreter that goes on with the command's `folder` itself; None: the guard process.

        Raises:
            StepFailed: It could not be started, or wanted more memory than it may have.
            NeverStarted: That interpreter is gone.
        """
        killed_before = oom.kills()
        process = await self._start(command, warm)
        pumps = [
            asyncio.create_task(log.copy("stdout", process.stdout)),
            asyncio.create_task(log.copy("stderr", process.stderr)),
        ]
        try:
            exit = await (process.wait() if not command.memory else _within(process, command.memory))
            if warm is not None and not process.started:
                raise NeverStarted
            if exit.by == signal.SIGKILL and (killed_before or 0) < (oom.kills() or 0):
                exit = replace(exit, out_of_memory=True)
            return exit
        except asyncio.CancelledError:
            process.terminate()
            with contextlib.suppress(TimeoutError, StepFailed):
                await asyncio.wait_for(process.wait(), grace)
            raise
        finally:
            process.kill()
            try:
                with contextlib.suppress(StepFailed):
                    await process.wait()
                await asyncio.wait(pumps, timeout=DRAIN_SECONDS)
            finally:
                process.close()

    async def _start(self, command: Command, warm: socket.socket | None) -> _Process:
        for problem in _refusals(command):
            raise StepFailed("InputInvalid", problem, retryable=False)
        stdout, theirs_out = os.pipe()
        stderr, theirs_err = os.pipe()
        control, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as job, theirs:
            try:
                wanted: dict[str, Any] = {"argv": command.argv, "env": dict(command.env), "cwd": str(command.cwd)}
                wanted |= {"after": command.after} if command.after else {}
                wanted |= {"folder": command.folder} if warm is not None else {}
                wanted |= {"nested": True} if command.nested else {}
                job.write(json.dumps(wanted).encode())
                job.seek(0)
                await self._request([job.fileno(), theirs_out, theirs_err, theirs.fileno()], warm)
            except BaseException:
                for descriptor in (stdout, stderr):
                    os.close(descriptor)
                control.close()
                raise
            finally:
                os.close(theirs_out)
                os.close(theirs_err)
        return await _Process.connect(control, stdout, stderr)

    async def _request(self, descriptors: list[int], warm: socket.socket | None) -> None:
        """Hand a job to an interpreter, or to the guard process, which is started again should it be gone."""
        for _ in range(100):
            if warm is None and self._requests is None:
                self._requests = _spawn_guard()
                weakref.finalize(self, self._requests.close)
            requests = self._requests if warm is None else warm
            assert requests is not None
            try:
                socket.send_fds(requests, [b"j"], descriptors)
                return
            except BlockingIOError:
                await asyncio.sleep(0.01)
            except OSError:
                if warm is not None:
                    raise NeverStarted from None
                requests.close()
                self._requests = None
        raise StepFailed("WorkerLost", "this worker cannot start processes any more")


class _Process:
    """A command that was handed to a guard."""

    def __init__(
        self,
        reports: asyncio.StreamReader,
        orders: asyncio.StreamWriter,
        pipes: list[tuple[asyncio.StreamReader, asyncio.ReadTransport]],
    ) -> None:
        self._reports = reports
        self._orders = orders
        self._pipes = pipes
        self._report: dict[str, Any] = {}
        self.stdout, self.stderr = (reader for reader, _ in pipes)

    @property
    def number(self) -> int | None:
        """The process id, once it is known."""
        return self._report.get("started")

    @property
    def started(self) -> bool:
        """Whether a process was made for it, once `wait` has returned."""
        return "started" in self._report

    @classmethod
    async def connect(cls, control: socket.socket, *pipes: int) -> _Process:
        reports, orders = await asyncio.open_unix_connection(sock=control)
        return cls(reports, orders, [await _read_pipe(pipe) for pipe in pipes])

    async def wait(self) -> Exit:
        """Wait until the command has ended and nothing of it is left; may be called again.

        Raises:
            StepFailed: It was never started.
        """
        while line := await self._reports.readline():
            # A refusal is followed by the exit of the process that was to become the command.
            self._report = json.loads(line) | self._report
        if "refused" in self._report:
            raise StepFailed("CommandRefused", f"cannot start {self._report['refused']}")
        if "exit" not in self._report and "signal" not in self._report:
            # The guard itself was killed; the kernel then killed the command, but not what it had started.
            with contextlib.suppress(ProcessLookupError, PermissionError, KeyError):
                os.killpg(self._report["started"], signal.SIGKILL)
            return Exit(signal=signal.SIGKILL)
        return Exit(self._report.get("exit"), self._report.get("signal"))

    def terminate(self) -> None:
        """Ask the command's process group to end."""
        self._orders.write(b"t")

    def kill(self) -> None:
        """Have the guard kill all that is left."""
        with contextlib.suppress(OSError):
            self._orders.write_eof()

    def close(self) -> None:
        self._orders.close()
        for _, transport in self._pipes:
            transport.close()


async def _within(process: _Process, memory: float) -> Exit:
    """Wait for the end of a process that may use so many bytes.

    Raises:
        StepFailed: It used more, and was killed.
    """
    watching = asyncio.create_task(watch(lambda: process.number, memory))
    ending = asyncio.create_task(process.wait())
    try:
        await asyncio.wait([watching, ending], return_when=asyncio.FIRST_COMPLETED)
        if watching.done() and not ending.done():
            process.kill()
            await ending
            raise out_of_memory(watching.result(), memory)
        return await ending
    finally:
        watching.cancel()
        # Its socket has one reader at a time, and whoever is cancelled goes on to wait for the end.
        if not ending.done():
            ending.cancel()
            await asyncio.wait([ending])


async def _read_pipe(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    return reader, transport


def _refusals(command: Command) -> list[str]:
    """Return what the kernel would refuse with a word that helps nobody."""
    problems = []
    for name, value in command.env.items():
        if not name or "=" in name or "\0" in name:
            problems.append(f"env: {name!r} is no name of an environment variable")
        elif "\0" in value:
            problems.append(f"env.{name}: an environment variable cannot hold a NUL character")
        elif len(name) + len(os.fsencode(value)) + 2 > MAX_VARIABLE_BYTES:
            problems.append(
                f"env.{name}: {len(os.fsencode(value))} bytes are more than an environment variable can hold "
                f"({MAX_VARIABLE_BYTES}); pass a file"
            )
    return problems


def _spawn_guard() -> socket.socket:
    env = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return spawn_server(sys.executable, ["-I", "-S", str(GUARD), "3"], env)


def spawn_server(program: str, arguments: list[str], env: Mapping[str, str], *outputs: int) -> socket.socket:
    """Start a process that takes requests as its descriptor 3.

    It ends when the returned socket is closed, so also when this process is killed.

    Args:
        program: The program's path.
        arguments: Its arguments.
        env: Its environment.
        outputs: Descriptors that lead to the returned socket, too.
    """
    for process in [*_spawned]:
        # Those that have ended stay as zombies until somebody asks.
        with contextlib.suppress(ChildProcessError):
            if not os.waitpid(process, os.WNOHANG)[0]:
                continue
        _spawned.discard(process)
    ours, theirs = socket.socketpair()
    with theirs:
        process = os.posix_spawn(
            program,
            [program, *arguments],
            env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3),
                *((os.POSIX_SPAWN_DUP2, 3, output) for output in outputs),
            ],
        )
    _spawned.add(process)
    ours.setblocking(False)
    return ours


_spawned: set[int] = set()
