from __future__ import annotations

from typing import Any

import pytest

from translator.times import read_date, read_rhythm, read_time, time_problem


@pytest.mark.parametrize(
    ("text", "rhythm"),
    [
        ("1 month", {"months": 1}),
        ("3months", {"months": 3}),
        ("1 Month", {"months": 1}),
        ("2 years", {"months": 24}),
        ("2 weeks", {"seconds": 1_209_600.0}),
        ("1 day", {"seconds": 86_400.0}),
        ("90 minutes", {"seconds": 5_400.0}),
        ("36h", {"seconds": 129_600.0}),
        ("1h30m", {"seconds": 5_400.0}),
        (" 10 seconds ", {"seconds": 10.0}),
        *(
            (text, None)
            for text in ("month", "0 months", "1.5 months", "-1 day", "121 months", "11 years", "100ms", "", "1 moon")
        ),
    ],
)
def test_a_rhythm_is_months_of_the_calendar_or_a_length_of_time(text: str, rhythm: dict[str, Any] | None) -> None:
    assert read_rhythm(text) == rhythm


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025-01-31T06:00:00Z", "2025-01-31T06:00:00Z"),
        ("2025-01-31t06:00z", "2025-01-31T06:00:00Z"),
        ("2025-01-31 06:00:00+00:00", "2025-01-31T06:00:00Z"),
        ("2025-01-31T06:00:00-05:30", "2025-01-31T06:00:00-05:30"),
        ("2025-01-31T06:00:00.5Z", "2025-01-31T06:00:00.500000Z"),
        ("2025-01-31T06:00:00.123456789Z", "2025-01-31T06:00:00.123456Z"),
        ("0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00+23:59"),
    ],
)
def test_a_time_has_one_form(text: str, time: str) -> None:
    assert read_time(text) == time
    assert time_problem(text) is None
    assert read_time(time) == time


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2025-01-31", "it is a date: add a time, such as T06:00:00Z"),
        ("2025-01-31T06:00:00", "it has no offset from UTC: add Z, or one such as +01:00"),
        ("2025-02-30T06:00:00Z", "there is no such time"),
        ("2025-01-31T24:01:00Z", "there is no such time"),
        ("2025-01-31T06:00:60Z", "there is no such time"),
        ("2025-01-31T06:00:00+25:00", "there is no such time"),
        ("2025-02-30", "it is not a time"),
        ("31.1.2025", "it is not a time"),
        ("٢٠٢٥-01-31T06:00:00Z", "it is not a time"),
        ("", "it is not a time"),
    ],
)
def test_what_is_no_time_is_explained(text: str, problem: str) -> None:
    assert time_problem(text) == problem
    assert read_time(text) is None


def test_a_date_is_one_of_the_calendar() -> None:
    assert read_date("2024-02-29") == "2024-02-29"
    assert [read_date(text) for text in ("2025-02-29", "20250101", "2025-1-1", "2025-01-01T00:00:00Z", "")] == [
        None
    ] * 5
