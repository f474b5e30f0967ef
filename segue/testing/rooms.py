"""Loads the scheduling core and the translator into a test's process, under the nose of whatever bears their names.

They are in the server's packages `workflows` and `translator`. An author's own folder may be called the same, and both
are needed in one process here: ours are found past theirs, loaded, and taken out of `sys.modules` again, so that
`import workflows` in a test goes on to mean the author's. What was loaded goes on working: its modules hold each other.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from segue.errors import MissingPackage

if TYPE_CHECKING:
    from segue.testing import engine

MARKS = {"workflows": "exchange.py", "translator": "compile.py"}
"""The rooms that are needed, and a file that tells ours from another of that name."""

_lock = threading.Lock()
_engine: list[ModuleType] = []


def load_engine() -> type[engine.Engine]:
    """Return the engine, which runs plans in memory; loaded once.

    Raises:
        MissingPackage: The server's packages are not installed in this environment.
    """
    with _lock:
        if not _engine:
            with _ours():
                _engine.append(_loaded())
    found: type[engine.Engine] = _engine[0].Engine
    return found


def _loaded() -> ModuleType:
    try:
        return import_module("segue.testing.engine")
    except ModuleNotFoundError as error:
        raise MissingPackage(
            f"Running a workflow in memory needs Segue's server packages ({error.name}): pip install segue-server"
        ) from None


@contextmanager
def _ours() -> Iterator[None]:
    """Let the rooms' names mean our own packages inside this block, and what they meant before afterwards."""
    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in MARKS}
    if kept and all(_is_ours(room, kept.get(room)) for room in MARKS):
        yield
        return
    path = list(sys.path)
    _forget()
    sys.path[:] = [entry for entry in path if not any(_is_strange(Path(entry or "."), room) for room in MARKS)]
    invalidate_caches()
    try:
        yield
    finally:
        _forget()
        sys.modules.update(kept)
        sys.path[:] = path


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in MARKS]:
        del sys.modules[name]


def _is_ours(room: str, module: ModuleType | None) -> bool:
    folders = list(getattr(module, "__path__", ()))
    return any((Path(folder) / MARKS[room]).is_file() for folder in folders)


def _is_strange(entry: Path, room: str) -> bool:
    """Whether a folder of `sys.path` holds something else of a room's name."""
    folder = entry / room
    return (folder.is_dir() and not (folder / MARKS[room]).is_file()) or (entry / f"{room}.py").is_file()
