"""The event stream's reader: what lines mean, and when to come back."""

from __future__ import annotations

import json
import time

import pytest

from segue import ServiceUnreachable, UnexpectedAnswer, WaitTimeout
from segue.event_stream import SILENCE_SECONDS, EventStream

STEP = {"seq": 2, "at": "2026-11-24T06:00:00.000000Z", "key": "train[0]", "state": "running", "item": 0}
RUN = {"seq": 3, "id": "flow-1", "workflow": "flow", "version": 1, "state": "succeeded"}


def feed(stream: EventStream, *lines: str) -> list[object]:
    return [event for line in lines if (event := stream.feed(line)) is not None]


def test_an_event_ends_with_an_empty_line() -> None:
    stream = EventStream("flow-1")
    [step] = feed(stream, "id: 2", "event: step", f"data: {json.dumps(STEP)}", "")
    assert step.seq == 2  # type: ignore[attr-defined]
    assert step.step.key == "train[0]"  # type: ignore[attr-defined]
    assert step.step.step == "train"  # type: ignore[attr-defined]
    [run] = feed(stream, "event: run", f"data: {json.dumps(RUN)}", "")
    assert run.run.ended  # type: ignore[attr-defined]
    assert not stream.ended
    assert feed(stream, ": still here", "", "event: end", "data: {}", "") == []
    assert stream.ended


def test_data_of_several_lines_is_one_and_unknown_events_are_skipped() -> None:
    stream = EventStream("flow-1")
    lines = [f"data:{line}" for line in json.dumps(STEP, indent=1).splitlines()]
    assert len(feed(stream, "event:step", *lines, "")) == 1
    assert feed(stream, "event: weather", "data: rain", "", "retry: 5", "nonsense", "") == []


def test_a_cut_off_stream_goes_on_behind_the_last_whole_event_and_repeats_none() -> None:
    stream = EventStream("flow-1", after=1)
    assert stream.call().query == {"after": "1"}
    feed(stream, "event: step", f"data: {json.dumps(STEP)}", "", "event: step", "data: {")
    assert stream.call().query == {"after": "2"}
    assert feed(stream, "event: step", f"data: {json.dumps(STEP)}", "") == []
    assert len(feed(stream, "event: run", f"data: {json.dumps(RUN)}", "")) == 1


def test_a_stream_that_is_none_of_ours_is_said_to_be_so() -> None:
    with pytest.raises(UnexpectedAnswer):
        feed(EventStream("flow-1"), "event: step", "data: hello", "")


def test_patience_ends_when_nobody_has_answered_for_too_long() -> None:
    assert EventStream("flow-1").interrupted() > 0
    with pytest.raises(ServiceUnreachable, match="goes on without us"):
        EventStream("flow-1", patience=-1).interrupted()


def test_a_deadline_ends_the_wait_whether_or_not_the_service_speaks() -> None:
    past = EventStream("flow-1", deadline=time.monotonic() - 1)
    with pytest.raises(WaitTimeout):
        past.interrupted()
    with pytest.raises(WaitTimeout):
        past.feed(": still here")
    assert past.silence() < 1
    assert EventStream("flow-1").silence() == SILENCE_SECONDS
    assert 4 < EventStream("flow-1", deadline=time.monotonic() + 5).silence() <= 5
