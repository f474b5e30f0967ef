"""`kill -9` in the middle of `train`: the run finishes, and what was finished does not run again."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Victim
from tests.waiting import until

SLOW = {"trees": 1_000, "grid": [{"depth": 12}]}
"""Some seconds of training, so that the kill hits it."""
BEFORE_TRAIN = ("initiate", "embedding", "check_data")


def started_and_unfinished(victim: Victim, run: str) -> bool:
    started = victim.services.executions(run, "started")
    finished = victim.services.executions(run, "finished")
    return sum(started.values()) > sum(finished.values()) and any(key.startswith("train") for key in started)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("part", "trainings"), [("worker gpu", 2), ("temporal", 1), ("api", 1), ("worker control", 1)])
def test_a_run_outlives_the_death_of(part: str, trainings: int, victim: Victim) -> None:
    run = victim.client.run("train-digits", params=SLOW)
    until(lambda: started_and_unfinished(victim, run.id), seconds=120, what="training in flight")
    victim.kill(part)
    ended = run.wait(timeout=150)
    assert ended.state == "succeeded", ended.reason
    started = victim.services.executions(run.id, "started")
    assert {step: started[step] for step in BEFORE_TRAIN} == dict.fromkeys(BEFORE_TRAIN, 1)
    assert started["release"] == 1
    train = sum(count for step, count in started.items() if step.startswith("train"))
    assert train == trainings
    if part == "worker gpu":
        item = ended.step("train[0]")
        assert item.attempt == 2
        assert [attempt.state for attempt in item.attempts] == ["failed", "succeeded"]
