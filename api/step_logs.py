"""The log of a step's attempt, read from its segments in the object store.

A worker puts `logs/000001.ndjson`, `logs/000002.ndjson` ... and, when it is done, `logs/end`. A page holds whole
segments; its cursor is the number of the last one. Nothing here trusts what a segment holds. All of it blocks.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from store.objects import ObjectStore

MAX_PAGE_BYTES = 1024 * 1024
"""A page ends with the segment that reaches this."""

_SEGMENT = re.compile(r"([0-9]{6,9})\.ndjson")


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines of an attempt, in order.

    Attributes:
        lines: `{"at", "stream", "text"}` each.
        next: Number of the last segment that was read; the cursor of the next page.
        ended: The worker has put the last segment and all were read.
        exhausted: All segments that are there were read.
    """

    lines: list[dict[str, Any]]
    next: int
    ended: bool
    exhausted: bool


def read_log(objects: ObjectStore, folder: str, after: int) -> LogPage:
    """Return the page of the attempt in `folder` that follows segment `after`."""
    lines: list[dict[str, Any]] = []
    cursor, size, saw_end = after, 0, False
    while True:
        found, ended = _segments_after(objects, folder, cursor)
        # A listing that sees the end may have missed a segment that was put while it ran, so the next one decides.
        if not found and (saw_end or not ended):
            return LogPage(lines, cursor, ended=saw_end, exhausted=True)
        saw_end = ended
        for number, key in found:
            data = objects.get(key)
            lines.extend(_parse_line(line) for line in data.splitlines() if line)
            cursor = number
            size += len(data)
            if size >= MAX_PAGE_BYTES:
                return LogPage(lines, cursor, ended=False, exhausted=False)
        if found and not ended:
            return LogPage(lines, cursor, ended=False, exhausted=True)


def _segments_after(objects: ObjectStore, folder: str, after: int) -> tuple[list[tuple[int, str]], bool]:
    prefix = f"{folder}/logs/"
    found: list[tuple[int, str]] = []
    for info in objects.list(prefix, f"{prefix}{after:06d}.ndjson"):
        name = info.key.removeprefix(prefix)
        if name == "end":
            return found, True
        match = _SEGMENT.fullmatch(name)
        if match is not None:
            found.append((int(match[1]), info.key))
        if len(found) >= 1_000:
            break
    return found, False


def _parse_line(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
        at, stream, text = float(document["at"]), document["stream"], document["text"]
        if math.isfinite(at) and stream in ("stdout", "stderr") and isinstance(text, str):
            # Half a surrogate pair cannot be sent.
            return {"at": at, "stream": stream, "text": text.encode("utf-8", "replace").decode()}
    except (ValueError, TypeError, LookupError, RecursionError):
        pass
    return {"at": 0.0, "stream": "stderr", "text": line.decode("utf-8", "replace")}
