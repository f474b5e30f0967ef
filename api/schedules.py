"""From a schedule trigger to Temporal's schedule spec: cron text, intervals, and calendar months.

Temporal has no "every n months on the 31st, or the month's last day". So every tick until the end of its calendar is
computed here, as the time that a clock in the trigger's zone shows, and written down as calendars: ticks that differ in
the year alone share one. A time that a clock skips in spring becomes the one it shows instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from temporalio.client import ScheduleCalendarSpec, ScheduleIntervalSpec, ScheduleRange, ScheduleSpec

FIRST_YEAR, LAST_YEAR = 2000, 2100
"""What Temporal's calendars reach."""


class ScheduleInvalid(ValueError):
    """A schedule that cannot tick; the message says why."""


_Clock = tuple[int, int, int, int, int]
"""Month, day, hour, minute, second."""


def schedule_spec(spec: dict[str, Any]) -> ScheduleSpec:
    """Return when a schedule trigger ticks.

    Args:
        spec: Of a `Trigger` of kind `schedule`.

    Raises:
        ScheduleInvalid: The zone is none that is known here, or the start is no time.
    """
    zone = _zone(spec.get("timezone") or "UTC")
    try:
        start = _start(spec.get("start"), zone)
    except ValueError as problem:
        raise ScheduleInvalid(f"start is no time or date: {problem}") from None
    every = spec.get("every")
    ticks: dict[str, Any]
    if every is None:
        ticks = {"cron_expressions": [spec["cron"]]}
    elif "months" in every:
        ticks = {"calendars": _calendars(start or datetime(FIRST_YEAR, 1, 1, tzinfo=zone), int(every["months"]), zone)}
    else:
        ticks = {"intervals": [_interval(every["seconds"], start)]}
    return ScheduleSpec(**ticks, start_at=start, time_zone_name=zone.key)


def months_after(start: datetime, months: int) -> datetime:
    """Return the same day and time of day so many months later: the last day of a month that is too short."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return start.replace(year=year, month=month + 1, day=min(start.day, last), fold=0)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ScheduleInvalid(f"there is no time zone {name!r}") from None


def _start(text: str | None, zone: ZoneInfo) -> datetime | None:
    """Return the start in the trigger's zone, on the whole second; a date is its midnight there."""
    if text is None:
        return None
    if "T" not in text and " " not in text:
        return datetime.combine(date.fromisoformat(text), time(), zone)
    found = datetime.fromisoformat(text)
    found = found.replace(tzinfo=zone) if found.tzinfo is None else found.astimezone(zone)
    return found if found.microsecond == 0 else found.replace(microsecond=0) + timedelta(seconds=1)


def _interval(seconds: float, start: datetime | None) -> ScheduleIntervalSpec:
    """Return an interval; Temporal counts it from the epoch, so the start is its offset."""
    every = max(1, math.ceil(seconds))
    offset = 0 if start is None else int(start.timestamp()) % every
    return ScheduleIntervalSpec(timedelta(seconds=every), timedelta(seconds=offset))


def _calendars(start: datetime, months: int, zone: ZoneInfo) -> list[ScheduleCalendarSpec]:
    years: dict[_Clock, list[int]] = {}
    for tick in _ticks(start, months, zone):
        clock = (tick.month, tick.day, tick.hour, tick.minute, tick.second)
        years.setdefault(clock, []).append(tick.year)
    return [_calendar(clock, found) for clock, found in years.items()]


def _ticks(start: datetime, months: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield every tick until the end of Temporal's calendar, as a clock shows it."""
    count = max(0, (FIRST_YEAR - start.year) * 12 // months - 1)
    while True:
        tick = months_after(start, count * months)
        count += 1
        if tick.year > LAST_YEAR:
            return
        if tick.year >= FIRST_YEAR:
            # By way of UTC, which a clock that skips an hour cannot skip.
            yield tick.astimezone(UTC).astimezone(zone)


def _calendar(clock: _Clock, years: list[int]) -> ScheduleCalendarSpec:
    month, day, hour, minute, second = ([ScheduleRange(number)] for number in clock)
    return ScheduleCalendarSpec(
        second=second, minute=minute, hour=hour, day_of_month=day, month=month, year=list(_ranges(years))
    )


def _ranges(years: Iterable[int]) -> Iterator[ScheduleRange]:
    """Yield the years as ranges with steps, as few as come of going through them once."""
    pending = list(years)
    while pending:
        step = pending[1] - pending[0] if len(pending) > 1 else 1
        length = 1
        while length < len(pending) and pending[length] - pending[length - 1] == step:
            length += 1
        yield ScheduleRange(pending[0], pending[length - 1], step)
        pending = pending[length:]
