"""`kill -9` in the middle of `train`: the run finishes, and what was finished does not run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.models import Run
from tests.faults.conftest import Victim
from tests.waiting import until

SLOW = {"trees": 1_000, "grid": [{"depth": 12}]}
"""Some seconds of training, so that the kill hits it."""
LONGER = {"trees": 1_500, "grid": [{"depth": 12}]}
BEFORE_TRAIN = ("initiate", "embedding", "check_data")

COUNTS = """
segue: 1
name: counting
params: {folder: {type: string}}
code: {include: [counting.py]}
steps:
  count:
    python: counting:count
    with: {folder: "${{ params.folder }}"}
    retry: {attempts: 3, delay: 0s}
    timeout: {heartbeat: 3s}
"""
COUNTING = """
import pathlib, time
import segue

def count(folder):
    seen = pathlib.Path(folder)
    notes = segue.checkpoint.folder() / "notes.txt"
    begun = segue.checkpoint.load({"n": 0})["n"]
    for n in range(begun + 1, 7):
        with notes.open("a") as file:
            file.write(f"{n}\\n")
        segue.checkpoint.save({"n": n})
        segue.metric("n", n, step=n)
        (seen / str(n)).touch()
        while n == 3 and not (seen / "go").exists():
            time.sleep(0.05)
    return {"begun": begun, "notes": notes.read_text().split()}
"""


def started_and_unfinished(victim: Victim, run: str) -> bool:
    started = victim.services.executions(run, "started")
    finished = victim.services.executions(run, "finished")
    return sum(started.values()) > sum(finished.values()) and any(key.startswith("train") for key in started)


@pytest.mark.timeout(300)
def test_a_run_outlives_the_death_of_a_worker_that_trains(victim: Victim) -> None:
    run = victim.client.run("train-digits", params=SLOW)
    until(lambda: started_and_unfinished(victim, run.id), seconds=120, what="training in flight")
    victim.kill("worker gpu")
    ended = run.wait(timeout=150)
    assert finished_once(victim, ended) == 2, "the killed training runs again"
    item = ended.step("train[0]")
    assert item.attempt == 2
    assert [attempt.state for attempt in item.attempts] == ["failed", "succeeded"]


@pytest.mark.timeout(300)
def test_a_run_outlives_the_deaths_of_everything_else(victim: Victim) -> None:
    run = victim.client.run("train-digits", params=LONGER)
    for part in ("temporal", "api", "worker control"):
        until(lambda: started_and_unfinished(victim, run.id), seconds=120, what="training in flight")
        victim.kill(part)
    ended = run.wait(timeout=150)
    assert finished_once(victim, ended) == 1, "the training was not disturbed"


@pytest.mark.timeout(300)
def test_a_step_goes_on_from_its_checkpoint_after_the_death_of_its_worker(victim: Victim, tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(COUNTING)
    path = tmp_path / "flow.yaml"
    path.write_text(COUNTS)
    victim.client.deploy(path)
    seen = tmp_path / "seen"
    seen.mkdir()
    run = victim.client.run("counting", {"folder": str(seen)})
    until(lambda: (seen / "3").exists(), seconds=120, what="half of the count")
    victim.kill("worker cpu")
    (seen / "go").touch()
    ended = run.wait(timeout=150)
    step = ended.step("count")
    assert (ended.state, step.attempt) == ("succeeded", 2)
    assert step.output == {"begun": 3, "notes": ["1", "2", "3", "4", "5", "6"]}
    assert run.metrics("count")["n"].values[-3:] == (4, 5, 6)
    log = [line.text for line in run.logs("count")]
    assert any(line.startswith("[segue] restored the checkpoint of attempt 000.001-") for line in log)


def finished_once(victim: Victim, ended: Run) -> int:
    """See that a run succeeded and that what was finished ran once; return how often a training was started."""
    assert ended.state == "succeeded", ended.reason
    started = victim.services.executions(ended.id, "started")
    assert {step: started[step] for step in BEFORE_TRAIN} == dict.fromkeys(BEFORE_TRAIN, 1)
    assert started["release"] == 1
    return sum(count for step, count in started.items() if step.startswith("train"))
