from __future__ import annotations

import pytest

from translator.cron import cron_problem


@pytest.mark.parametrize(
    "text", ["0 6 * * MON", "*/15 0-6,12 1,15 jan-Mar 7", "@daily", "  0   0 1 1 * ", "5/10 * * * *", "0 0 * * SUN,MON"]
)
def test_cron_text_that_temporal_reads_is_accepted(text: str) -> None:
    assert cron_problem(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it has 0 fields, not five"),
        ("0 6 * * MON *", "it has 6 fields, not five"),
        ("60 * * * *", '"60" is no minute (0 to 59)'),
        ("* * 0 * *", '"0" is no day of the month (1 to 31)'),
        ("* * * 13 *", '"13" is no month (1 to 12)'),
        ("* * * * 8", '"8" is no day of the week (0 to 7)'),
        ("* * * MON *", '"MON" is no month (1 to 12)'),
        ("*/0 * * * *", '"*/0" is no minute (0 to 59)'),
        ("30-10 * * * *", '"30-10" is no minute (0 to 59)'),
        ("*-5 * * * *", '"*-5" is no minute (0 to 59)'),
        ("1,,2 * * * *", '"" is no minute (0 to 59)'),
        ("@dayly", "the presets are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"),
    ],
)
def test_cron_text_that_temporal_would_refuse_or_misread_is_refused(text: str, problem: str) -> None:
    assert cron_problem(text) == problem
