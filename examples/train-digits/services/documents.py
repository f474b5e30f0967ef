"""Files that are whole or absent: what the services know outlives `kill -9` at any instant.

A document is written beside its place, flushed to the disk and renamed into it. A ledger grows by one flushed line at
a time; a line torn by a kill is left out when it is read. Nothing here knows what the documents mean.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\[\]-]{0,199}")


class NotFoundError(Exception):
    """There is no document under that name."""


class InvalidError(Exception):
    """The request does not say what it must; the message says what is missing."""


def checked_name(name: str) -> str:
    """Return `name` when it is fit for a file's name.

    Raises:
        InvalidError: It is not.
    """
    if not _NAME.fullmatch(name):
        raise InvalidError(f"{name!r} is not a name: letters, digits, '.', '_' and '-' only")
    return name


def write_bytes(path: Path, data: bytes) -> None:
    """Put `data` at `path`, wholly or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_document(path: Path, document: dict[str, Any]) -> dict[str, Any]:
    """Write `document` as JSON at `path` and return it."""
    write_bytes(path, json.dumps(document, allow_nan=False).encode())
    return document


def read_document(path: Path) -> dict[str, Any]:
    """Return the JSON document at `path`.

    Raises:
        NotFoundError: There is none.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFoundError(f"no {path.parent.name} called {path.stem}") from None
    return document


class Ledger:
    """An append-only file of JSON lines, in the order of their arrival."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def append(self, entry: dict[str, Any]) -> None:
        """Add `entry`; on return it is on the disk."""
        with self._lock, self._opened() as file:
            file.write(json.dumps(entry, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def entries(self) -> list[dict[str, Any]]:
        """Return every entry, oldest first."""
        if not self._path.exists():
            return []
        entries = []
        for line in self._path.read_bytes().splitlines():
            with contextlib.suppress(ValueError):  # torn by a kill: nobody was told that it was written
                entries.append(json.loads(line))
        return entries

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # end the torn line, or this entry would be lost with it
                    file.write(b"\n")
            yield file
