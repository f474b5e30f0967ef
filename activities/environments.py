"""Environments made from requirements: built by uv once, whoever asks, and kept by what they contain.

An environment is named by the requirements' text and the interpreter. It counts only when its mark is there, which is
written last: what a killed worker left half done is built again. Nothing of the service is ever installed in one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import re
import shutil
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from activities.errors import StepFailed
from activities.interpreters import Interpreters, Uv
from activities.logs import LogSink
from activities.scratch import remove
from workflows.python_versions import canonical

MARK = ".segue-complete"
LOCK_POLL_SECONDS = 0.1
LOCK, PROJECT = "uv.lock", "pyproject.toml"
_OTHER_FILES = re.compile(
    r"^\s*(-r|-c|-e|--requirement|--constraint|--editable|[./~])|@\s*file:"
    r"|\b(path|editable|directory|virtual)\s*=\s*\"(?!\.\")",
    re.MULTILINE,
)
"""Requirements that speak of other files of the bundle."""


@dataclass(frozen=True)
class Wanted:
    """What an environment is to be.

    Attributes:
        file: With the requirements: pip's, a `pyproject.toml`, or a `uv.lock` beside one; None: no packages.
        python: The versions of Python that fit; None: any.
        bundle: The sha256 of the bundle that the file is of, if it is of one.
    """

    file: Path | None
    python: str | None = None
    bundle: str | None = None

    @property
    def what(self) -> str:
        """What people call it."""
        return self.file.name if self.file is not None else f"Python {self.python}"


class EnvironmentCache:
    """Virtual environments under `root`, shared by all workers of the machine.

    Args:
        root: Of the cache; can be deleted while no step runs.
        uv: Makes them.
        interpreters: What they are made of.
    """

    def __init__(self, root: Path, uv: Uv, interpreters: Interpreters) -> None:
        self._root = root
        self._uv = uv
        self._interpreters = interpreters

    async def prepare(self, wanted: Wanted, log: LogSink) -> Path:
        """Return the folder of an environment, built if it is not there.

        Args:
            wanted: What it is to be.
            log: Gets uv's output.

        Raises:
            StepFailed: `EnvironmentFailed`: uv could not build it; there is no such file, or no such interpreter.
        """
        text = _read(wanted.file)
        python = await self._interpreters.choose(_versions(wanted.python, wanted.file, text))
        target = self._root / _name(text, python, wanted.bundle)
        mark = target / MARK
        if not await asyncio.to_thread(mark.exists):
            async with _locked(target.with_suffix(".lock"), log):
                if not await asyncio.to_thread(mark.exists):
                    await self._build(target, wanted, text, python, log)
        return target

    async def _build(self, target: Path, wanted: Wanted, text: str, python: str, log: LogSink) -> None:
        log.line(f"[segue] building the environment of {wanted.what}")
        file = wanted.file
        try:
            remove_if_there(target)
            # Compiled once, here: steps write no byte code, so each of them would compile what it imports anew.
            if file is not None and file.name == LOCK:
                options = ("--frozen", "--no-install-project", "--no-dev", "--compile-bytecode", "--python", python)
                await self._run(wanted, log, "sync", *options, environment=target)
            else:
                await self._run(wanted, log, "venv", "--python", python, "--no-project", str(target))
            if file is not None and file.name != LOCK and text.strip():
                inside = ("--compile-bytecode", "--python", str(target / "bin" / "python"))
                await self._run(wanted, log, "pip", "install", *inside, "-r", str(file))
            (target / MARK).touch()
        except BaseException:
            remove_if_there(target)
            raise

    async def _run(self, wanted: Wanted, log: LogSink, *arguments: str, environment: Path | None = None) -> None:
        folder = wanted.file.parent if wanted.file is not None else Path("/")
        env = {} if environment is None else {"UV_PROJECT_ENVIRONMENT": str(environment)}
        exit = await self._uv.run(folder, log, *arguments, env=env)
        if exit.code != 0:
            tail = log.tail("stderr")
            raise StepFailed(
                "EnvironmentFailed",
                f"uv could not make the environment of {wanted.what}:\n" + "\n".join(tail),
                {"exit_code": exit.code, "signal": exit.signal},
            )


def _name(text: str, python: str, bundle: str | None) -> str:
    found = Path(shutil.which(python) or python).resolve()
    interpreter = [str(found), found.stat().st_mtime_ns] if found.exists() else [python]
    parts = [text, interpreter, bundle if _OTHER_FILES.search(text) else None]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _read(file: Path | None) -> str:
    """Return the text that an environment is made from: for a lock, with that of its project."""
    if file is None:
        return ""
    files = [file, file.with_name(PROJECT)] if file.name == LOCK else [file]
    return "\n".join(_text(each) for each in files)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        problem = f"the bundle has no readable {file.name}: {error.strerror}"
        raise StepFailed("EnvironmentFailed", problem, retryable=False) from None


def _versions(python: str | None, file: Path | None, text: str) -> str | None:
    """Return the versions of Python that fit the workflow, and the project whose requirements these are."""
    own = None
    if file is not None and file.name in (LOCK, PROJECT):
        project = text if file.name == PROJECT else _text(file.with_name(PROJECT))
        # What is wrong with the file, uv says better.
        with contextlib.suppress(tomllib.TOMLDecodeError, AttributeError):
            own = canonical(str(tomllib.loads(project).get("project", {}).get("requires-python", "")))
    return ",".join(dict.fromkeys(each for each in (python, own) if each)) or None


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
