"""Holding back Python's garbage collector while a definition is compiled.

A large one becomes some hundred thousand objects that all live to the end, and the collector would look at each of them
again and again: two fifths of the time. What is dropped is freed all the same, but for cycles, and those wait a moment.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator


class _Rest:
    """The collector's rest, which several threads may want at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self._to_enable = False

    @contextlib.contextmanager
    def wanted(self) -> Iterator[None]:
        """Let the collector rest inside; it works again when the last of those that are inside has left."""
        with self._lock:
            self._wanted += 1
            if self._wanted == 1:
                self._to_enable = gc.isenabled()
                gc.disable()
        try:
            yield
        finally:
            with self._lock:
                self._wanted -= 1
                if self._wanted == 0 and self._to_enable:
                    gc.enable()


without_collecting = _Rest().wanted
