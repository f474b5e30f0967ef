"""Interpreters that are started already: a Python step is a fork of one, which costs less than a start.

One for each interpreter and environment, not for each bundle: it has loaded the runner, and never a user's code. So
nothing in it can be stale, no user's thread is ever forked, and a step sees what it would see in a fresh process: its
own variables, descriptors, signals and modules. Where that cannot be promised, the step gets a fresh process. The
clients of operators (`activities.helper`) are forks in the same way, of interpreters that have loaded their library.

It is the guard's script that runs in it, so whatever holds for the processes of steps holds for these.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import shutil
import socket
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from activities.logs import LogSink
from activities.process import GRACE_SECONDS, GUARD, Command, Exit, NeverStarted, ProcessHost, spawn_server

logger = logging.getLogger("segue.activities")

MAX_SERVERS = 8
"""Interpreters that wait for steps; the one that was used longest ago gives way."""
START_SECONDS = 20.0
SCRIPT = Path(__file__).with_name("warm_script.py")
BOOT = """
loaded = {*sys.modules}
guard, warm = {"__name__": "guard"}, {"__name__": "warm"}
for path, names in zip(sys.argv[3:], (guard, warm)):
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), names)
job = warm["serve"](loaded, guard["main"], guard["send"], strict)
if job is not None:
    sys.argv[2:] = [job["folder"]]
    leave = warm["leave"]
    del loaded, guard, warm, path, names, file, job, strict
    code = main(sys.argv[2])
    leave(code)
    sys.exit(code)
"""


@dataclass(frozen=True)
class Entry:
    """What an interpreter loads before it waits.

    Attributes:
        code: Makes `main`, which gets a job's folder and returns an exit code, and `strict`: whether what differs for
            each step may be seen by other code than ours. Gets `arguments` as `sys.argv[1:3]`.
        file: Another version of it is another entry.
    """

    code: str
    arguments: tuple[str, str]
    file: Path


_READ_AT_THE_START = re.compile(r"(PYTHON|LD_|DYLD_|LC_|MALLOC_|GLIBC_)\w*|LANG|LANGUAGE|TZ")
"""Variables that an interpreter or its libraries look at only when they start."""


@dataclass(frozen=True)
class Server:
    """A started interpreter.

    Attributes:
        requests: Where jobs go.
        modules: What it has loaded beyond what a fresh one has: a user's own module of such a name would be overlooked.
    """

    requests: socket.socket
    modules: tuple[str, ...]


class WarmPython:
    """Runs Python steps, in forks of started interpreters where that makes no difference.

    Args:
        processes: Runs the processes.
        limit: How many interpreters may be kept.
    """

    def __init__(self, processes: ProcessHost, limit: int = MAX_SERVERS) -> None:
        self._processes = processes
        self._limit = limit
        self._servers: OrderedDict[tuple[object, ...], asyncio.Task[Server | None]] = OrderedDict()

    async def run(
        self,
        command: Command,
        entry: Entry,
        base: Mapping[str, str],
        log: LogSink,
        *,
        grace: float = GRACE_SECONDS,
    ) -> Exit:
        """Run a step.

        Args:
            command: As it runs in a fresh process; `folder` has its job.
            entry: Runs it in one that waits.
            base: The variables that its interpreter is started with, whatever the step.
            log: Gets its output.
            grace: As of every command.

        Raises:
            StepFailed: It could not be started.
        """
        server = None
        if all(base.get(name) == value for name, value in command.env.items() if _READ_AT_THE_START.fullmatch(name)):
            server = await self._server(command, entry, base)
        if server is not None and not any(_has(command.cwd, name) for name in server.modules):
            try:
                return await self._processes.run(command, log, grace=grace, warm=server.requests)
            except NeverStarted:
                self._forget(server)
        return await self._processes.run(command, log, grace=grace)

    async def _server(self, command: Command, entry: Entry, base: Mapping[str, str]) -> Server | None:
        """Return the interpreter for a command; None when there can be none."""
        program = shutil.which(command.argv[0], path=base.get("PATH"))
        key = None if program is None else _key(program, command, entry, base)
        if program is None or key is None:
            return None
        if key not in self._servers:
            options = command.argv[1 : command.argv.index("-c")]
            code = "import sys\n" + entry.code + BOOT
            arguments = [*options, "-c", code, *entry.arguments, str(GUARD), str(SCRIPT)]
            self._servers[key] = asyncio.create_task(self._start(program, arguments, base))
            while len(self._servers) > self._limit:
                self._close(self._servers.popitem(last=False)[1])
        self._servers.move_to_end(key)
        # Others wait for the same start, also when this step is cancelled.
        return await asyncio.shield(self._servers[key])

    async def _start(self, program: str, arguments: list[str], base: Mapping[str, str]) -> Server | None:
        requests = None
        try:
            # Python looks at its streams when it starts: they have to be of the kind that a step's are.
            requests = spawn_server(program, arguments, base, 1, 2)
            weakref.finalize(self, requests.close)
            async with asyncio.timeout(START_SECONDS):
                said = json.loads(await _line(requests))
        except (OSError, ValueError, TimeoutError) as error:
            logger.warning("%s cannot wait for steps, each gets a fresh process: %s", program, error)
        else:
            if said["fit"]:
                return Server(requests, tuple(said["modules"]))
        if requests is not None:
            requests.close()
        return None

    def _forget(self, server: Server) -> None:
        for key, task in list(self._servers.items()):
            if task.done() and not task.cancelled() and task.result() is server:
                self._close(self._servers.pop(key))

    def _close(self, task: asyncio.Task[Server | None]) -> None:
        """Let an interpreter end; what was forked from it goes on."""
        if not task.done():
            task.add_done_callback(self._close)
        elif not task.cancelled() and (server := task.result()):
            server.requests.close()


def _key(program: str, command: Command, entry: Entry, base: Mapping[str, str]) -> tuple[object, ...] | None:
    """Return what an interpreter is known by: another file in its place is another one."""
    with contextlib.suppress(OSError):
        made = [Path(path).stat().st_mtime_ns for path in (program, entry.file)]
        options = command.argv[: command.argv.index("-c")]
        return (*options, os.path.realpath(program), entry, *made, tuple(sorted(base.items())))
    return None


def _has(folder: Path, module: str) -> bool:
    return (folder / f"{module}.py").exists() or (folder / module).is_dir()


async def _line(requests: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        more = await asyncio.get_running_loop().sock_recv(requests, 65_536)
        if not more:
            raise OSError("the interpreter ended")
        data += more
    return data
