"""The pipe by which a step's process tells its worker something: lines of JSON, each written whole.

Whoever writes a flood waits for us, as with its log: we read at most what the pipe holds, twenty times a second. What
the process has done to the pipe's path does not matter, since both ends are open by then.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

logger = logging.getLogger("segue.activities")

NAME = "report"
READ_BYTES = 64 * 1024
TICK_SECONDS = 0.05
MAX_LINE_BYTES = 8 * 1024
MOST_READS = 32
"""Of what is left when the process has ended; a pipe may be made to hold more than usual."""


class ReportPipe:
    """Reads a pipe in a folder, from now until it is closed.

    Args:
        folder: Where the pipe is made.
        take: Gets each message.
    """

    def __init__(self, folder: Path, take: Callable[[Any], None]) -> None:
        self.path = folder / NAME
        self._take = take
        self._rest = b""
        self._descriptor = -1
        self._loop = asyncio.get_running_loop()
        self._tick: asyncio.TimerHandle | None = None
        try:
            os.mkfifo(self.path, 0o600)
            # Open for both, so that it never ends while processes of the step come and go.
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:  # the file system has no pipes; a step does without
            logger.warning("%s cannot be made, so a step cannot tell how far it is: %s", self.path, error)
        else:
            self._listen()

    def close(self) -> None:
        """Take what is left, and read no more."""
        if self._descriptor < 0:
            return
        if self._tick is not None:
            self._tick.cancel()
        self._loop.remove_reader(self._descriptor)
        for _ in range(MOST_READS):
            if not self._read():
                break
        os.close(self._descriptor)
        self._descriptor = -1

    def _listen(self) -> None:
        self._tick = None
        self._loop.add_reader(self._descriptor, self._ready)

    def _ready(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._read()
        self._tick = self._loop.call_later(TICK_SECONDS, self._listen)

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest = b""
        for line in lines:
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                continue
            self._take(message)
        return True
