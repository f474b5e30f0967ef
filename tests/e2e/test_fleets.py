"""Fleets as people meet them: worker processes of the command line, on queues of their own, beside the whole stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segue import Client
from segue.fleet import FleetWorker
from segue.models import Run
from store.database import Database
from tests.e2e.conftest import deployed
from tests.waiting import until
from workers.stack import Stack
from workflows.plan import Map, Plan, Step

TELL = 'echo "$SEGUE_STEP" >> "$TOLD"'
HOLD = 'echo "$SEGUE_KEY" >> "$TOLD"; until [ -e "$GATE" ]; do sleep 0.05; done'
GI = 2**30


class Workers:
    """Starts `segue worker` over the stack's Temporal and object store."""

    def __init__(self, stack: Stack) -> None:
        self._environment = os.environ | {
            "SEGUE_TEMPORAL_ADDRESS": str(stack.service["temporal_address"]),
            "SEGUE_OBJECT_STORE": (stack.data / "objects").as_uri(),
        }

    @contextmanager
    def start(self, queue: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "segue", "worker", "--queue", queue, *options]
        with subprocess.Popen(command, env=self._environment, stderr=subprocess.DEVNULL) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def workers(stack: Stack, shared_cache: Path) -> Workers:
    return Workers(stack)


def backlog(client: Client, queue: str) -> int:
    return next((each.backlog for each in client.fleet().queues if each.name == queue), 0)


def worker_of(run: Run, key: str) -> str:
    return str(next(each for each in run.steps if each.key == key).attempts[-1].worker)


async def test_a_step_of_high_priority_starts_before_those_that_wait(
    client: Client, database: Database, workers: Workers, tmp_path: Path
) -> None:
    env = {"TOLD": str(tmp_path / "told")}
    low = Step("low", "shell", {"script": TELL}, map=Map(list(range(8))), queue="ranked", priority=5, env=env)
    usual = Step("usual", "shell", {"script": TELL}, map=Map([1, 2]), queue="ranked", env=env)
    high = Step("high", "shell", {"script": TELL}, queue="ranked", priority=1, env=env)
    run = client.run(await deployed(database, Plan("ranked", (low, usual, high))))
    until(lambda: backlog(client, "ranked") == 11, what="a queue in which all wait")
    with workers.start("ranked", "--slots", "1"):
        assert run.wait(timeout=120).state == "succeeded"
    assert (tmp_path / "told").read_text().split() == ["high", "usual", "usual", *["low"] * 8]


async def test_a_small_run_does_not_wait_for_the_end_of_a_large_one(
    client: Client, database: Database, workers: Workers, tmp_path: Path
) -> None:
    env = {"TOLD": str(tmp_path / "told")}
    large = Step("large", "shell", {"script": TELL}, map=Map(list(range(20))), queue="shared", env=env)
    small = Step("small", "shell", {"script": TELL}, map=Map([1, 2]), queue="shared", env=env)
    runs = [client.run(await deployed(database, Plan("large", (large,))))]
    until(lambda: backlog(client, "shared") == 20, what="a queue in which all of the large run wait")
    runs.append(client.run(await deployed(database, Plan("small", (small,)))))
    until(lambda: backlog(client, "shared") == 22, what="a queue in which the small run waits too")
    with workers.start("shared", "--slots", "1"):
        for run in runs:
            assert run.wait(timeout=120).state == "succeeded"
    told = (tmp_path / "told").read_text().split()
    assert len(told) - told[::-1].index("small") <= 10, f"the small run waited for the large one: {told}"


def told_by(worker: FleetWorker) -> tuple[int | None, str, int | None, int | None]:
    """Return who a worker is, and what it has said of its slots."""
    return worker.pid, worker.state, worker.slots, worker.used


async def test_a_queue_that_nobody_serves_is_told_with_what_to_do(
    client: Client, database: Database, workers: Workers, tmp_path: Path
) -> None:
    step = Step(
        "hold", "shell", {"script": HOLD}, queue="lonely", env=dict.fromkeys(("TOLD", "GATE"), str(tmp_path / "x"))
    )
    run = client.run(await deployed(database, Plan("lonely", (step,))))
    lonely = until(
        lambda: next((each for each in client.fleet().queues if each.name == "lonely" and each.backlog), None),
        what="a queue in which a step waits",
    )
    assert (lonely.workers, lonely.slots) == (0, 0)
    assert lonely.oldest_wait is not None
    assert lonely.problem == "nobody serves it; start a worker: segue worker --queue lonely"
    with workers.start(
        "lonely", "--slots", "3", "--gpu", "2", "--memory", "4Gi", "--labels", "zone=a,team=vision"
    ) as process:
        assert run.wait(timeout=60).state == "succeeded"
        # A worker tells every ten seconds, so that what it has told may be of the time when the step ran.
        idle = (process.pid, "running", 3, 0)
        worker = until(
            lambda: next((each for each in client.fleet().workers if told_by(each) == idle), None),
            seconds=60,
            what="a worker that has told what it has",
        )
        assert worker.labels == {"zone": "a", "team": "vision"}
        assert (worker.resources["gpu"], worker.resources["memory"]) == (2, 4 * GI)
        lonely = until(
            lambda: next((each for each in client.fleet().queues if each.name == "lonely" and not each.backlog), None),
            what="an empty queue",
        )
        assert (lonely.workers, lonely.slots, lonely.problem) == (1, 3, None)


