"""Durations and moments as tests write them: `"20m"`, a `timedelta`, seconds; `"2026-01-05T06:00:00Z"`, a `datetime`.

The clock of a test is virtual, so nothing here ever asks what time it is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Duration: TypeAlias = str | timedelta | int | float
Moment: TypeAlias = str | datetime

START = datetime(2025, 1, 1, tzinfo=UTC)
"""When a run starts unless its test says so: always the same moment, so that a test never depends on the day."""

_TEXT = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d|w))+")
_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


def seconds_of(value: Duration, name: str) -> float:
    """Return a duration in seconds; messages call it by `name`.

    Raises:
        ValueError: It is none, or less than nothing.
    """
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        if not _TEXT.fullmatch(value):
            raise ValueError(f'{name} is "{value}", which is not a duration: write 500ms, 30s, 5m, 2h or 1h30m')
        seconds = round(sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(value)), 6)
    else:
        seconds = float(value)
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{name} is {value!r}: a duration is not negative and has an end")
    return seconds


def moment_of(value: Moment, name: str) -> datetime:
    """Return a moment in UTC; one that names no time zone is meant in UTC.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f'{name} is "{value}", which is not a time: write 2026-01-05T06:00:00Z') from None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def offset_of(value: Duration | datetime, start: datetime, name: str) -> float:
    """Return the seconds from the start to a moment, which may be given as the time that passes until then.

    Raises:
        ValueError: It is neither, or before the start.
    """
    if isinstance(value, datetime) or (isinstance(value, str) and not _TEXT.fullmatch(value) and "-" in value):
        seconds = (moment_of(value, name) - start).total_seconds()
        if seconds < 0:
            raise ValueError(f"{name} is {value}, before the run starts at {start:%Y-%m-%dT%H:%M:%SZ}")
        return seconds
    return seconds_of(value, name)


def shown(duration: timedelta | None) -> str:
    """Return a duration as the table shows it."""
    if duration is None:
        return ""
    seconds = duration.total_seconds()
    if seconds < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
