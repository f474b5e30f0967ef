"""Steps that name what they occupy: on a worker with four cores, 8Gi and the devices 0 and 1."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities import attempt as attempt_module
from activities import entering
from activities.room import Machine
from tests.activities.conftest import Steps
from workflows.messages import ATTEMPT, WAITS
from workflows.sizes import parse_size, size_text

GI = 2**30
EAT = """
def f():
    held = bytearray(400 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    import time
    time.sleep(60)
"""


async def until_it_waits(running: Any) -> str:
    """Return what a step that waits says."""
    async with asyncio.timeout(30):
        while True:
            for details in running.heartbeats:
                if details:
                    return str(details[0][WAITS])
            await asyncio.sleep(0.01)


async def test_a_step_sees_the_devices_that_are_its_own_and_its_cores(steps: Steps, tmp_path: Path) -> None:
    script = f"""
        touch {tmp_path}/$SEGUE_STEP
        until [ -e {tmp_path}/a ] && [ -e {tmp_path}/b ]; do sleep 0.01; done
        echo "devices=$CUDA_VISIBLE_DEVICES" >> "$SEGUE_OUTPUT"
        echo "threads=$OMP_NUM_THREADS" >> "$SEGUE_OUTPUT"
    """
    both = (steps.shell(script, step=name, resources={"cpu": 1.5, "gpu": 1}) for name in "ab")
    found = await asyncio.gather(*both)
    assert sorted(each.value["devices"] for each in found) == ["0", "1"]
    assert {each.value["threads"] for each in found} == {"2"}


async def test_a_step_that_names_resources_and_no_device_sees_none(steps: Steps) -> None:
    script = 'echo "devices=<$CUDA_VISIBLE_DEVICES>" >> "$SEGUE_OUTPUT"'
    assert (await steps.shell(script, resources={"cpu": 1})).value == {"devices": "<>"}


async def test_a_step_that_names_none_sees_what_its_worker_sees(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    script = 'echo "devices=$CUDA_VISIBLE_DEVICES" >> "$SEGUE_OUTPUT"'
    assert (await steps.shell(script)).value == {"devices": "7"}


async def test_a_step_waits_for_room_and_says_so_and_its_time_does_not_run(steps: Steps, tmp_path: Path) -> None:
    held = asyncio.create_task(
        steps.shell(f"until [ -e {tmp_path}/go ]; do sleep 0.01; done", resources={"memory": 6 * GI})
    )
    await asyncio.sleep(0)
    running, attempt = steps.start("noop", resources={"memory": 4 * GI}, timeout=0.001)
    waits = asyncio.create_task(attempt)
    assert await until_it_waits(running) == "waits for 4Gi memory (2Gi free)"
    (tmp_path / "go").touch()
    await held
    result = await waits
    assert result.started_at >= (await held).ended_at
    assert running.heartbeats[-1] == ()


async def test_every_heartbeat_of_a_step_that_waits_for_room_says_so(
    steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_module, "MIN_HEARTBEAT_SECONDS", 0.01)
    held = asyncio.create_task(steps.shell(f"until [ -e {tmp_path}/go ]; do sleep 0.01; done", resources={"gpu": 2}))
    await asyncio.sleep(0)
    running, attempt = steps.start("noop", {"heartbeat_timeout": timedelta(seconds=0.01)}, resources={"gpu": 1})
    waits = asyncio.create_task(attempt)
    await until_it_waits(running)
    first = len(running.heartbeats)
    async with asyncio.timeout(30):
        while len(running.heartbeats) < first + 3:
            await asyncio.sleep(0.01)
    assert running.heartbeats[-1] == ({ATTEMPT: 1, WAITS: "waits for 1 gpu (0 free)"},)
    (tmp_path / "go").touch()
    await asyncio.gather(held, waits)


async def test_a_step_waits_no_longer_than_it_may_wait_for_a_worker(steps: Steps, tmp_path: Path) -> None:
    held = asyncio.create_task(steps.shell(f"until [ -e {tmp_path}/go ]; do sleep 0.01; done", resources={"gpu": 2}))
    await asyncio.sleep(0)
    long_ago = {"current_attempt_scheduled_time": datetime.now(UTC) - timedelta(hours=1)}
    _, attempt = steps.start("noop", long_ago, resources={"gpu": 1}, queue_timeout=60.0)
    failure = await steps.failure(attempt)
    assert (failure.type, failure.non_retryable) == ("Timeout", True)
    assert "waited 60 s for a worker with room: it waits for 1 gpu (0 free)" in failure.message
    assert failure.details[0] == {"timeout": "queue"}
    (tmp_path / "go").touch()
    await held


async def test_a_step_that_is_too_large_for_every_worker_fails_with_the_way_out(steps: Steps) -> None:
    failure = await steps.failure(steps.run("noop", {"task_queue": "gpu"}, resources={"gpu": 3, "cpu": 1}))
    assert (failure.type, failure.non_retryable) == ("ResourcesMissing", True)
    assert failure.message == (
        "the step needs 3 gpu, and this worker has 4 cpu, 8Gi memory, 2 gpu, as much as any other of the queue "
        '"gpu": start one that has more (segue worker --queue gpu --gpu 3), send the step to another queue, or have it '
        "need less"
    )
    assert failure.details[0]["needs"] == {"gpu": 3, "cpu": 1}


class Neighbour:
    """A worker of the same queue that has room."""

    async def with_room(self, queue: str, wanted: Mapping[str, float], *, now: bool) -> str | None:
        return f"{queue}@there:2"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entering, "LOOK_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_a_step_that_is_too_large_here_is_handed_to_a_larger_worker(tmp_path: Path) -> None:
    steps = Steps(tmp_path, machine=Machine(1, GI), others=Neighbour())
    failure = await steps.failure(steps.run("noop", {"task_queue": "gpu"}, resources={"gpu": 1}))
    # Not retryable: the run schedules it anew, and no attempt of the user's is used up.
    assert (failure.type, failure.non_retryable) == ("WorkerLost", True)
    assert failure.message.endswith("gpu@there:2 is large enough")


@pytest.mark.usefixtures("impatient")
async def test_a_step_that_waits_is_handed_to_a_worker_that_has_room_but_not_for_ever(tmp_path: Path) -> None:
    steps = Steps(tmp_path, machine=Machine(1, GI), others=Neighbour())
    go = tmp_path / "go"
    held = asyncio.create_task(steps.shell(f"until [ -e {go} ]; do sleep 0.01; done", resources={"cpu": 1}))
    await asyncio.sleep(0)
    failure = await steps.failure(steps.run("noop", resources={"cpu": 1}))
    assert (failure.type, failure.non_retryable) == ("WorkerLost", True)
    assert "waits for 1 cpu (0 free)" in failure.message
    running, attempt = steps.start("noop", resources={"cpu": 1}, generation=entering.MAX_HANDED_BACK)
    waits = asyncio.create_task(attempt)
    await until_it_waits(running)
    go.touch()
    await asyncio.gather(held, waits)


async def test_a_step_that_waits_when_its_worker_stops_is_handed_back_at_once(steps: Steps, tmp_path: Path) -> None:
    go = tmp_path / "go"
    held = asyncio.create_task(steps.shell(f"until [ -e {go} ]; do sleep 0.01; done", resources={"gpu": 2}))
    await asyncio.sleep(0)
    running, attempt = steps.start("noop", resources={"gpu": 1})
    waits = asyncio.create_task(attempt)
    await until_it_waits(running)
    running.environment.worker_shutdown()
    failure = await steps.failure(waits)
    assert (failure.type, failure.non_retryable) == ("WorkerLost", True)
    go.touch()
    await held


async def test_a_step_that_uses_more_memory_than_it_asked_for_is_ended_and_says_so(steps: Steps) -> None:
    failure = await steps.failure(steps.python(EAT, resources={"memory": 200 * 2**20}))
    assert failure.type == "OutOfMemory"
    assert failure.message.endswith("and asked for 200Mi (resources.memory)")
    assert failure.details[0]["memory"] > failure.details[0]["limit"] == 200 * 2**20


async def test_the_memory_of_all_processes_of_a_step_counts(steps: Steps) -> None:
    eat = "python3 -c 'import time; held = b\"x\" * (120 * 2**20); time.sleep(60)' &"
    failure = await steps.failure(steps.shell(f"{eat}\n{eat}\n{eat}\nwait", resources={"memory": 200 * 2**20}))
    assert failure.type == "OutOfMemory"


async def test_a_step_within_its_memory_is_left_alone(steps: Steps) -> None:
    result = await steps.shell('sleep 1; echo "x=1" >> "$SEGUE_OUTPUT"', resources={"memory": 200 * 2**20})
    assert result.value == {"x": "1"}


@pytest.mark.parametrize(("text", "size"), [("512Mi", 2**29), ("1.5Gi", 3 * 2**29), ("1Ki", 1024), ("2Ti", 2**41)])
def test_a_size_is_read_and_written_the_same(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert size_text(size) == text


@pytest.mark.parametrize("text", ["", "8", "8G", "8GB", "Gi", "-1Gi", "1.5.5Gi", "8 Gi", "99999999999Gi", "８Gi"])
def test_what_is_no_size_is_none(text: str) -> None:
    assert parse_size(text) is None
