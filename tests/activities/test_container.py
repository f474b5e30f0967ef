"""The container operator with an engine that runs commands without a container."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.activities.conftest import Steps
from tests.activities.engine import Engine, running_engine
from tests.waiting import eventually
from workflows.messages import StepResult

Marked = Callable[[str], list[int]]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    # A socket's path has room for 107 characters.
    with tempfile.TemporaryDirectory() as folder, running_engine(Path(folder)) as running:
        monkeypatch.setenv("PATH", f"{running.path}:{os.environ['PATH']}")
        yield running


async def container(steps: Steps, action: dict[str, Any], **task: Any) -> StepResult:
    return await steps.run("container", action={"image": "python:3.12", **action}, **task)


async def test_command_line_is_exactly_this(steps: Steps, engine: Engine) -> None:
    env = {"DEPTH": 4, "PATH": "/usr/bin:/bin"}
    wanted = {"command": ["-c", 'echo "$0 $DEPTH"', "a b"], "entrypoint": "/bin/sh", "pull": "always"}
    result = await container(steps, wanted, env=env, run="demo-1", key="train[2]")
    assert steps.log(result.folder) == ["a b 4"]
    run, removal = engine.calls
    name = "segue-demo-1-train-2--000.001-00000001"
    folder = run[run.index("--mount") + 1].rpartition("=")[2]
    assert folder.startswith(str(steps.folder))
    home = [] if os.getuid() == 0 else ["--env", "HOME"]
    assert run == [
        *("run", "--name", name, "--rm"),
        *("--label", "segue.run=demo-1", "--label", "segue.step=train[2]", "--label", "segue.attempt=1"),
        *("--pull", "always", "--mount", f"type=bind,source={folder},target={folder}", "--init"),
        *("--user", f"{os.getuid()}:{os.getgid()}", "--workdir", f"{folder}/work"),
        *("--env", "TMPDIR", "--env", "DEPTH", "--env", "PATH=/usr/bin:/bin"),
        *("--env", "SEGUE_RUN_ID", "--env", "SEGUE_WORKFLOW", "--env", "SEGUE_STEP", "--env", "SEGUE_KEY"),
        *("--env", "SEGUE_ATTEMPT", "--env", "SEGUE_OUTPUT", "--env", "SEGUE_ARTIFACTS"),
        *("--env", "SEGUE_REPORT", "--env", "SEGUE_CHECKPOINT", *home),
        *("--entrypoint", "/bin/sh", "python:3.12", "-c", 'echo "$0 $DEPTH"', "a b"),
    ]
    assert removal == ["rm", "--force", name]


async def test_script_has_the_bundle_and_leaves_output_and_artifacts(steps: Steps, engine: Engine) -> None:
    script = """
        cat conf/a.txt "$FILE" >> "$SEGUE_ARTIFACTS/report.txt"
        echo "accuracy=0.9" >> "$SEGUE_OUTPUT"
    """
    made = await steps.shell('echo from a file > "$SEGUE_ARTIFACTS/x"')
    name = f"{made.folder}/artifacts/x"
    data = steps.objects.get(name)
    digest = hashlib.sha256(data).hexdigest()
    file = {"$segue": "file", "key": name, "size": len(data), "sha256": digest, "name": "x"}
    result = await container(
        steps,
        {"command": script},
        env={"FILE": file},
        bundle=steps.bundle({"conf/a.txt": "kept\n"}),
        output={"accuracy": {"schema": {"type": "number"}}},
        requirements="not-for-it.txt",
    )
    assert result.value == {"accuracy": 0.9}
    assert steps.objects.get(f"{result.folder}/artifacts/report.txt") == b"kept\nfrom a file\n"


async def test_only_the_client_sees_what_is_its_own(
    steps: Steps, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", "/of/the/worker")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    result = await container(steps, {"command": "env"}, env={"DOCKER_HOST": "tcp://of.the.step", "TOKEN": "geheim"})
    inside = steps.log(result.folder)
    assert {"DOCKER_HOST=tcp://of.the.step", "TOKEN=geheim"} <= {*inside}
    assert not [line for line in inside if "canary" in line or "DOCKER_CONFIG" in line]
    assert "DOCKER_HOST" not in engine.environments[0]
    assert engine.environments[0]["DOCKER_CONFIG"] == "/of/the/worker"
    assert "geheim" not in " ".join(engine.calls[0])


async def test_failure_of_the_command_is_the_steps(steps: Steps, engine: Engine) -> None:
    failure = await steps.failure(container(steps, {"command": "echo oh >&2; exit 3", "workdir": "/"}))
    assert (failure.type, failure.message, failure.non_retryable) == (
        "ExitCode",
        "the container ended with code 3: oh",
        False,
    )


async def test_container_that_cannot_be_had_says_what_the_engine_said(steps: Steps, engine: Engine) -> None:
    failure = await steps.failure(container(steps, {"image": "no-such-image"}))
    said = "docker: Error response from daemon: pull access denied for no-such-image."
    assert (failure.type, failure.non_retryable) == ("ContainerError", False)
    assert failure.message == f"docker could not run the container: {said}"


async def test_worker_without_an_engine_refuses_for_good(
    steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    failure = await steps.failure(steps.run("container", {"task_queue": "gpu"}, action={"image": "python:3.12"}))
    assert (failure.type, failure.non_retryable) == ("ContainerError", True)
    assert failure.message == (
        'this worker of the queue "gpu" has neither docker nor podman: install one on its machine, '
        "or send the step to a queue whose workers have one"
    )


@pytest.mark.parametrize("script", ["sleep 1000", "trap '' TERM; while :; do sleep 1000 & wait; done"])
async def test_cancelled_container_is_gone(steps: Steps, engine: Engine, marked: Marked, script: str) -> None:
    mark = f"SEGUE_TEST={os.getpid()}-{len(script)}"
    env = dict([mark.split("=")])
    running, attempt = steps.start("container", action={"image": "x", "command": script}, env=env)
    task = asyncio.create_task(attempt)
    await eventually(lambda: engine.containers)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.containers == {}
    await eventually(lambda: not marked(mark))


async def test_container_goes_with_a_worker_that_was_killed(engine: Engine, tmp_path: Path, marked: Marked) -> None:
    mark = f"SEGUE_TEST={tmp_path.name}-{os.getpid()}"
    code = f"""
import asyncio, pathlib, tests.activities.conftest as c
steps = c.Steps(pathlib.Path({str(tmp_path)!r}))
asyncio.run(steps.run("container", action={{"image": "x", "command": "sleep 1000"}}, env=dict([{mark!r}.split("=")])))
"""
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    try:
        await eventually(lambda: engine.containers)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    await eventually(lambda: engine.containers == {} and not marked(mark))


async def test_a_container_tells_what_others_tell_and_goes_on_from_its_checkpoint(steps: Steps, engine: Engine) -> None:
    script = (
        'cat "$SEGUE_CHECKPOINT/n" || true; echo 7 > "$SEGUE_CHECKPOINT/n"; echo ::checkpoint::; '
        'echo "::metric a=1"; echo \'{"progress": [1, 2, ""]}\' > "$SEGUE_REPORT"'
    )
    first = await container(steps, {"command": script})
    assert "metrics.json" in steps.names(first.folder)
    assert steps.last is not None
    assert steps.last.heartbeats[-1][0]["progress"] == {"done": 1, "total": 2, "text": ""}
    second = await container(steps, {"command": script}, info={"attempt": 2})
    assert steps.log(second.folder, "stdout")[0] == "7"
