"""Text to moments and spans of time. Nothing here reads a clock or a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from workflows.expressions.errors import Fault
from workflows.expressions.values import Duration, Timestamp

_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_DURATION = re.compile(r"([+-]?)(0|(?:(?:[0-9]{1,15}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(?:h|ms|us|m|s))+)")
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(h|ms|us|m|s)")
_UNITS = {"h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799  # years 1 to 9999
_MAX_DURATION = 315_576_000_000 * 1_000_000  # 10,000 years, as in CEL


def parse_timestamp(value: str | int | float) -> Timestamp:
    """Read RFC 3339 (`2025-01-31T06:00:00Z`), or seconds since 1970.

    Raises:
        Fault: The value is neither, or outside the years 1 to 9999.
    """
    if not isinstance(value, str):
        return in_range(round(value * 1_000_000) if _EARLIEST <= value <= _LATEST else 2**62)
    match = _TIMESTAMP.fullmatch(value)
    if match is None:
        raise Fault(f"{value[:40]!a} is not a timestamp such as 2025-01-31T06:00:00Z")
    try:
        offset = timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0))
        zone = timezone(-offset if match[8] == "-" else offset)
        year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
        fraction = int((match[7] or "")[:6].ljust(6, "0"))
        moment = datetime(year, month, day, hour, minute, second, fraction, tzinfo=zone)
    except ValueError as error:
        raise Fault(f"{value[:40]!a} is not a timestamp: {error}") from None
    return in_range((moment - _EPOCH) // timedelta(microseconds=1))


def parse_duration(text: str) -> Duration:
    """Read a span of time such as `1h30m`, `90s`, `-1.5s` or `0`.

    Raises:
        Fault: The text is not one, or it is longer than 10,000 years.
    """
    match = _DURATION.fullmatch(text[:200])
    if match is None or len(text) > 200:
        raise Fault(f'{text[:40]!a} is not a duration such as "1h30m" or "90s" (units: h, m, s, ms, us)')
    total = 0
    for whole, fraction, unit in _PART.findall(match[2]):
        total += int(whole or 0) * _UNITS[unit] + (
            int(fraction) * _UNITS[unit] // 10 ** len(fraction) if fraction else 0
        )
    return bounded(-total if match[1] == "-" else total)


def in_range(microseconds: int) -> Timestamp:
    """Return a moment in the years 1 to 9999.

    Raises:
        Fault: It lies outside.
    """
    if not _EARLIEST * 1_000_000 <= microseconds <= _LATEST * 1_000_000 + 999_999:
        raise Fault("the timestamp lies outside the years 1 to 9999")
    return Timestamp(microseconds)


def bounded(microseconds: int) -> Duration:
    """Return a span of at most 10,000 years.

    Raises:
        Fault: It is longer.
    """
    if abs(microseconds) > _MAX_DURATION:
        raise Fault("the duration is longer than 10,000 years")
    return Duration(microseconds)
