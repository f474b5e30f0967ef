"""When schedules tick, asked of the real server, against times that are computed in another way."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as some
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleState

from api.schedules import months_after, schedule_spec

PARIS, NEW_YORK = ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York")
_numbers = itertools.count()


async def ticks(temporal: Client, spec: dict[str, Any], after: datetime, until: datetime) -> list[datetime]:
    """Return when Temporal would start runs of a schedule."""
    name = f"ticks-{next(_numbers)}"
    action = ScheduleActionStartWorkflow("never", id="never", task_queue="none")
    paused = ScheduleState(paused=True)
    handle = await temporal.create_schedule(name, Schedule(action, spec=schedule_spec(spec), state=paused))
    request = ListScheduleMatchingTimesRequest(namespace=temporal.namespace, schedule_id=name)
    request.start_time.FromDatetime(after)
    request.end_time.FromDatetime(until)
    answer = await temporal.workflow_service.list_schedule_matching_times(request)
    await handle.delete()
    return [found.ToDatetime(UTC) for found in answer.start_time]


def by_months(start: datetime, months: int, after: datetime, until: datetime) -> list[datetime]:
    """Return the ticks as dateutil has them: the wall clock of the zone, the last day where a month is too short."""
    found = []
    for count in itertools.count():
        wall = start.replace(tzinfo=None) + relativedelta(months=months * count)
        tick = wall.replace(tzinfo=start.tzinfo, fold=0).astimezone(UTC)
        twice = wall.replace(tzinfo=start.tzinfo, fold=1).astimezone(UTC)
        # An hour that comes twice: Temporal takes the second. One that is skipped: what the clock shows instead.
        tick = max(tick, twice)
        if tick > until:
            return found
        if tick >= after:
            found.append(tick)
    raise AssertionError


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


@pytest.mark.parametrize("months", [1, 2, 3, 5, 6, 7, 12, 18, 24])
@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=PARIS)),
        ("2024-02-29T12:00:00", datetime(2024, 2, 29, 12, tzinfo=PARIS)),
        ("2026-08-30T23:59:59", datetime(2026, 8, 30, 23, 59, 59, tzinfo=PARIS)),
        ("2026-01-15T06:30:00Z", datetime(2026, 1, 15, 7, 30, tzinfo=PARIS)),
        # The days on which clocks go forward and back: 02:30 is not there, or twice.
        ("2026-01-29T02:30:00", datetime(2026, 1, 29, 2, 30, tzinfo=PARIS)),
        ("2026-01-25T02:30:00", datetime(2026, 1, 25, 2, 30, tzinfo=PARIS)),
    ],
)
async def test_calendar_months_tick_as_people_expect(temporal: Client, text: str, start: datetime, months: int) -> None:
    spec = {"every": {"months": months}, "start": text, "timezone": "Europe/Paris"}
    after, until = at(2024, 1, 1), at(2033, 1, 1)
    expected = by_months(start, months, after, until)
    assert len(expected) >= 4
    assert await ticks(temporal, spec, after, until) == expected


async def test_leap_years_are_those_of_the_calendar_up_to_its_end(temporal: Client) -> None:
    spec = {"every": {"months": 12}, "start": "2024-02-29"}
    found = await ticks(temporal, spec, at(2024, 1, 1), at(2100, 12, 31))
    assert found == by_months(datetime(2024, 2, 29, tzinfo=UTC), 12, at(2024, 1, 1), at(2100, 12, 31))
    assert [tick.day for tick in found if tick.year in (2027, 2028, 2096, 2100)] == [28, 29, 29, 28]


async def test_months_without_a_start_begin_on_the_first(temporal: Client) -> None:
    found = await ticks(temporal, {"every": {"months": 2}}, at(2025, 12, 31), at(2026, 6, 1))
    assert found == [at(2026, 1, 1), at(2026, 3, 1), at(2026, 5, 1)]


async def test_a_start_long_past_gives_the_same_rhythm(temporal: Client) -> None:
    found = await ticks(temporal, {"every": {"months": 7}, "start": "1970-01-31"}, at(2026, 1, 1), at(2028, 1, 1))
    assert found == by_months(datetime(1970, 1, 31, tzinfo=UTC), 7, at(2026, 1, 1), at(2028, 1, 1))


@pytest.mark.parametrize("seconds", [60.0, 5_400.0, 86_400.0, 7 * 86_400.0])
@pytest.mark.parametrize("start", ["2026-03-28T01:00:00+01:00", "2026-03-28", "2026-03-28T12:34:56Z"])
async def test_seconds_are_counted_from_the_start_whatever_clocks_do(
    temporal: Client, start: str, seconds: float
) -> None:
    spec = {"every": {"seconds": seconds}, "start": start, "timezone": "Europe/Paris"}
    begin = datetime.fromisoformat(start)
    begin = begin if begin.tzinfo else begin.replace(tzinfo=PARIS)
    expected = [begin.astimezone(UTC) + timedelta(seconds=seconds * count) for count in range(5)]
    assert await ticks(temporal, spec, at(2026, 1, 1), expected[-1]) == expected


async def test_nothing_ticks_before_the_start(temporal: Client) -> None:
    start = "2026-06-15T12:00:00Z"
    first = datetime(2026, 6, 15, 12, tzinfo=UTC)
    for spec in (
        {"every": {"months": 1}, "start": start},
        {"every": {"seconds": 3_600.0}, "start": start},
        {"cron": "0 * * * *", "start": start},
    ):
        assert (await ticks(temporal, spec, at(2026, 1, 1), at(2026, 6, 16)))[0] == first


async def test_a_part_of_a_second_starts_with_the_next_one(temporal: Client) -> None:
    spec = {"every": {"seconds": 60.0}, "start": "2026-06-15T12:00:00.25Z"}
    found = await ticks(temporal, spec, at(2026, 6, 15), datetime(2026, 6, 15, 12, 2, tzinfo=UTC))
    assert found == [datetime(2026, 6, 15, 12, minute, 1, tzinfo=UTC) for minute in (0, 1)]


async def test_cron_text_ticks_in_its_zone(temporal: Client) -> None:
    spec = {"cron": "0 6 * * MON", "timezone": "America/New_York"}
    found = await ticks(temporal, spec, at(2026, 3, 1), at(2026, 3, 20))
    assert [tick.astimezone(NEW_YORK).isoformat() for tick in found] == [
        "2026-03-02T06:00:00-05:00",
        "2026-03-09T06:00:00-04:00",
        "2026-03-16T06:00:00-04:00",
    ]


@given(some.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), some.integers(0, 400))
def test_months_later_is_what_dateutil_says(start: datetime, months: int) -> None:
    assert months_after(start, months) == start + relativedelta(months=months)


def test_a_spec_stays_small() -> None:
    """It is one message to Temporal, and shown in its UI."""
    for months in range(1, 40):
        spec = schedule_spec({"every": {"months": months}, "start": "2026-01-31T02:30:00", "timezone": "Europe/Paris"})
        assert len(spec.calendars) <= 40
        assert sum(len(calendar.year) for calendar in spec.calendars) <= 150
