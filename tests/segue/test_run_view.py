"""What the command line says of a step, in a few words."""

from __future__ import annotations

import pytest

from segue.cli.run_view import note_of
from segue.models import Step


def step(state: str, kind: str = "shell", failed: bool = True) -> Step:
    error = {"type": "ExitCode", "message": "exit code 1\nand more", "detail": {}} if failed else None
    return Step.from_json({"key": "release", "kind": kind, "state": state, "reason": "a reason", "error": error})


@pytest.mark.parametrize("state", ["failed", "held", "retrying", "running"])
def test_a_step_that_failed_shows_its_error_also_when_somebody_is_to_say_what_now(state: str) -> None:
    assert note_of(step(state)) == "ExitCode: exit code 1"


@pytest.mark.parametrize(("state", "note"), [("waiting", "a reason"), ("skipped", "a reason"), ("succeeded", "")])
def test_a_reason_is_shown_where_it_is_worth_a_word(state: str, note: str) -> None:
    assert note_of(step(state)) == note


def test_a_step_that_waits_for_room_on_its_worker_says_so() -> None:
    reason = "waits for 1 gpu on gpu@a:1"
    found = {"key": "a", "kind": "shell", "state": "queued", "reason": reason, "detail": {"waits": "waits for 1 gpu"}}
    assert note_of(Step.from_json(found)) == reason


@pytest.mark.parametrize(("kind", "note"), [("approve", "a reason"), ("wait", "a reason"), ("shell", "")])
def test_a_step_that_waits_for_people_or_time_says_what_for(kind: str, note: str) -> None:
    assert note_of(step("running", kind, failed=False)) == note
