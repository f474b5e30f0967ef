"""Environments made from a workflow's requirements: built by uv once, whoever asks, and kept by what they contain.

An environment is named by the requirements' text and the interpreter. It counts only when its mark is there, which is
written last: what a killed worker left half done is built again. Nothing of the service is ever installed in one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import uv

from activities.errors import StepFailed
from activities.logs import LogSink
from activities.process import Command, ProcessHost, base_environment
from activities.scratch import remove

MARK = ".segue-complete"
LOCK_POLL_SECONDS = 0.1
_FOR_UV = re.compile(r"UV_\w+|NETRC|(HTTP|HTTPS|ALL|NO)_PROXY", re.IGNORECASE)
"""uv is our process, unlike a step: it may use the worker's package index, proxies and their credentials."""
_OTHER_FILES = re.compile(r"^\s*(-r|-c|-e|--requirement|--constraint|--editable|[./~])|@\s*file:", re.MULTILINE)
"""Requirements that speak of other files of the bundle."""


class EnvironmentCache:
    """Virtual environments under `root`, shared by all workers of the machine.

    Args:
        root: Of the cache; can be deleted while no step runs.
        processes: Runs uv.
        python: The interpreter that environments are made of; None: the worker's own.
    """

    def __init__(self, root: Path, processes: ProcessHost, python: str | None) -> None:
        self._root = root
        self._processes = processes
        self._python = python or sys.executable

    async def prepare(self, requirements: Path, bundle: str, log: LogSink) -> Path:
        """Return the folder of the environment that has these requirements, built if it is not there.

        Args:
            requirements: A requirements file in the bundle's folder.
            bundle: The bundle's sha256.
            log: Gets uv's output.

        Raises:
            StepFailed: `EnvironmentFailed`: uv could not build it; or there is no such file.
        """
        target = self._root / self._name(_read(requirements), bundle)
        mark = target / MARK
        if not await asyncio.to_thread(mark.exists):
            async with _locked(target.with_suffix(".lock"), log):
                if not await asyncio.to_thread(mark.exists):
                    await self._build(target, requirements, log)
        return target

    def _name(self, text: str, bundle: str) -> str:
        found = Path(shutil.which(self._python) or self._python).resolve()
        interpreter = [str(found), found.stat().st_mtime_ns] if found.exists() else [self._python]
        parts = [text, interpreter, bundle if _OTHER_FILES.search(text) else None]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    async def _build(self, target: Path, requirements: Path, log: LogSink) -> None:
        log.line(f"[segue] building the environment of {requirements.name}")
        try:
            remove_if_there(target)
            await self._uv(requirements, log, "venv", "--python", self._python, "--no-project", str(target))
            python = str(target / "bin" / "python")
            # Compiled once, here: steps write no byte code, so each of them would compile what it imports anew.
            install = ("pip", "install", "--compile-bytecode", "--python", python, "-r", str(requirements))
            await self._uv(requirements, log, *install)
            (target / MARK).touch()
        except BaseException:
            remove_if_there(target)
            raise

    async def _uv(self, requirements: Path, log: LogSink, *arguments: str) -> None:
        own = {name: value for name, value in os.environ.items() if _FOR_UV.fullmatch(name)}
        argv = (uv.find_uv_bin(), "--no-progress", "--color", "never", *arguments)
        exit = await self._processes.run(Command(argv, base_environment() | own, requirements.parent), log)
        if exit.code != 0:
            tail = log.tail("stderr")
            raise StepFailed(
                "EnvironmentFailed",
                f"uv could not make the environment of {requirements.name}:\n" + "\n".join(tail),
                {"exit_code": exit.code, "signal": exit.signal},
            )


def _read(requirements: Path) -> str:
    try:
        return requirements.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        problem = f"the bundle has no readable {requirements.name}: {error.strerror}"
        raise StepFailed("EnvironmentFailed", problem, retryable=False) from None


def remove_if_there(folder: Path) -> None:
    """Remove what an unfinished build left."""
    if folder.exists():
        remove(folder)


@contextlib.asynccontextmanager
async def _locked(path: Path, log: LogSink) -> AsyncIterator[None]:
    """Hold the lock of an environment's build; other processes and other steps of this one wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    log.line("[segue] waiting for another step to build the environment")
                waiting = True
            await asyncio.sleep(LOCK_POLL_SECONDS)
        yield