async def test_a_run_shows_what_its_step_waits_for_on_a_worker(
    client: Client, database: Database, workers: Workers, tmp_path: Path
) -> None:
    env = {"TOLD": str(tmp_path / "told"), "GATE": str(tmp_path / "gate")}
    step = Step("train", "shell", {"script": HOLD}, map=Map([1, 2]), queue="tight", env=env, resources={"gpu": 1})
    run = client.run(await deployed(database, Plan("tight", (step,))))

    def waiting() -> list[str]:
        return [each.reason for each in run.get().steps if "waits for 1 gpu" in each.reason]

    with workers.start("tight", "--slots", "2", "--gpu", "1"):
        [reason] = until(waiting, seconds=60, what="an item that waits for the device")
        assert reason.startswith("waits for 1 gpu (0 free) on tight@")
        assert len((tmp_path / "told").read_text().split()) == 1
        (tmp_path / "gate").touch()
        assert run.wait(timeout=60).state == "succeeded"


async def test_a_step_too_large_for_its_fleet_fails_and_says_what_to_start(
    client: Client, database: Database, workers: Workers
) -> None:
    step = Step("train", "shell", {"script": "true"}, queue="small", resources={"gpu": 4})
    run = client.run(await deployed(database, Plan("too-large", (step,))))
    with workers.start("small", "--gpu", "1"):
        ended = run.wait(timeout=60, check=False)
    [train] = ended.steps
    assert train.error is not None
    assert train.error.type == "ResourcesMissing"
    assert "segue worker --queue small --gpu 4" in train.error.message


async def test_a_worker_that_is_stopped_lets_a_step_end_within_its_drain(
    client: Client, database: Database, workers: Workers, tmp_path: Path
) -> None:
    env = {"TOLD": str(tmp_path / "told"), "GATE": str(tmp_path / "gate")}
    run = client.run(
        await deployed(database, Plan("drained", (Step("hold", "shell", {"script": HOLD}, queue="drained", env=env),)))
    )
    with workers.start("drained", "--drain", "60s") as process:
        until((tmp_path / "told").exists, what="the step")
        process.send_signal(signal.SIGTERM)
        until(lambda: not any(each.state == "running" for each in client.fleet().workers if each.queue == "drained"))
        (tmp_path / "gate").touch()
        ended = run.wait(timeout=60)
        assert process.wait(30) == 0
    assert (ended.state, ended.steps[0].attempt) == ("succeeded", 1)
    assert (tmp_path / "told").read_text().split() == ["hold"]


async def test_a_step_that_does_not_end_in_time_goes_to_another_worker_and_keeps_its_only_attempt(
    client: Client, database: Database, workers: Workers, tmp_path: Path
) -> None:
    env = {"TOLD": str(tmp_path / "told"), "GATE": str(tmp_path / "gate")}
    run = client.run(
        await deployed(database, Plan("handed", (Step("hold", "shell", {"script": HOLD}, queue="handed", env=env),)))
    )
    with workers.start("handed", "--drain", "500ms") as first:
        until((tmp_path / "told").exists, what="the step")
        first.send_signal(signal.SIGTERM)
        assert first.wait(30) == 0
    with workers.start("handed") as second:
        until(lambda: len((tmp_path / "told").read_text().split()) == 2, what="the step's second start")
        (tmp_path / "gate").touch()
        ended = run.wait(timeout=60)
        assert worker_of(ended, "hold").endswith(f":{second.pid}")
    assert ended.state == "succeeded"
    assert [each.state for each in ended.steps[0].attempts] == ["failed", "succeeded"]


def test_the_fleet_is_printed_for_people_and_for_scripts(client: Client, stack: Stack) -> None:
    address = {"SEGUE_API_URL": str(stack.service["api_url"]), "SEGUE_API_KEY": str(stack.service["api_key"])}

    def printed(*options: str) -> str:
        command = [sys.executable, "-m", "segue", "fleet", "--queue", "cpu", *options]
        return subprocess.run(command, env=os.environ | address, check=True, capture_output=True, text=True).stdout

    found = json.loads(printed("--json"))
    assert [each["name"] for each in found["queues"]] == ["cpu"]
    assert {each["queue"] for each in found["workers"]} == {"cpu"}
    head, cpu, *rest = printed().splitlines()
    assert head.split() == ["QUEUE", "WORKERS", "SLOTS", "WAITING", "OLDEST"]
    assert cpu.split()[:2] == ["cpu", "1"]
    assert any(line.startswith("cpu@") for line in rest)
