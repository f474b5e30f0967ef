"""What the command line says of a step, in a few words."""

from __future__ import annotations

import io
from typing import Any

import pytest

from segue.cli.marked_log import MarkedLog
from segue.cli.metrics import row_of
from segue.cli.progress import show_progress
from segue.cli.run_view import note_of
from segue.measures import Series
from segue.models import Run, RunEvent, Step


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


@pytest.mark.parametrize(
    ("progress", "note"),
    [
        ({"done": 3, "total": 10, "text": "rows read"}, "[###       ] 3/10 rows read"),
        ({"done": 12, "total": 10}, "[##########] 12/10"),
        ({"done": -1, "total": 2.5}, "[          ] -1/2.5"),
        ({"done": 1e6, "total": None, "text": "rows"}, "1e+06 rows"),
    ],
)
def test_a_step_that_runs_shows_its_bar(progress: dict[str, Any], note: str) -> None:
    running = {"key": "train", "kind": "python", "state": "running", "progress": progress}
    assert note_of(Step.from_json(running)) == note
    assert note_of(Step.from_json(running | {"state": "succeeded"})) == ""


def test_without_a_terminal_progress_is_no_line_each_time() -> None:
    step = {"key": "train", "kind": "python", "queue": "cpu", "state": "running", "attempt": 1, "reason": "runs on x"}
    moves = [step, *({**step, "progress": {"done": n, "total": 9}} for n in range(5)), {**step, "state": "succeeded"}]
    events = [RunEvent.from_json("step", {"seq": n, **each}) for n, each in enumerate(moves)]
    out = io.StringIO()
    run = Run.from_json({"id": "r", "workflow": "w", "version": 1, "state": "running"})
    show_progress(run, lambda after: events, out)
    assert [line.split()[2:4] for line in out.getvalue().splitlines()] == [["train", "running"], ["train", "succeeded"]]


def test_a_log_in_a_terminal_has_colours_and_headings() -> None:
    log = MarkedLog(colours=True)
    lines = ["a", "::group::Set up", "b", "::warning::w", "::endgroup::", "::error::e", "::metric x=1", "::odd::"]
    assert [log.shown(line) for line in lines] == [
        "a",
        "\x1b[1mSet up\x1b[0m",
        "  b",
        "  \x1b[33mwarning: w\x1b[0m",
        None,
        "\x1b[1;31merror: e\x1b[0m",
        "\x1b[2m::metric x=1\x1b[0m",
        "::odd::",
    ]
    assert MarkedLog(colours=False).shown("::error::e") == "error: e"


def test_a_series_is_a_row() -> None:
    assert row_of(Series("loss", (0, 1, 2), (0.5, None, 0.25), (0, 0, 0))) == (
        *("loss", "3", "0.5", "0.25", "0.25", "0.5"),
    )
    assert row_of(Series("none", (), (), ())) == ("none", "0", "-", "-", "-", "-")
