"""Checks of cron text, so that a schedule which Temporal would refuse or misread is found. Temporal knows the times."""

from __future__ import annotations

import re
from dataclasses import dataclass

PRESETS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_PART = re.compile(r"(\*|[0-9A-Za-z]{1,9})(?:-([0-9A-Za-z]{1,9}))?(?:/([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()

    def number(self, text: str) -> int | None:
        if text.upper() in self.words:
            return self.words.index(text.upper()) + self.least
        return int(text) if text.isdigit() and self.least <= int(text) <= self.most else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


def cron_problem(text: str) -> str | None:
    """Say what is wrong with cron text of five fields (or a preset such as `@daily`), or return None."""
    if text.strip().startswith("@"):
        return None if text.strip() in PRESETS else f"the presets are {', '.join(PRESETS)}"
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return f"it has {len(parts)} field{'s' * (len(parts) != 1)}, not five"
    for field, part in zip(_FIELDS, parts, strict=True):
        for item in part.split(","):
            if not _fits(field, item):
                return f'"{item[:20]}" is no {field.name} ({field.least} to {field.most})'
    return None


def _fits(field: _Field, item: str) -> bool:
    match = _PART.fullmatch(item)
    if match is None:
        return False
    first, last, step = match.groups()
    if step is not None and int(step) == 0:
        return False
    if first == "*":
        return last is None
    low, high = field.number(first), field.number(last or first)
    return low is not None and high is not None and low <= high
