"""When a schedule starts runs: its next times, in its own zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import count, islice
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

_PRESETS = {"@annually": "@yearly", "@midnight": "@daily"}


def next_ticks(spec: Mapping[str, Any], now: datetime, how_many: int = 10) -> list[datetime]:
    """Return the next times of a schedule as a plan has it; none for one that names no time to come."""
    try:
        zone = ZoneInfo(str(spec.get("timezone", "UTC")))
    except ZoneInfoNotFoundError:
        zone = ZoneInfo("UTC")
    local = now.astimezone(zone)
    ticks = _cron(str(spec["cron"]), local) if spec.get("cron") else _every(spec, local, zone)
    return list(islice(ticks, how_many))


def _cron(text: str, now: datetime) -> Iterator[datetime]:
    # Seven is Sunday, too; and where both days are given, either counts: as Temporal has it.
    times = croniter(_PRESETS.get(text, text), now, ret_type=datetime, day_or=True)
    seen = now
    while True:
        try:
            found: datetime = times.get_next(datetime)
        except ValueError:  # no such day in the next fifty years
            return
        if found > seen:
            yield found
        seen = max(seen, found)


def _every(spec: Mapping[str, Any], now: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    every, start = spec.get("every", {}), _start(spec.get("start"), zone)
    if "seconds" in every:
        length = timedelta(seconds=float(every["seconds"]))
        passed = max(0, -((start - now) // length))
        yield from (found for n in count(passed) if (found := start + n * length) > now)
        return
    months = int(every.get("months", 1))
    passed = max(0, (now.year - start.year) * 12 + now.month - start.month) // months
    for n in count(max(0, passed - 1)):
        found = _months_later(start, n * months)
        if found > now:
            yield found


def _start(text: Any, zone: ZoneInfo) -> datetime:
    if not isinstance(text, str):
        return datetime(1970, 1, 1, tzinfo=UTC).astimezone(zone)
    if len(text) == 10:
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, tzinfo=zone)
    found = datetime.fromisoformat(text)
    return found.astimezone(zone) if found.tzinfo else found.replace(tzinfo=zone)


def _months_later(start: datetime, months: int) -> datetime:
    """Return the same day of a later month; the last one of a month that is too short."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    for day in range(start.day, 27, -1):
        try:
            return start.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return start.replace(year=year, month=month + 1)
