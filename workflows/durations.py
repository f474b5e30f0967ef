"""Durations as people write them, `1h30m`, and back; times as text and back. Pure: no clock is read."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,9})?(?:ms|s|m|h|d|w))+")
_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_SHOWN = {"d": 86_400.0, "h": 3_600.0, "m": 60.0}


def parse_duration(text: str) -> float | None:
    """Return the seconds of `10s`, `5m`, `1h30m`, `1.5d`, or None when the text is no duration."""
    if len(text) > 100 or _DURATION.fullmatch(text) is None:
        return None
    # In whole milliseconds as far as they go, so that 0.1s + 0.2s and 300ms are the same.
    return round(sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(text)), 6)


def duration_text(seconds: float) -> str:
    """Return a duration as people read it: `1h30m`, `45s`, `0.2s`."""
    words, left = [], seconds
    for unit, size in _SHOWN.items():
        if left >= size:
            words.append(f"{int(left // size)}{unit}")
            left %= size
    if left or not words:
        words.append(f"{round(left, 3):g}s")
    return "".join(words)


def parse_time(text: str) -> float | None:
    """Return the seconds since the epoch of an RFC 3339 time or date, or None when the text is neither.

    Without an offset it is UTC.
    """
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def time_text(at: float) -> str:
    """Return a time as text: `2026-11-24T06:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
