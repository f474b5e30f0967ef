"""What is said of a run that does not move, from what Temporal says of its task. The servers are in `tests/api`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import EventType, VersioningBehavior, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.workflow.v1 import WorkflowExecutionVersioningInfo

from workers.watchdog import FAILING, SLOW, UNEQUAL, UNSERVED, sentence, unserved

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


def failed(cause: WorkflowTaskFailedCause.ValueType, message: str, kind: str = "") -> HistoryEvent:
    event = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED)
    attributes = event.workflow_task_failed_event_attributes
    attributes.cause = cause
    attributes.failure.message = message
    attributes.failure.application_failure_info.type = kind
    return event


def polled(ago: float, build: str = "") -> PollerInfo:
    poller = PollerInfo()
    poller.last_access_time.FromDatetime(NOW - timedelta(seconds=ago))
    poller.deployment_options.build_id = build
    return poller


def pinned(build: str) -> WorkflowExecutionVersioningInfo:
    versioning = WorkflowExecutionVersioningInfo(behavior=VersioningBehavior.VERSIONING_BEHAVIOR_PINNED)
    versioning.deployment_version.build_id = build
    return versioning


def overridden(build: str) -> WorkflowExecutionVersioningInfo:
    versioning = WorkflowExecutionVersioningInfo()
    versioning.versioning_override.pinned.version.build_id = build
    return versioning


def upgraded(build: str) -> WorkflowExecutionVersioningInfo:
    versioning = pinned(build)
    versioning.versioning_override.auto_upgrade = True
    return versioning


def test_a_worker_that_decides_otherwise_is_told_from_one_that_fails() -> None:
    cause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
    assert sentence(failed(cause, "[TMPRL1100] no such\ncommand")) == f"{UNEQUAL}; it says: [TMPRL1100] no such command"
    cause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE
    assert sentence(failed(cause, "no plan", "KeyError")) == f"{FAILING}; it says: KeyError: no plan"
    assert sentence(HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT)) == SLOW
    assert sentence(None) == SLOW
    assert len(sentence(failed(cause, "x" * 10_000))) < 1_000


def test_a_task_that_nobody_takes_is_explained_by_who_is_there() -> None:
    anything = WorkflowExecutionVersioningInfo()
    assert unserved("r", anything, [], NOW) == UNSERVED
    assert unserved("r", anything, [polled(300)], NOW) == UNSERVED
    assert unserved("r", anything, [polled(300), polled(10, "2")], NOW) is None
    assert unserved("r", upgraded("1"), [polled(10, "2")], NOW) is None


@pytest.mark.parametrize("versioning", [pinned("1"), overridden("1")])
def test_a_run_whose_version_is_gone_says_which_and_both_ways_out(versioning: WorkflowExecutionVersioningInfo) -> None:
    said = unserved("train-1", versioning, [polled(10, "2"), polled(300, "1")], NOW)
    assert said is not None
    assert said.startswith("this run stays with the build 1 of the control worker, which nobody runs any more")
    assert "SEGUE_BUILD_ID=1 segue worker --queue segue-control" in said
    assert "--workflow-id train-1 --versioning-override-behavior auto_upgrade" in said
    assert unserved("train-1", versioning, [polled(10, "1")], NOW) is None
