"""Folders for what an attempt needs on disk: made when asked for, removed with the attempt.

A worker that was killed leaves its folders; the next worker on the machine removes them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import threading
import weakref
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any


class ScratchSpace:
    """The scratch folders of one worker process, under `<root>/<pid>-<random>/`.

    A lock on the worker's own folder tells other workers that it is in use; it goes with the process.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._numbers = count(1)
        self._own: Path | None = None
        self._claiming = threading.Lock()

    def make(self) -> Path:
        """Return a new, empty folder that only this user may enter. Several threads may ask at once."""
        with self._claiming:
            if self._own is None:
                self._own = self._claim()
        folder = self._own / str(next(self._numbers))
        folder.mkdir(mode=0o700, parents=True)
        return folder

    def _claim(self) -> Path:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        # One worker at a time: a folder that is made and not locked yet would be taken for an abandoned one.
        turn = os.open(self._root / ".lock", os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            return self._claim_in_turn()
        finally:
            os.close(turn)

    def _claim_in_turn(self) -> Path:
        # Names are short: a step's temporary folder must leave room for the 107 characters of a socket's path.
        own = self._root / f"{os.getpid()}-{secrets.token_hex(2)}"
        own.mkdir(mode=0o700)
        lock = _locked(own)
        if lock is not None:
            weakref.finalize(self, os.close, lock)
        for other in self._root.iterdir():
            if other != own and (abandoned := _locked(other)) is not None:
                remove(other)
                os.close(abandoned)
        return own


def remove(folder: Path) -> None:
    """Remove a folder and all in it, also what a step made unwritable; what cannot be removed is left."""
    shutil.rmtree(folder, onerror=_retry_writable)


def _locked(folder: Path) -> int | None:
    """Return the folder's lock as a descriptor, or None while another process holds it or the folder is going."""
    try:
        descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_WRONLY, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _retry_writable(action: Callable[..., Any], path: str, _reason: object) -> None:
    with contextlib.suppress(OSError):
        Path(path).parent.chmod(0o700)
        if Path(path).is_dir():
            Path(path).chmod(0o700)
            shutil.rmtree(path, ignore_errors=True)
        else:
            action(path)
