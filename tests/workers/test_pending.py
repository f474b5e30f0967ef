"""Which of the attempts in flight are recorded."""

from __future__ import annotations

from typing import Any

from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.workflow.v1 import PendingActivityInfo

from store.folding import PendingAttempt
from workers.pending import _attempt, worth_recording
from workflows.messages import StepError
from workflows.wire import CONVERTER

FRESH = PendingAttempt("fresh", 1, running=True)
LASTING = PendingAttempt("lasting", 1, running=True)
AGAIN = PendingAttempt("again", 2, running=False, failure=StepError("Boom", "it broke"))
BEFORE = {("lasting", 1), ("again", 1)}


def test_of_a_few_attempts_all_are_recorded_at_once() -> None:
    assert worth_recording([FRESH, LASTING, AGAIN], (), many=3) == [FRESH, LASTING, AGAIN]


def test_of_many_attempts_those_are_recorded_that_last_or_have_failed() -> None:
    assert worth_recording([FRESH, LASTING, AGAIN], BEFORE, many=2) == [LASTING, AGAIN]
    assert worth_recording([FRESH, LASTING, AGAIN], (), many=2) == [AGAIN]


async def test_progress_is_that_of_the_attempt_which_told_it() -> None:
    async def seen(*details: Any, attempt: int = 2) -> Any:
        payloads = Payloads(payloads=await CONVERTER.encode(details))
        pending = PendingActivityInfo(activity_id="train", attempt=attempt, heartbeat_details=payloads)
        return (await _attempt(pending, CONVERTER)).progress

    told = {"done": 1, "total": None, "text": "x"}
    assert await seen({"attempt": 2, "progress": told}) == told
    assert await seen({"attempt": 1, "progress": told}) is None, "of the attempt before"
    for details in ([], ["job-7"], [None], [{"attempt": 2}], [{"attempt": 2, "progress": {}}], [{"progress": told}]):
        assert await seen(*details) is None
    broken = Payloads(payloads=[Payload(metadata={"encoding": b"unheard/of"}, data=b"?")])
    pending = PendingActivityInfo(activity_id="train", attempt=2, heartbeat_details=broken)
    assert (await _attempt(pending, CONVERTER)).progress is None
