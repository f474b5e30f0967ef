"""What is left of a step, whichever way it ran and ended: no process, no file; and what killed it is said."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activities import oom
from tests.activities.conftest import Steps

Marked = Callable[[str], list[int]]

LEAVES = """
import os, signal, subprocess, sys, tempfile, threading, time
def f(end):
    subprocess.Popen(["sleep", "1000"])
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    if not os.fork():
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork():
            os._exit(0)
        os.execvp("sleep", ["sleep", "1000"])
    print(tempfile.mkstemp()[1], tempfile.mkdtemp(), sep="\\n")
    open("left", "w").close()
    print("leaving", flush=True)
    if end == "raises":
        raise ValueError("no")
    if end == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if end in ("cancelled", "late"):
        time.sleep(1000)
"""
SCRIPT = """
sleep 1000 &
setsid sleep 1000 &
(setsid bash -c 'trap "" TERM; (sleep 1000 &); sleep 1000' &)
mktemp; mktemp -d; touch left; echo leaving
case "$END" in
    raises) exit 3;;
    killed) kill -9 $$;;
    cancelled|late) sleep 1000;;
esac
"""
WAYS = {
    "shell": {},
    "python, warm": {},
    "python, cold": {"PYTHONHASHSEED": "1"},  # read at an interpreter's start alone
}
ENDS = ("returns", "raises", "killed", "late", "cancelled")


@pytest.fixture
def mark() -> str:
    """A mark in a step's environment."""
    return f"m{os.getpid()}-{time.monotonic_ns()}"


def attempt_of(steps: Steps, way: str, end: str, env: dict[str, str]) -> Any:
    fields: dict[str, Any] = {"env": env, "timeout": 1.0 if end == "late" else None}
    if way == "shell":
        return steps.start("shell", action={"script": SCRIPT}, **fields | {"env": env | {"END": end}})
    bundle = steps.bundle({"m.py": LEAVES})
    return steps.start("python", action={"callable": "m:f"}, bundle=bundle, inputs={"end": end}, **fields)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("way", WAYS)
async def test_nothing_survives_a_step(steps: Steps, marked: Marked, mark: str, way: str, end: str) -> None:
    running, attempt = attempt_of(steps, way, end, {"MARK": mark, **WAYS[way]})
    task = asyncio.create_task(attempt)
    if end == "cancelled":
        async with asyncio.timeout(30):
            while not any(line["text"] == "leaving" for line in lines(steps)):
                await asyncio.sleep(0.02)
        running.cancel()
    [ended] = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(ended, BaseException) == (end != "returns")
    assert marked(f"MARK={mark}") == []
    assert steps.scratch_folders() == []
    made = [Path(line["text"]) for line in lines(steps) if line["text"].startswith("/")]
    assert len(made) == 2
    assert [path for path in made if path.exists()] == []


def lines(steps: Steps) -> list[dict[str, Any]]:
    return [json.loads(line) for each in logs(steps) for line in steps.objects.get(each.key).splitlines()]


def logs(steps: Steps) -> list[Any]:
    return [each for each in steps.objects.list("runs/") if each.key.endswith(".ndjson")]


@pytest.fixture
def kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A count of the out-of-memory killer, as the kernel keeps it for a cgroup."""
    count = tmp_path / "memory.events"
    count.write_text("low 0\noom 3\noom_kill 3\n")
    monkeypatch.setattr(oom, "counter", lambda: count)
    return count


OUT = "this machine, or the worker's share of it, was out of memory"


async def test_a_step_that_was_killed_for_its_memory_is_told_so(steps: Steps, kills: Path) -> None:
    script = f"printf 'oom 4\\noom_kill 4\\n' > {kills}; kill -9 $$"
    failure = await steps.failure(steps.shell(script))
    assert failure.message == f"the script was ended by SIGKILL ({OUT})"
    assert failure.details[0]["cause"] == "out of memory"


async def test_a_command_of_a_script_that_was_killed_for_its_memory_is_told_too(steps: Steps, kills: Path) -> None:
    script = f"printf 'oom_kill 4\\n' > {kills}; bash -c 'kill -9 $$'"
    failure = await steps.failure(steps.shell(script))
    assert failure.message.startswith(f"the script ended with code 137 (a command was ended by SIGKILL: {OUT})")


async def test_a_kill_by_somebody_else_is_not_said_to_be_for_memory(steps: Steps, kills: Path) -> None:
    failure = await steps.failure(steps.python("import os\ndef f(): os.kill(os.getpid(), 9)"))
    assert failure.message == "the Python process was ended by SIGKILL"
    assert "cause" not in failure.details[0]


async def test_a_failure_while_others_were_killed_for_memory_is_its_own(steps: Steps, kills: Path) -> None:
    failure = await steps.failure(steps.shell(f"printf 'oom_kill 4\\n' > {kills}; exit 3"))
    assert failure.message == "the script ended with code 3"


@pytest.mark.parametrize(
    ("cgroup", "files", "found"),
    [
        ("0::/a\n", {"a/memory.events": "oom_kill 2\n"}, 2),
        ("0::/a\n", {"memory.events": "oom_kill 5\n"}, 5),
        ("4:memory:/b\n0::/\n", {"memory/b/memory.oom_control": "under_oom 0\noom_kill 7\n"}, 7),
    ],
    ids=["own group", "in a container", "first version"],
)
def test_the_count_is_that_of_the_nearest_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cgroup: str, files: dict[str, str], found: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "cgroup").write_text(cgroup)
    monkeypatch.setattr(oom, "CGROUPS", tmp_path)
    monkeypatch.setattr(oom, "OWN", tmp_path / "cgroup")
    place = next(place for place in oom.places() if place.exists())
    assert oom.count(place) == found
