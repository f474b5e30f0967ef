"""The ssh operator, with a real sshd."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.operators.remote_command import SUPERVISOR
from tests.activities.conftest import Steps
from tests.activities.sshd import Relay, Sshd, running_sshd
from tests.waiting import eventually
from workflows.messages import StepResult

Marked = Callable[[str], list[int]]
LASTING = "touch \"$STARTED\"; (trap '' HUP TERM; setsid sleep 1000) & sleep 1000"
"""Starts a process that leaves the session and lets nothing but SIGKILL end it."""


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


async def ssh(steps: Steps, inputs: dict[str, Any], **task: Any) -> StepResult:
    return await steps.run("ssh", inputs=inputs, **task)


def folders() -> set[Path]:
    return {*Path("/tmp").glob("segue-" + "?" * 24)}


async def test_command_has_its_variables_and_gives_its_output(steps: Steps, sshd: Sshd) -> None:
    before = folders()
    script = """
        echo "$TEXT" "$SEGUE_KEY"; echo oh >&2
        test -z "$AWS_SECRET_ACCESS_KEY"
        echo "accuracy=0.9" >> "$SEGUE_OUTPUT"
        echo "host=é" >> "$SEGUE_OUTPUT"
    """
    text = 'it\'s $(touch pwned) `x` "q"\nsecond'
    declared = {"accuracy": {"schema": {"type": "number"}}, "host": {"schema": {"type": "string"}}}
    result = await ssh(steps, sshd.inputs(script), env={"TEXT": text}, key="train[2]", output=declared)
    assert result.value == {"accuracy": 0.9, "host": "é"}
    assert steps.log(result.folder, "stdout") == [*(text + " train[2]").split("\n")]
    assert steps.log(result.folder, "stderr") == ["oh"]
    assert folders() == before


async def test_values_are_on_no_command_line(steps: Steps, sshd: Sshd) -> None:
    result = await ssh(steps, sshd.inputs("ps -eo args | grep -c 'gehei[m]' || true"), env={"TOKEN": "geheim"})
    assert steps.log(result.folder) == ["0"]


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("false; echo not reached", 1, "the command ended with code 1"),
        ("echo oh >&2; exit 7", 7, "the command ended with code 7: oh"),
        ("kill -9 $$", 137, "the command ended with code 137 (a command was ended by SIGKILL)"),
    ],
)
async def test_failure_names_the_code(steps: Steps, sshd: Sshd, script: str, code: int, message: str) -> None:
    failure = await steps.failure(ssh(steps, sshd.inputs(script)))
    assert (failure.type, failure.non_retryable, failure.details[0]["exit_code"]) == ("ExitCode", False, code)
    assert failure.message.startswith(message)
    assert steps.log(failure.details[1]["folder"], "stdout") == []


async def test_log_is_there_while_the_command_runs(steps: Steps, sshd: Sshd) -> None:
    script = 'echo begun; while [ ! -e "$GO" ]; do sleep 0.05; done; echo over'
    go = steps.folder / "go"
    _, attempt = steps.start("ssh", inputs=sshd.inputs(script), env={"GO": str(go)})
    task = asyncio.create_task(attempt)
    folder = "runs/demo-1/s/000.001-00000001"
    await eventually(lambda: "begun" in steps.log(folder))
    go.touch()
    await task
    assert steps.log(folder) == ["begun", "over"]


@pytest.mark.parametrize(
    ("given", "type", "message"),
    [
        ({"key": "/nowhere"}, "InputInvalid", "with.key: this worker cannot read /nowhere"),
        ({"key": "{}/stranger"}, "SshError", r"Permission denied.*is the right key given"),
        ({"known_hosts": "/dev/null"}, "SshError", r"not trusted.*add what `ssh-keyscan -p \d+ 127.0.0.1` says"),
        ({"key": "{}/config"}, "InputInvalid", "with.key: "),
        ({"port": 0.5}, "InputInvalid", "with.port: Input should be a valid integer"),
    ],
)
async def test_login_that_cannot_work_fails_for_good_and_says_why(
    steps: Steps, sshd: Sshd, given: dict[str, Any], type: str, message: str
) -> None:
    given = {name: value.format(sshd.folder) if isinstance(value, str) else value for name, value in given.items()}
    failure = await steps.failure(ssh(steps, sshd.inputs("true", **given)))
    assert (failure.type, failure.non_retryable) == (type, True)
    assert re.search(message, failure.message), failure.message


async def test_machine_that_does_not_answer_is_worth_another_try(steps: Steps, sshd: Sshd) -> None:
    failure = await steps.failure(ssh(steps, sshd.inputs("true", port=1)))
    assert (failure.type, failure.non_retryable) == ("SshError", False)


async def lasting(steps: Steps, sshd: Sshd, started: Path, **more: Any) -> tuple[Any, asyncio.Task[StepResult], str]:
    """Start a step that leaves processes behind if it can; return how to find them, too."""
    mark = f"SEGUE_TEST={started}"
    env = {"STARTED": str(started), "SEGUE_TEST": str(started)}
    running, attempt = steps.start("ssh", inputs=sshd.inputs(LASTING, **more), env=env)
    task = asyncio.create_task(attempt)
    await eventually(started.exists)
    return running, task, mark


async def test_cancelled_command_is_gone_there(steps: Steps, sshd: Sshd, marked: Marked, tmp_path: Path) -> None:
    before = folders()
    running, task, mark = await lasting(steps, sshd, tmp_path / "started")
    assert marked(mark)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not marked(mark))
    await eventually(lambda: folders() == before)


async def test_time_out_ends_the_command_there(steps: Steps, sshd: Sshd, marked: Marked, tmp_path: Path) -> None:
    mark = f"SEGUE_TEST={tmp_path}"
    failure = await steps.failure(ssh(steps, sshd.inputs("sleep 1000"), env=dict([mark.split("=", 1)]), timeout=2.0))
    assert failure.type == "Timeout"
    await eventually(lambda: not marked(mark))


async def test_lost_connection_fails_the_attempt_and_ends_the_command(
    steps: Steps, sshd: Sshd, marked: Marked, tmp_path: Path
) -> None:
    relay = Relay(sshd.port)
    _, task, mark = await lasting(steps, sshd, tmp_path / "started", port=await relay.start())
    relay.cut()
    failure = await steps.failure(task)
    assert (failure.type, failure.non_retryable) == ("SshError", False)
    await eventually(lambda: not marked(mark))


async def test_supervisor_that_hears_nothing_gives_up(tmp_path: Path, marked: Marked) -> None:
    """A machine that was cut off: nobody closes the connection."""
    folder = tmp_path / "there"
    arguments = ["sh", "-c", SUPERVISOR, "segue", str(folder), "END", "1", "0.1"]
    supervisor = subprocess.Popen(arguments, stdin=subprocess.PIPE)
    assert supervisor.stdin is not None
    try:
        supervisor.stdin.write(f"export SEGUE_TEST={tmp_path}\nsleep 1000 & sleep 1000\nEND\n".encode())
        supervisor.stdin.flush()
        await eventually(lambda: marked(f"SEGUE_TEST={tmp_path}"))
        long_ago = time.time() - 600
        os.utime(folder / "alive", (long_ago, long_ago))
        await eventually(lambda: supervisor.poll() is not None)
        await eventually(lambda: not marked(f"SEGUE_TEST={tmp_path}"))
        assert not folder.exists()
    finally:
        supervisor.kill()
        supervisor.communicate()


async def test_command_ends_with_a_worker_that_was_killed(sshd: Sshd, tmp_path: Path, marked: Marked) -> None:
    started = tmp_path / "started"
    env = {"STARTED": str(started), "SEGUE_TEST": str(started)}
    code = f"""
import asyncio, pathlib, tests.activities.conftest as c
steps = c.Steps(pathlib.Path({str(tmp_path)!r}))
asyncio.run(steps.run("ssh", inputs={sshd.inputs(LASTING)!r}, env={env!r}))
"""
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    try:
        await eventually(started.exists)
    finally:
        worker.kill()
        worker.wait()
    await eventually(lambda: not marked(f"SEGUE_TEST={started}"))
