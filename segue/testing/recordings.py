"""Recorded real runs: what `segue record RUN -o run.json` writes, and mocks that do again what its steps did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from segue.models import Attempt, Run, Step
from segue.testing.mocks import Act, Fail, Lose, Mock, MockError, Nobody, Reply, Succeed

FORMAT = 1
LOST = "WorkerLost"
UNWORKED = ("workflow", "wait", "approve")


class Recording(dict[str, Any]):
    """The mocks of a recorded run, by step, and by item for a map.

    `recording | {"train": ...}` puts other mocks in their place; one of a whole map replaces all its items.

    Attributes:
        run: Id of the real run.
        workflow: Its name.
        params: Of the real run.
        state: In which it ended.
        output: The run's output.
    """

    def __init__(self, mocks: Mapping[str, Any], head: Mapping[str, Any]) -> None:
        super().__init__(mocks)
        self._head = dict(head)
        self.run = str(head["run"])
        self.workflow = str(head["workflow"])
        self.params: dict[str, Any] = dict(head["params"])
        self.state = str(head["state"])
        self.output = head.get("output")

    def __or__(self, other: Mapping[str, Any]) -> Recording:  # type: ignore[override]
        kept = {name: mock for name, mock in self.items() if name.partition("[")[0] not in other}
        return Recording({**kept, **other}, self._head)


def recorded(path: str | Path) -> Recording:
    """Return the mocks of a run that `segue record` wrote to a file.

    Each step does again what it did: its output, its failed attempts, the time each took. Steps that never ran have no
    mock.

    Raises:
        MockError: The file cannot be read, or holds no recording.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["segue_recording"] > FORMAT:
            raise MockError(f"{path} was recorded by a newer Segue: upgrade this one")
        mocks = {step["key"]: _mock(step) for step in document["steps"]}
        return Recording({key: mock for key, mock in mocks.items() if mock is not None}, document)
    except OSError as error:
        raise MockError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise MockError(f"{path} holds no recorded run", hint=f"make one: segue record RUN -o {path}") from None


def recording_of(run: Run) -> dict[str, Any]:
    """Return what is kept of a real run, as JSON: small outputs inline, large ones as their reference."""
    return {
        "segue_recording": FORMAT,
        "run": run.id,
        "workflow": run.workflow,
        "version": run.version,
        "state": run.state,
        "reason": run.reason,
        "params": run.params,
        "output": run.output,
        "steps": [_step(step, run) for step in run.steps],
    }


def _step(step: Step, run: Run) -> dict[str, Any]:
    return {
        "key": step.key,
        "kind": step.kind,
        "state": step.state,
        "reason": step.reason,
        # The items of a map are what has outputs.
        "output": None if _is_map(step, run) else step.output,
        "attempts": _attempts(step),
    }


def _attempts(step: Step) -> list[dict[str, Any]]:
    """Return all attempts; the service may not have seen one that was over at once, but knows that it was.

    A step that no worker runs (an approval, a wait, a workflow) has none of its own: what became of it is one.
    """
    if not step.attempt and step.kind in UNWORKED and step.started_at is not None and step.state != "cancelled":
        return [_of_the_step(step)]
    seen = {each.attempt: each for each in step.attempts if each.state != "failed" or each.error is not None}
    return [_attempt(seen[number]) if number in seen else _UNSEEN for number in range(1, step.attempt + 1)]


_UNSEEN = {
    "state": "failed",
    "seconds": 0.0,
    "error": {"type": "AttemptFailed", "message": "what it died of is not recorded", "detail": {}},
}


def _is_map(step: Step, run: Run) -> bool:
    return step.item is None and (
        "items" in step.detail or any(each.step == step.key and each.item is not None for each in run.steps)
    )


def _attempt(attempt: Attempt) -> dict[str, Any]:
    error = attempt.error
    return {
        "state": attempt.state,
        "seconds": _seconds(attempt.started_at, attempt.ended_at),
        "error": None if error is None else {"type": error.type, "message": error.message, "detail": error.detail},
    }


def _of_the_step(step: Step) -> dict[str, Any]:
    error = step.error if step.state == "failed" else None
    return {
        "state": step.state,
        "seconds": _seconds(step.started_at, step.ended_at),
        "error": None if error is None else {"type": error.type, "message": error.message, "detail": error.detail},
    }


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return round(max(0.0, (end - start).total_seconds()), 3) if start is not None and end is not None else 0.0


def _mock(step: Mapping[str, Any]) -> Mock | None:
    if step["kind"] in ("wait", "approve"):
        return _met(step)
    acts = [_act(attempt) for attempt in step["attempts"] if attempt["error"] is not None]
    if step["state"] == "succeeded" and step["attempts"]:
        last = Act(Succeed(step["output"], recorded=True), seconds=step["attempts"][-1]["seconds"])
    elif step["state"] == "failed" and acts:
        last = _final(acts.pop())
    else:
        return None
    return Mock((*acts, last))


def _met(step: Mapping[str, Any]) -> Mock | None:
    """Return the mock of a step that waited for somebody: who came, and when."""
    if not step["attempts"]:
        return None  # it never began; or it is a map, and its items say what was
    seconds = step["attempts"][-1]["seconds"]
    if step["state"] == "failed" or (step["state"] == "succeeded" and "nobody decided within" in step["reason"]):
        return Mock((Act(Nobody()),))
    if step["state"] != "succeeded":
        return None
    if step["kind"] == "wait":
        return Mock((Act(Succeed(step["output"], recorded=True), seconds=seconds),))
    values = dict(step["output"])
    approved, by = values.pop("approved"), tuple(values.pop("by")) or None
    reply = Reply(True, by, values) if approved else Reply(False, by and by[-1:])
    return Mock((Act(reply, seconds=seconds),))


def _final(act: Act) -> Act:
    """Return the act with which a step failed: whatever the reason, no other attempt followed."""
    outcome = act.outcome
    return replace(act, times=None, outcome=replace(outcome, retryable=False) if isinstance(outcome, Fail) else outcome)


def _act(attempt: Mapping[str, Any]) -> Act:
    error = attempt["error"]
    if error["type"] == LOST:
        return Act(Lose(), times=1)
    return Act(Fail(error["type"], error["message"], error["detail"]), times=1, seconds=attempt["seconds"])
