"""What an attempt tells of itself while it runs: its newest progress, and the series of its metrics.

It tells by marks in its log (`segue.markers`) or by a pipe (`activities.report_pipe`). The progress goes with the
heartbeat, where only the newest is. The series go to the object store beside the log, in one object that is written
anew every few seconds. Both are bounded, whatever a step does: a series with more than `MAX_POINTS` keeps every second,
then every fourth of its points and so on, and its newest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from array import array
from collections.abc import Awaitable, Callable
from typing import Any

from segue.markers import read_mark
from segue.reports import MAX_NAME_CHARACTERS, MAX_TEXT_CHARACTERS

logger = logging.getLogger("segue.activities")

METRICS = "metrics.json"
"""The name of the series' object in the attempt's folder."""
MAX_POINTS = 2_000
MAX_SERIES = 50
FLUSH_SECONDS = 2.0
BEAT_SECONDS = 0.5
"""Progress is told at most so often; what came in between goes with the next heartbeat."""
CLOSE_TRIES = 5
"""How often the end of a step tries to write its series to a store that does not take it."""


class Series:
    """The values of one metric, by columns."""

    def __init__(self) -> None:
        self.steps, self.values, self.times = array("d"), array("d"), array("d")
        self._every = 1
        self._seen = 0
        self._last: tuple[float, float, float] | None = None

    def add(self, value: float, step: float | None, at: float) -> None:
        """Take in a value; without a step, its place is behind the last."""
        if step is None:
            step = self._last[0] + 1 if self._last else 0.0
        self._last = (step, value, at)
        if self._seen % self._every == 0:
            for column, number in zip((self.steps, self.values, self.times), self._last, strict=True):
                column.append(number)
        self._seen += 1
        if len(self.steps) > MAX_POINTS:
            self.steps, self.values, self.times = self.steps[::2], self.values[::2], self.times[::2]
            self._every *= 2

    def to_json(self, name: str) -> dict[str, Any]:
        """Return it as it is kept."""
        rows = list(zip(self.steps, self.values, self.times, strict=True))
        if self._last is not None and (not rows or (self._seen - 1) % self._every):
            rows.append(self._last)
        return {
            "name": name,
            "steps": [step for step, _, _ in rows],
            "values": [value if math.isfinite(value) else None for _, value, _ in rows],
            "at": [round(at, 3) for _, _, at in rows],
        }


class Reports:
    """Takes what an attempt tells.

    Args:
        put: Writes the series' object, over what was there.
        beat: Sends a heartbeat.
        hide: Hides secrets in a text.
        note: Writes a line of ours to the log.
    """

    def __init__(
        self,
        put: Callable[[bytes], Awaitable[None]],
        beat: Callable[[], None],
        hide: Callable[[str], str],
        note: Callable[[str], None],
    ) -> None:
        self.progress: dict[str, Any] | None = None
        self.wish: Callable[[str], None] | None = None
        """Called with the name of a checkpoint that is asked for; `""` for one that a line of the log asks for."""
        self._put, self._beat, self._hide, self._note = put, beat, hide, note
        self._series: dict[str, Series] = {}
        self._full = False
        self._told_at = 0.0
        self._changed = False
        self._closing = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None

    def line(self, text: str) -> None:
        """Take a line of the log that may carry a mark."""
        mark = read_mark(text)
        if mark is None:
            return
        if mark.kind == "progress":
            self._take_progress(*mark.numbers, mark.text)
        elif mark.kind == "metric":
            value, step = mark.numbers
            self._take_metric(mark.name, value, step, time.time())
        elif mark.kind == "checkpoint" and self.wish is not None:
            self.wish("")

    def take(self, message: Any) -> None:
        """Take a message of the pipe, which may be anything; what is none of ours is dropped."""
        with contextlib.suppress(OverflowError):  # JSON has integers of any size
            self._take(message)

    def _take(self, message: Any) -> None:
        match message:
            case {"progress": [int() | float() as done, int() | float() | None as total, str() as text]}:
                self._take_progress(done, total, text)
            case {"metric": [str() as name, int() | float() | None as value, step, int() | float() as at]}:
                if step is None or isinstance(step, int | float):
                    place = None if step is None else float(step)
                    self._take_metric(name, math.nan if value is None else float(value), place, float(at))
            case {"checkpoint": str() as name} if self.wish is not None and name:
                self.wish(name)

    async def close(self) -> None:
        """Write what is left of the series."""
        self._closing.set()
        if self._flusher is not None:
            await self._flusher

    def _take_progress(self, done: float, total: float | None, text: str) -> None:
        if not math.isfinite(done) or not math.isfinite(total or 0):
            return
        self.progress = {
            "done": _short(done),
            "total": _short(total) if total is not None and total > 0 else None,
            "text": self._shown(text)[:MAX_TEXT_CHARACTERS],
        }
        if time.monotonic() - self._told_at >= BEAT_SECONDS:
            self._told_at = time.monotonic()
            self._beat()

    def _take_metric(self, name: str, value: float, step: float | None, at: float) -> None:
        name = self._shown(name)[:MAX_NAME_CHARACTERS]
        if not name or not math.isfinite(at) or (step is not None and not math.isfinite(step)):
            return
        if name not in self._series:
            if len(self._series) >= MAX_SERIES:
                if not self._full:
                    self._note(f"[segue] a step has at most {MAX_SERIES} metrics: {name} is not kept, nor are others")
                self._full = True
                return
            self._series[name] = Series()
        self._series[name].add(value, step, at)
        self._changed = True
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())

    def _shown(self, text: str) -> str:
        """Return a text as people may see it: in one line, and without what would move a terminal's cursor."""
        hidden = self._hide(" ".join(text.split()))
        return "".join(each for each in hidden if each.isprintable())

    async def _flush(self) -> None:
        """Write the series whenever they have changed, until the attempt is over."""
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), FLUSH_SECONDS)
            if self._changed:
                await self._write()
        for _ in range(CLOSE_TRIES):
            if not self._changed or await self._write():
                break
            await asyncio.sleep(BEAT_SECONDS)

    async def _write(self) -> bool:
        self._changed = False
        document = {"series": [series.to_json(name) for name, series in self._series.items()]}
        try:
            await self._put(json.dumps(document, separators=(",", ":")).encode())
        except Exception as error:
            # Like the log's: what is lost here must not fail hours of work.
            self._changed = True
            logger.info("metrics are not written yet: %s", error)
            return False
        return True


def _short(number: float) -> float:
    return int(number) if float(number).is_integer() and abs(number) < 2**53 else round(float(number), 6)
