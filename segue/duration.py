"""Durations as definitions write them: `10s`, `5m`, `2h`, `7d`.

Never rounds: a duration keeps its value whichever way it was spelled.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from segue.place import misuse

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


def duration_text(value: Any, name: str) -> str:
    """Return a duration's text.

    Args:
        value: Text, which the translator checks; a `timedelta`; or a number of seconds.
        name: The argument it was given for, for messages.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, timedelta):
        return seconds_text(value.total_seconds())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return seconds_text(value)
    if type(value).__name__ == "relativedelta":
        hint = 'a month has no fixed length: use timedelta, or text such as "30m"'
        raise misuse(f"{name}=relativedelta(...) is not a duration", hint=hint)
    raise misuse(
        f"{name}={value!r} is not a duration", hint='use timedelta(minutes=30), seconds, or text such as "30m"'
    )


def seconds_text(seconds: float) -> str:
    """Return seconds in the largest unit that holds them exactly."""
    for unit, length in _UNITS:
        if seconds and seconds % length == 0:
            return f"{int(seconds // length)}{unit}"
    if seconds == int(seconds):
        return f"{int(seconds)}s"
    milliseconds = seconds * 1_000
    return f"{int(milliseconds)}ms" if milliseconds == int(milliseconds) else f"{seconds!r}s"
