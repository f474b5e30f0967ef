"""Every recorded history runs again: a run that began before an upgrade goes on after it."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from workflows.interpreter import DagRun
from workflows.slots import SegueSlots
from workflows.trigger import SegueTrigger

FILES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


def replayer() -> Replayer:
    return Replayer(workflows=[DagRun, SegueSlots, SegueTrigger], workflow_runner=UnsandboxedWorkflowRunner())


def test_histories_of_many_kinds_are_there() -> None:
    assert len(FILES) >= 6


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_a_recorded_run_goes_the_same_way_today(file: Path) -> None:
    result = await replayer().replay_workflow(
        WorkflowHistory.from_json(f"recorded-{file.stem}", file.read_text()), raise_on_replay_failure=False
    )
    assert result.replay_failure is None


@pytest.mark.parametrize(
    ("name", "was", "now"),
    [
        ("chain", '"activityId": "b"', '"activityId": "z"'),
        ("chain", '"name": "noop"', '"name": "shell"'),
        ("trigger", '"workflowId": "on-event-event-', '"workflowId": "on-event-other-'),
    ],
)
async def test_a_run_that_would_go_another_way_is_noticed(name: str, was: str, now: str) -> None:
    text = next(file for file in FILES if file.stem == name).read_text()
    assert was in text
    history = WorkflowHistory.from_json(f"recorded-{name}", text.replace(was, now))
    result = await replayer().replay_workflow(history, raise_on_replay_failure=False)
    assert isinstance(result.replay_failure, NondeterminismError)
