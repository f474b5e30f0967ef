"""Processes of steps: nothing of them is left, however they behave."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.logs import LogSink
from activities.process import Command, Exit, ProcessHost, base_environment

Marked = Callable[[str], list[int]]


class Bench:
    """Runs scripts with a mark in their environment."""

    def __init__(self, folder: Path) -> None:
        self.host = ProcessHost()
        self.mark = f"MARK=m{os.getpid()}-{time.monotonic_ns()}"
        self.folder = folder
        self.objects: dict[str, bytes] = {}
        self.log = LogSink(self._put)

    async def _put(self, name: str, data: bytes) -> None:
        self.objects[name] = data

    async def run(self, script: str, grace: float = 0.3) -> Exit:
        env = base_environment() | dict([self.mark.split("=")])
        command = Command(("bash", "-c", script), env, self.folder)
        return await self.host.run(command, self.log, grace=grace)

    async def started(self, file: str) -> None:
        async with asyncio.timeout(10):
            while not (self.folder / file).exists():
                await asyncio.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    "script",
    [
        "sleep 1000 & exit 4",
        "nohup sleep 1000 >/dev/null 2>&1 & disown; exit 4",
        "setsid sleep 1000 & exit 4",
        "(setsid bash -c 'trap \"\" TERM HUP; (sleep 1000 &); sleep 1000' &) ; sleep 0.1; exit 4",
        "for i in 1 2 3 4 5 6 7 8; do setsid bash -c 'setsid sleep 1000 & sleep 1000' & done; exit 4",
    ],
    ids=["background", "nohup", "own session", "daemon that ignores SIGTERM", "many daemons"],
)
async def test_nothing_survives_a_step_that_ended(bench: Bench, marked: Marked, script: str) -> None:
    assert await bench.run(script) == Exit(code=4)
    assert marked(bench.mark) == []


async def test_background_process_that_holds_the_pipes_does_not_hold_the_step(bench: Bench) -> None:
    async with asyncio.timeout(30):
        await bench.run("setsid sleep 1000 & echo done")
        await bench.log.close()
    assert b"done" in bench.objects["logs/000001.ndjson"]


async def test_cancelled_command_gets_a_moment_to_end_by_itself(bench: Bench, marked: Marked) -> None:
    script = "trap 'touch cleaned; exit' TERM; touch started; sleep 1000 & wait"
    task = asyncio.create_task(bench.run(script, grace=1000))
    await bench.started("started")
    task.cancel()
    async with asyncio.timeout(30):  # it ends by itself, long before its grace is over
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (bench.folder / "cleaned").exists()
    assert marked(bench.mark) == []


async def test_cancelled_command_that_ignores_it_is_killed(bench: Bench, marked: Marked) -> None:
    script = "trap '' TERM INT HUP; (setsid sleep 1000 &); touch started; while true; do sleep 0.1; done"
    task = asyncio.create_task(bench.run(script))
    await bench.started("started")
    assert len(marked(bench.mark)) >= 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert marked(bench.mark) == []


async def test_second_cancel_kills_at_once(bench: Bench, marked: Marked) -> None:
    task = asyncio.create_task(bench.run("trap '' TERM; touch started; while true; do sleep 0.1; done", grace=60))
    await bench.started("started")
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert marked(bench.mark) == []


async def test_step_that_kills_its_parent_still_ends(bench: Bench, marked: Marked) -> None:
    exit = await bench.run("sleep 1000 & kill -9 $PPID; sleep 1000")
    assert exit == Exit(signal=signal.SIGKILL)
    async with asyncio.timeout(30):
        while marked(bench.mark):
            await asyncio.sleep(0.01)
    assert await bench.run("exit 0") == Exit(code=0)


async def test_guard_that_was_killed_is_started_again(bench: Bench) -> None:
    before = children()
    await bench.run(":")
    [guard] = children() - before
    os.kill(guard, signal.SIGKILL)
    os.waitpid(guard, 0)
    assert await bench.run("exit 7") == Exit(code=7)


def children() -> set[int]:
    """Return the child processes of this one."""
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "python"], capture_output=True, text=True, check=False)
    return {int(line) for line in found.stdout.split()}


async def test_many_commands_run_at_once(bench: Bench) -> None:
    exits = await asyncio.gather(*(bench.run(f"sleep 0.1; exit {code}") for code in range(40)))
    assert exits == [Exit(code=code) for code in range(40)]


async def test_command_starts_with_signals_and_descriptors_as_usual(bench: Bench) -> None:
    script = "grep -E 'SigIgn|SigBlk' /proc/self/status; ls /proc/self/fd | wc -l; yes | head -1"
    assert await bench.run(script) == Exit(code=0)
    await bench.log.close()
    blocked, ignored, descriptors, _ = (
        json.loads(line)["text"].split()[-1] for line in bench.objects["logs/000001.ndjson"].decode().splitlines()
    )
    # Above 31 are the C library's own: it starts every process with two of them ignored.
    assert (int(blocked, 16), int(ignored, 16) & 0x7FFFFFFF, descriptors) == (0, 0, "4")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_nothing_survives_a_worker_that_was_killed(tmp_path: Path, marked: Marked) -> None:
    mark = f"MARK=w{os.getpid()}-{time.monotonic_ns()}"
    program = f"""
import asyncio, pathlib
from activities.logs import LogSink
from activities.process import *
async def put(name, data): ...
env = base_environment() | {{"MARK": {mark.split("=")[1]!r}}}
script = "setsid sleep 1000 & sleep 1000 & touch started; sleep 1000"
asyncio.run(ProcessHost().run(Command(("bash", "-c", script), env, pathlib.Path({str(tmp_path)!r})), LogSink(put)))
"""
    with subprocess.Popen([sys.executable, "-c", program]) as worker:
        try:
            async with asyncio.timeout(60):
                # One that is just being executed shows no environment for a moment.
                while not (tmp_path / "started").exists() or len(marked(mark)) < 3:
                    await asyncio.sleep(0.02)
        finally:
            worker.kill()
    async with asyncio.timeout(30):
        while marked(mark):
            await asyncio.sleep(0.01)
