"""Unit tests for workflows: run a definition in memory, with its steps mocked by name and time that costs nothing.

    from segue.testing import fails, run, takes

    def test_bad_data_is_reported():
        result = run("train.yaml", params={"corrupt": 0.4}, steps={
            "dataset": {"uri": "s3://x", "rows": 1200},
            "check_data": {"quality": "bad"},
            "initiate": fails("ConnectionError", times=2).then({"id": 1}),
            "notify_data_team": None,
        })
        assert result.steps["release"].state == "skipped"

The same core that schedules runs in production decides here what runs next. Only workers, Temporal and the clock are
played. No code of a step runs, unless a mock calls it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.testing.mocks import Mock, MockError, Task, answers, calls, fails, lost, queued, takes
    from segue.testing.outside import approves, nobody, rejects, releases, sends
    from segue.testing.recordings import Recording, recorded
    from segue.testing.results import Attempt, Change, Result, Step, StepFailure
    from segue.testing.running import run, runs

_HOMES = {
    "mocks": ["Mock", "MockError", "Task", "answers", "calls", "fails", "lost", "queued", "takes"],
    "outside": ["approves", "nobody", "rejects", "releases", "sends"],
    "recordings": ["Recording", "recorded"],
    "results": ["Attempt", "Change", "Result", "Step", "StepFailure"],
    "running": ["run", "runs"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


__all__ = [
    "Attempt",
    "Change",
    "Mock",
    "MockError",
    "Recording",
    "Result",
    "Step",
    "StepFailure",
    "Task",
    "answers",
    "approves",
    "calls",
    "fails",
    "lost",
    "nobody",
    "queued",
    "recorded",
    "rejects",
    "releases",
    "run",
    "runs",
    "sends",
    "takes",
]
