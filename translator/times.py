"""Times and rhythms as definitions write them: `2025-01-01T06:00:00+01:00`, `1 month`, `36h`. Asks no clock."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

from translator.fields import MAX_DURATION, parse_duration

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RHYTHM = re.compile(r"([0-9]{1,6}) ?(second|minute|hour|day|week|month|year)s?", re.IGNORECASE)
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0, "week": 604_800.0}
_MONTHS = {"month": 1, "year": 12}
MAX_MONTHS = 120


def time_problem(text: str) -> str | None:
    """Say why a text is not a time with its offset from UTC, or return None."""
    found = _TIME.fullmatch(text)
    if found is None:
        return "it is a date: add a time, such as T06:00:00Z" if read_date(text) else "it is not a time"
    if found[3] is None:
        return "it has no offset from UTC: add Z, or one such as +01:00"
    return None if read_time(text) else "there is no such time"


def read_time(text: str) -> str | None:
    """Return a time with an offset in canonical form (`Z` for UTC, no needless fraction), or None."""
    found = _TIME.fullmatch(text)
    if found is None or found[3] is None:
        return None
    try:
        # A fraction of a microsecond is nothing that any schedule keeps.
        time = datetime.fromisoformat(f"{found[1]}T{found[2][:15]}{found[3].upper()}")
    except ValueError:
        return None
    written = time.isoformat()
    return written.removesuffix("+00:00") + "Z" if time.utcoffset() == timedelta() else written


def read_date(text: str) -> str | None:
    """Return a date, or None when the text is none."""
    try:
        return date.fromisoformat(text).isoformat() if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def read_rhythm(text: str) -> dict[str, Any] | None:
    """Return `{"months": n}` or `{"seconds": n}` for `1 month`, `2 weeks`, `36h`, or None when the text is neither.

    Months and years are those of the calendar; everything else is a fixed length of time.
    """
    found = _RHYTHM.fullmatch(text.strip())
    if found is None:
        seconds = parse_duration(text.strip())
        return _within({"seconds": seconds}) if seconds is not None else None
    number, unit = int(found[1]), found[2].lower()
    return _within({"months": number * _MONTHS[unit]} if unit in _MONTHS else {"seconds": number * _SECONDS[unit]})


def _within(rhythm: dict[str, Any]) -> dict[str, Any] | None:
    """Return a rhythm that is at least a second and at most ten years, else None."""
    fits = 1 <= rhythm["months"] <= MAX_MONTHS if "months" in rhythm else 1.0 <= rhythm["seconds"] <= MAX_DURATION
    return rhythm if fits else None
