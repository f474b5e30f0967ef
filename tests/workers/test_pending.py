"""Which of the attempts in flight are recorded."""

from __future__ import annotations

from store.folding import PendingAttempt
from workers.pending import worth_recording
from workflows.messages import StepError

FRESH = PendingAttempt("fresh", 1, running=True)
LASTING = PendingAttempt("lasting", 1, running=True)
AGAIN = PendingAttempt("again", 2, running=False, failure=StepError("Boom", "it broke"))
BEFORE = {("lasting", 1), ("again", 1)}


def test_of_a_few_attempts_all_are_recorded_at_once() -> None:
    assert worth_recording([FRESH, LASTING, AGAIN], (), many=3) == [FRESH, LASTING, AGAIN]


def test_of_many_attempts_those_are_recorded_that_last_or_have_failed() -> None:
    assert worth_recording([FRESH, LASTING, AGAIN], BEFORE, many=2) == [LASTING, AGAIN]
    assert worth_recording([FRESH, LASTING, AGAIN], (), many=2) == [AGAIN]
