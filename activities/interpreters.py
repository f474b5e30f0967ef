"""Which Python a step runs in: the worker's own where it fits what the workflow asks for, else one that uv finds.

uv looks among those that are installed. It fetches none: a step would wait for a download that nobody expects, and that
fails behind most firewalls. Whoever wants that says so to the worker, by `UV_PYTHON_DOWNLOADS=automatic`.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import uv

from activities.errors import StepFailed
from activities.logs import LogSink
from activities.process import Command, Exit, ProcessHost, base_environment
from workflows.python_versions import fits

_FOR_UV = re.compile(r"UV_\w+|NETRC|(HTTP|HTTPS|ALL|NO)_PROXY", re.IGNORECASE)
"""uv is our process, unlike a step: it may use the worker's package index, proxies and their credentials."""
_VERSION = "import sys; print(*sys.version_info[:3])"
_LISTED = re.compile(r"\S+?-(\d+\.\d+\.\d+)\S*\s+(/\S+)")
SHOWN = 8


class Uv:
    """The tool that finds interpreters and makes environments."""

    def __init__(self, processes: ProcessHost) -> None:
        self._processes = processes

    async def run(self, folder: Path, log: LogSink, *arguments: str, env: Mapping[str, str] | None = None) -> Exit:
        """Run uv in a folder, its output in a log."""
        own = {name: value for name, value in os.environ.items() if _FOR_UV.fullmatch(name)}
        argv = (uv.find_uv_bin(), "--no-progress", "--color", "never", *arguments)
        given = base_environment() | {"UV_PYTHON_DOWNLOADS": "never"} | own | dict(env or {})
        return await self._processes.run(Command(argv, given, folder), log)


class Interpreters:
    """The interpreters of a worker's machine.

    Args:
        uv: Finds them.
        processes: Asks them for their version.
        python: The one that the worker was given; None: its own.
    """

    def __init__(self, uv: Uv, processes: ProcessHost, python: str | None) -> None:
        self._uv = uv
        self._processes = processes
        self._python = python
        self._found: dict[str, str] = {}
        self._given: dict[str, bool] = {}
        self._choosing = asyncio.Lock()

    async def choose(self, wanted: str | None) -> str:
        """Return the path of an interpreter, or its name.

        Args:
            wanted: The versions that fit; None: any.

        Raises:
            StepFailed: `EnvironmentFailed`: there is none that fits.
        """
        if wanted is None:
            return self._python or sys.executable
        async with self._choosing:
            found = self._found.get(wanted)
            if found is None or not await asyncio.to_thread(Path(found).exists):
                found = self._found[wanted] = await self._choose(wanted)
        return found

    async def given_fits(self, wanted: str) -> bool:
        """Tell whether the interpreter that the worker was given is of a version that fits."""
        if self._python is None:
            return False
        if wanted not in self._given:
            version = await self._version(self._python)
            self._given[wanted] = version is not None and fits(version, wanted)
        return self._given[wanted]

    async def _choose(self, wanted: str) -> str:
        if self._python is None and fits(sys.version_info[:3], wanted):
            return sys.executable
        if self._python is not None and await self.given_fits(wanted):
            return self._python
        log = LogSink(_nowhere)
        # An environment that happens to be active, or to be in the folder, is none that was asked for.
        exit = await self._uv.run(Path("/"), log, "python", "find", "--system", "--no-project", wanted)
        found = [line.strip() for line in log.tail("stdout") if line.strip()]
        await log.close()
        if exit.code == 0 and found:
            return found[-1]
        there = ", ".join(await self._installed()) or "none that uv finds"
        message = (
            f"no Python on this worker fits {wanted!r}; there are {there}: install one there (`uv python install`), "
            "give the worker one by --python, or have the workflow ask for another version"
        )
        raise StepFailed("EnvironmentFailed", message, {"python": wanted}, retryable=False)

    async def _installed(self) -> list[str]:
        """Return the versions that are installed, each with one path, for people."""
        log = LogSink(_nowhere)
        await self._uv.run(Path("/"), log, "python", "list", "--only-installed")
        found = {match[1]: match[2] for line in reversed(log.tail("stdout")) if (match := _LISTED.match(line))}
        await log.close()
        own = ".".join(map(str, sys.version_info[:3]))
        found.setdefault(own, sys.executable)
        if self._python is not None and (version := await self._version(self._python)):
            found[".".join(map(str, version))] = self._python
        return [f"{version} ({path})" for version, path in sorted(found.items())][:SHOWN]

    async def _version(self, python: str) -> tuple[int, ...] | None:
        log = LogSink(_nowhere)
        command = Command((python, "-I", "-S", "-c", _VERSION), base_environment(), Path("/"))
        try:
            exit = await self._processes.run(command, log)
            parts = " ".join(log.tail("stdout")).split()
        except StepFailed:
            return None
        finally:
            await log.close()
        return tuple(map(int, parts)) if exit.code == 0 and all(part.isdigit() for part in parts) else None


async def _nowhere(name: str, data: bytes) -> None:
    """Keep nothing of what a tool of ours says."""
