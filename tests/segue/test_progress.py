"""What is printed of a run while it goes on."""

from __future__ import annotations

import io
from typing import Any

from segue.cli.progress import show_progress
from segue.models import Run, RunEvent

SUMMARY = {"id": "train-1", "workflow": "train", "version": 1, "state": "running", "created_at": "2026-11-24T06:00:00Z"}


def event(seq: int, at: str, **more: Any) -> RunEvent:
    return RunEvent.from_json("run", {**SUMMARY, "seq": seq, "at": f"2026-11-24T06:00:{at}Z", **more})


def test_a_run_that_gets_stuck_says_so_once_and_that_it_moves_again() -> None:
    told = [
        event(1, "01"),
        event(2, "02", stuck="nobody serves the control queue"),
        event(3, "03", stuck="nobody serves the control queue"),
        event(4, "04", stuck=None),
    ]
    stream = io.StringIO()
    show_progress(Run.from_json({**SUMMARY, "steps": []}), lambda _after: told, stream)
    assert stream.getvalue() == "    2.0 s  stuck: nobody serves the control queue\n    4.0 s  moves again\n"
