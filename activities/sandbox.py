"""Sandboxes of steps, made by bubblewrap (`bwrap`): the machine's files to read only, and none of its network.

A sandbox has namespaces of its own for processes, network, users and the rest, so nothing in it outlives it or speaks
to what runs outside. `/tmp`, `/run` (where sockets of daemons are) and the folders of other steps are empty in it; what
its step may write to is the step's own folder, which is in the place where it always is.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from activities.errors import StepFailed
from activities.logs import LogSink
from activities.process import Command, ProcessHost, base_environment

PROGRAM = "bwrap"
HIDDEN = ("/tmp", "/run")
NAME_SERVERS = ("/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager")
"""Where /etc/resolv.conf may lead to; a sandbox with the network needs it."""
_WAY_OUT = "have the step run on a queue whose workers can, or leave out `isolation: sandbox`"


class Sandboxes:
    """Makes sandboxes on this machine.

    Args:
        processes: Tries whether it can be done.
    """

    def __init__(self, processes: ProcessHost) -> None:
        self._processes = processes
        self._program = ""

    async def check(self) -> None:
        """Make sure that there can be sandboxes; asks only until it has worked once.

        Raises:
            StepFailed: `SandboxUnavailable`, with the way out.
        """
        if self._program:
            return
        program = await asyncio.to_thread(shutil.which, PROGRAM)
        if program is None:
            message = f"this worker has no `{PROGRAM}`, which makes sandboxes: install bubblewrap there"
            raise StepFailed("SandboxUnavailable", f"{message} (`apt install bubblewrap`), {_WAY_OUT}", retryable=False)
        log = LogSink(_nowhere)
        argv = (program, *_options((), None, network=False), "--", "true")
        exit = await self._processes.run(Command(argv, base_environment(), Path("/")), log)
        tail = [line for line in log.tail("stderr") if line.strip()]
        await log.close()
        if exit.code != 0:
            said = tail[-1] if tail else f"it ended with code {exit.code}"
            message = f"this worker's machine allows no sandboxes ({said}): allow user namespaces there, or {_WAY_OUT}"
            raise StepFailed("SandboxUnavailable", message, retryable=False)
        self._program = program

    def around(self, command: Command, folder: Path, readable: Iterable[Path], *, network: bool) -> Command:
        """Return a command inside a sandbox; only after `check`.

        Args:
            command: What runs there, with the environment and in the folder that it has.
            folder: The step's own, with all that it may write to; the folders beside it are other steps'.
            readable: What must be there although it may lie in a place that is hidden.
            network: Whether it has the machine's network.
        """
        # bwrap mounts nothing behind a link; inside, links lead to the same places as outside.
        options = _options([path.resolve() for path in readable], folder.resolve(), network=network)
        argv = (self._program, *options, "--chdir", str(command.cwd), "--", *command.argv)
        return replace(command, argv=argv, nested=True)


def _options(readable: Iterable[Path], folder: Path | None, *, network: bool) -> Iterator[str]:
    yield from ("--unshare-all", "--die-with-parent", "--cap-drop", "ALL")
    if network:
        yield "--share-net"
    yield from ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
    for place in HIDDEN:
        yield from ("--tmpfs", place)
    for place in NAME_SERVERS if network else ():
        yield from ("--ro-bind-try", place, place)
    if folder is not None:
        yield from ("--tmpfs", str(folder.parent.parent))
    for path in readable:
        yield from ("--ro-bind", str(path), str(path))
    if folder is not None:
        yield from ("--bind", str(folder), str(folder))


async def _nowhere(name: str, data: bytes) -> None:
    """Keep nothing of what a try says."""
