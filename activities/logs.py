"""The log of one attempt: lines with a time, in numbered segments in the object store, and an end mark.

Lines of a stream keep their order. A segment is written at most half a second after its first line came. Memory is
bounded: whoever writes faster than the store takes is made to wait, and beyond `MAX_LOG_BYTES` nothing is kept but a
line that says so. A store that does not answer is tried again; in the end the step matters more than its log. Secrets
are hidden before a line is made, so nothing is cut or kept with one in it.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json.encoder
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Literal

from activities.masks import MaskedStream, Masks

logger = logging.getLogger("segue.activities")

Stream = Literal["stdout", "stderr"]

FLUSH_SECONDS = 0.4
SEGMENT_BYTES = 1024 * 1024
BUFFER_BYTES = 4 * SEGMENT_BYTES
MAX_LINE_CHARACTERS = 64 * 1024
MAX_LOG_BYTES = 256 * 1024 * 1024
READ_BYTES = 64 * 1024
TAIL_LINES = 20
TAIL_CHARACTERS = 400
PATIENCE_SECONDS = 30.0
"""How long the end of a step waits for a store that takes no segments."""
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 5.0

_quote: Callable[[str], str] = json.encoder.encode_basestring


class LogSink:
    """Takes what an attempt prints and writes it out; costs nothing until something is printed.

    Args:
        put: Writes an object of the attempt, by its name under the attempt's folder; may be called again with the
            same bytes after it raised.
        limit: Bytes of text that are kept.
    """

    def __init__(self, put: Callable[[str, bytes], Awaitable[None]], limit: int = MAX_LOG_BYTES) -> None:
        self._put = put
        self._room = limit
        self._framers: dict[Stream, _Framer] = {"stdout": _Framer(), "stderr": _Framer()}
        self._tails: dict[Stream, deque[str]] = {
            "stdout": deque(maxlen=TAIL_LINES),
            "stderr": deque(maxlen=TAIL_LINES),
        }
        self._heard: Callable[[str], None] | None = None
        self._masks = Masks()
        self._masked: dict[Stream, MaskedStream] = {}
        self._buffer: list[bytes] = []
        self._size = 0
        self._segments = 0
        self._flusher: asyncio.Task[None] | None = None
        self._some = asyncio.Event()
        self._hurry = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._give_up_at: float | None = None

    def tail(self, stream: Stream) -> list[str]:
        """Return the last lines of a stream, cut to a readable length."""
        return list(self._tails[stream])

    def hide(self, masks: Masks) -> None:
        """Hide secrets in all that follows."""
        self._masks = masks
        self._masked = {"stdout": masks.stream(), "stderr": masks.stream()} if masks else {}

    def listen(self, heard: Callable[[str], None]) -> None:
        """Have somebody hear each line that begins with `::`, also of those that are not kept any more."""
        self._heard = heard

    def forget_tail(self) -> None:
        """Start the tails anew: what came before is not the step's own."""
        for tail in self._tails.values():
            tail.clear()

    async def write(self, stream: Stream, data: bytes) -> None:
        """Take bytes of a stream, wherever they are cut; waits while the store is slower than the writer."""
        if self._masked:
            data = self._masked[stream].feed(data)
        self._append(stream, self._framers[stream].lines(data))
        await self._drained.wait()

    def line(self, text: str, stream: Stream = "stderr") -> None:
        """Take a line of our own; not for floods, since nothing makes the caller wait."""
        self._append(stream, [self._masks.text(text)])

    async def copy(self, stream: Stream, reader: asyncio.StreamReader) -> None:
        """Take everything from `reader` until its end."""
        while data := await reader.read(READ_BYTES):
            await self.write(stream, data)

    async def close(self, patience: float = PATIENCE_SECONDS) -> None:
        """Write what is left, then the end mark.

        Args:
            patience: Seconds to wait for a store that does not answer, before the rest is given up.
        """
        for stream, masked in self._masked.items():
            self._append(stream, self._framers[stream].lines(masked.rest()))
        for stream, framer in self._framers.items():
            self._append(stream, framer.rest())
        self._give_up_at = time.monotonic() + patience
        self._some.set()
        self._hurry.set()
        if self._flusher:
            await self._flusher
        await self._store("logs/end", b"")

    def _append(self, stream: Stream, lines: list[str]) -> None:
        if not lines:
            return
        self._tails[stream].extend(line[:TAIL_CHARACTERS] for line in lines[-TAIL_LINES:])
        if self._heard is not None:
            for line in lines:
                if line.startswith("::"):
                    self._heard(line)
        if self._room <= 0:
            return
        head = f'{{"at": {time.time():.3f}, "stream": "{stream}", "text": '
        for text in lines:
            self._keep(f"{head}{_quote(text)}}}\n".encode())
            self._room -= len(text) + 1
            if self._room <= 0:
                self._keep(f'{head}"[segue] the log is full: what follows is not kept"}}\n'.encode())
                break
        self._some.set()
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())

    def _keep(self, line: bytes) -> None:
        self._buffer.append(line)
        self._size += len(line)
        if self._size >= SEGMENT_BYTES:
            self._hurry.set()
        if self._size >= BUFFER_BYTES:
            self._drained.clear()

    async def _flush(self) -> None:
        """Write segments until the log is closed and all is written."""
        while self._give_up_at is None or self._buffer:
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), FLUSH_SECONDS)
            if self._give_up_at is None:
                self._some.clear()
                self._hurry.clear()
            data, self._buffer, self._size = b"".join(self._buffer), [], 0
            self._drained.set()
            if data:
                self._segments += 1
                await self._store(f"logs/{self._segments:06}.ndjson", data)

    async def _store(self, name: str, data: bytes) -> None:
        delay = FIRST_RETRY_SECONDS
        while True:
            try:
                return await self._put(name, data)
            except Exception as error:
                # A log that cannot be written must not fail hours of work.
                if self._give_up_at is not None and time.monotonic() + delay > self._give_up_at:
                    logger.warning("%s is lost: %s", name, error)
                    return None
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_RETRY_SECONDS)


class _Framer:
    """Cuts the bytes of one stream into lines of text; what is not UTF-8 is replaced."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._partial = ""

    def lines(self, data: bytes) -> list[str]:
        r"""Return the lines that `data` completes; `\n`, `\r\n` and `\r` (a progress bar's) end a line."""
        text = self._partial + self._decoder.decode(data)
        if "\r" in text:
            # A \r at the very end may be half of \r\n: it waits for what follows.
            held = "\r" if text.endswith("\r") else ""
            text = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n") + held
        *lines, self._partial = text.split("\n")
        if len(self._partial) > MAX_LINE_CHARACTERS:
            lines.append(self._partial)
            self._partial = ""
        return [piece for line in lines for piece in _pieces(line)]

    def rest(self) -> list[str]:
        """Return the line that never ended, if there is one."""
        text, self._partial = (self._partial + self._decoder.decode(b"", True)).rstrip("\r"), ""
        return _pieces(text) if text else []


def _pieces(line: str) -> list[str]:
    if len(line) <= MAX_LINE_CHARACTERS:
        return [line]
    return [line[i : i + MAX_LINE_CHARACTERS] for i in range(0, len(line), MAX_LINE_CHARACTERS)]
