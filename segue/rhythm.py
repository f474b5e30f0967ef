"""Rhythms and their beginnings as the Python spelling writes them: `timedelta`, dateutil's `relativedelta`, `datetime`.

`relativedelta` is the user's: it is known by its attributes and never imported. Asks no clock.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from segue.duration import seconds_text
from segue.place import misuse

_CALENDAR = {"years": 12, "months": 1}
_LENGTHS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_ABSOLUTE = ("year", "month", "day", "weekday", "hour", "minute", "second", "microsecond")


def is_relativedelta(value: Any) -> bool:
    """Tell whether a value is dateutil's `relativedelta`, or one like it."""
    return type(value).__name__ == "relativedelta" and all(hasattr(value, name) for name in (*_CALENDAR, *_LENGTHS))


def rhythm_text(value: Any, name: str) -> str:
    """Return how often, as YAML writes it: `1 month`, `36h`.

    Args:
        value: A `timedelta`, a `relativedelta`, or the text itself, which the translator checks.
        name: The argument it was given for, for messages.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, timedelta):
        return seconds_text(value.total_seconds())
    if not is_relativedelta(value):
        hint = 'use timedelta(hours=6), relativedelta(months=1), or text such as "1 month"'
        raise misuse(f"{name}={value!r} is no rhythm", hint=hint)
    fixed = [each for each in _ABSOLUTE if getattr(value, each, None) is not None]
    if fixed:
        hint = f"use {fixed[0]}s instead of {fixed[0]}, and start_date for the time"
        raise misuse(f"{name}={value!r} names a time, not a rhythm", hint=hint)
    months = sum(int(getattr(value, each)) * length for each, length in _CALENDAR.items())
    seconds = sum(getattr(value, each) * length for each, length in _LENGTHS.items())
    if months and seconds:
        hint = "a rhythm is either of calendar months or of a fixed length"
        raise misuse(f"{name}={value!r} mixes months with days or hours", hint=hint)
    return f"{months} month{'s' * (months != 1)}" if months else seconds_text(seconds)


def start_text(value: Any, zone: str | None, name: str) -> str:
    """Return when a rhythm begins, as YAML writes it: a date for midnight in the schedule's time zone, else a time.

    Args:
        value: A `datetime`, a `date`, or text, which the translator checks.
        zone: The schedule's time zone; UTC without one. A `datetime` without a zone of its own is in it.
        name: The argument it was given for, for messages.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, datetime):
        raise misuse(f"{name}={value!r} is not a datetime", hint="use datetime(2025, 1, 1)")
    if value.timetz().replace(tzinfo=None) == time() and _own_zone(value, zone) == (zone or "UTC"):
        return value.date().isoformat()
    return (value if value.tzinfo else value.replace(tzinfo=_zone(zone, name))).isoformat()


def _own_zone(value: datetime, zone: str | None) -> str | None:
    if value.tzinfo is None:
        return zone or "UTC"
    return "UTC" if value.tzinfo is UTC else getattr(value.tzinfo, "key", None)


def _zone(zone: str | None, name: str) -> Any:
    if zone is None:
        return UTC
    try:
        return ZoneInfo(zone)
    except (OSError, ValueError, LookupError):
        hint = "give it a zone of its own: datetime(2025, 1, 1, 6, tzinfo=...)"
        raise misuse(f"{name} has no time zone, and nothing is known here of {zone!r}", hint=hint) from None
