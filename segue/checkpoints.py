"""`segue.checkpoint`: where a long step was, for the next attempt, should this one end before it is done.

A checkpoint is a JSON value and the files of a folder. `save` comes back when the worker has both in the object store;
the next attempt of the same step, on whatever worker, begins with what was saved last. Outside of a step nothing is
kept. Standard library only.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

from segue.reports import PIPE, send

FOLDER = "SEGUE_CHECKPOINT"
RESTORED = "checkpoint.json"
"""Beside the pipe: the value that was saved by an attempt before."""
MAX_VALUE_BYTES = 1024 * 1024
FIRST_LOOK_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.1


class Checkpoint:
    """Saves where a step is and finds where it was."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._outside: Path | None = None

    def folder(self) -> Path:
        """Return the folder whose files belong to the checkpoint; it holds those that were saved last.

        Outside of a step it is a new folder, which goes with the process.
        """
        if given := os.environ.get(FOLDER):
            return Path(given)
        if self._outside is None:
            self._outside = Path(tempfile.mkdtemp(prefix="segue-checkpoint-"))
            atexit.register(shutil.rmtree, self._outside, ignore_errors=True)
        return self._outside

    def load(self, default: Any = None) -> Any:
        """Return the value that was saved last by an attempt before this one, or `default` when there is none."""
        exchange = _exchange()
        if exchange is None:
            return default
        try:
            return json.loads((exchange / RESTORED).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return default

    def save(self, value: Any = None) -> bool:
        """Save a value and the files in the folder, in the place of what was saved before.

        Comes back when they are kept; the files must not change until then. A step does not fail because they could
        not be kept.

        Args:
            value: JSON, of at most 1 MiB; what is larger belongs in a file.

        Returns:
            Whether it was kept. If not, the log says why, unless this is no step.

        Raises:
            TypeError: The value is not JSON.
            ValueError: It is not JSON, or too large.
        """
        document = json.dumps(value, allow_nan=False)
        if len(document) > MAX_VALUE_BYTES:
            size, most = f"{len(document):,}", f"{MAX_VALUE_BYTES:,}"
            raise ValueError(f"the value has {size} bytes of JSON; above {most}, write it to a file in folder()")
        exchange = _exchange()
        if exchange is None:
            return False
        name = f"save-{os.getpid()}-{next(self._numbers)}"
        said = exchange / f"{name}.done"
        try:
            (exchange / f"{name}.json").write_text(document, encoding="utf-8")
            return send({"checkpoint": name}) and _answer(said)
        except OSError:
            return False


def _answer(said: Path) -> bool:
    """Wait for what the worker says; a worker that dies takes this process with it."""
    pause = FIRST_LOOK_SECONDS
    while True:
        with contextlib.suppress(OSError):
            answer = said.read_text(encoding="utf-8")
            if answer.endswith("\n"):
                said.unlink()
                return answer == "kept\n"
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _exchange() -> Path | None:
    pipe = os.environ.get(PIPE)
    return Path(pipe).parent if pipe else None


checkpoint = Checkpoint()
