"""Environments of steps: real ones, made by uv from a package index that is a folder."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.environments import MARK
from tests.activities.conftest import Steps

CODE = "import small_thing\ndef f(): return small_thing.VALUE"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one wheel, `small-thing` 1.0."""
    folder = tmp_path_factory.mktemp("wheels")
    files = {
        "small_thing.py": "VALUE = 42\n",
        "small_thing-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: small-thing\nVersion: 1.0\n",
        "small_thing-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "small_thing-1.0.dist-info/RECORD"
    with zipfile.ZipFile(folder / "small_thing-1.0-py3-none-any.whl", "w") as wheel:
        lines = []
        for name, text in files.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(text)}")
        wheel.writestr(record, "\n".join([*lines, f"{record},,"]) + "\n")
    return folder


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """uv finds packages in the folder alone, and keeps its cache apart."""
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "uv-cache"))


def bundled(steps: Steps, requirements: str = "small-thing==1.0\n", **files: str) -> dict[str, str]:
    """Return the fields of a task with this requirements file."""
    return {"bundle": steps.bundle({"m.py": CODE, "req.txt": requirements, **files}), "requirements": "req.txt"}


def environments(steps: Steps) -> list[Path]:
    return [path for path in (steps.folder / "cache" / "environments").iterdir() if path.suffix != ".lock"]


async def call(steps: Steps, fields: dict[str, str]) -> object:
    return (await steps.run("python", action={"callable": "m:f"}, **fields)).value


async def test_python_and_shell_steps_run_with_the_requirements_and_nothing_of_ours(steps: Steps) -> None:
    fields = bundled(steps)
    assert await call(steps, fields) == 42
    script = "python -c 'import small_thing, sys; print(small_thing.VALUE)'; python -c 'import temporalio' || echo none"
    result = await steps.shell(script, **fields)
    assert steps.log(result.folder, "stdout") == ["42", "none"]
    assert len(environments(steps)) == 1


async def test_what_is_imported_was_compiled_when_the_environment_was_built(steps: Steps) -> None:
    script = "python -c 'import small_thing, os; print(os.path.exists(small_thing.__cached__))'"
    result = await steps.shell(script, **bundled(steps))
    assert steps.log(result.folder, "stdout") == ["True"]


async def test_environment_is_built_once_for_ten_steps_of_two_workers(steps: Steps) -> None:
    fields, other = bundled(steps), Steps(steps.folder)
    results = await asyncio.gather(
        *(
            worker.run("python", action={"callable": "m:f"}, run=f"r{n}", **fields)
            for n, worker in enumerate([steps, other] * 5)
        )
    )
    assert [result.value for result in results] == [42] * 10
    logs = [" ".join(steps.log(result.folder)) for result in results]
    assert sum("building the environment" in log for log in logs) == 1
    assert sum("waiting for another step" in log for log in logs) >= 1


async def test_warm_environment_costs_nothing_and_logs_nothing(steps: Steps) -> None:
    fields = bundled(steps)
    await call(steps, fields)
    result = await steps.run("python", action={"callable": "m:f"}, **fields)
    assert steps.log(result.folder) == []


async def test_half_built_environment_of_a_killed_worker_is_built_again(steps: Steps) -> None:
    fields = bundled(steps)
    await call(steps, fields)
    [environment] = environments(steps)
    (environment / MARK).unlink()
    next(environment.rglob("small_thing.py")).unlink()
    assert await call(steps, fields) == 42


async def test_requirements_that_cannot_be_met_are_the_users_to_read(steps: Steps) -> None:
    failure = await steps.failure(steps.shell(":", **bundled(steps, "no-such-thing-at-all>=3\n")))
    assert failure.type == "EnvironmentFailed"
    assert failure.message.startswith("uv could not make the environment of req.txt:\n")
    assert "no-such-thing-at-all" in failure.message
    assert failure.details[0]["exit_code"] == 1
    assert any("no-such-thing-at-all" in line for line in steps.log(failure.details[1]["folder"], "stderr"))
    assert environments(steps) == []


async def test_requirements_file_that_is_not_there_is_a_typed_failure(steps: Steps) -> None:
    fields = bundled(steps) | {"requirements": "other.txt"}
    failure = await steps.failure(steps.shell(":", **fields))
    assert (failure.type, failure.non_retryable) == ("EnvironmentFailed", True)
    assert failure.message == "the bundle has no readable other.txt: No such file or directory"


async def test_message_of_a_failing_step_is_not_uvs(steps: Steps) -> None:
    failure = await steps.failure(steps.shell("exit 3", **bundled(steps)))
    assert failure.message == "the script ended with code 3"


async def test_requirements_that_name_other_files_belong_to_their_bundle(steps: Steps) -> None:
    await call(steps, bundled(steps, "-r more.txt\n", **{"more.txt": "small-thing\n"}))
    failure = await steps.failure(
        steps.run("python", action={"callable": "m:f"}, **bundled(steps, "-r more.txt\n", **{"more.txt": "\n"}))
    )
    assert failure.type == "ModuleNotFoundError"
    assert failure.message == "No module named 'small_thing'; packages come from req.txt: is it named there?"
    assert len(environments(steps)) == 2


@pytest.fixture
def slow_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A uv that leaves a mark and then takes for ever, as one that downloads gigabytes does."""
    script = tmp_path / "slow-uv"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/uv-started\nUV_MARK=slow-uv exec sleep 1000\n")
    script.chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(script))
    return tmp_path / "uv-started"


async def test_cancel_ends_a_build_and_leaves_nothing(
    steps: Steps, slow_uv: Path, marked: Callable[[str], list[int]]
) -> None:
    running, attempt = steps.start("shell", action={"script": ":"}, **bundled(steps))
    task = asyncio.ensure_future(attempt)
    async with asyncio.timeout(10):
        while not (slow_uv.exists() and marked("UV_MARK=slow-uv")):
            await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert marked("UV_MARK=slow-uv") == []
    assert environments(steps) == []


async def test_killed_builder_lets_another_worker_build(steps: Steps, wheels: Path) -> None:
    fields = bundled(steps)
    program = f"""
import asyncio, pathlib, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.activities.conftest import Steps
import uv
script = pathlib.Path({str(steps.folder / "stuck-uv")!r})
script.write_text("#!/bin/sh\\nmkdir -p {steps.folder}/stuck; exec sleep 1000\\n"); script.chmod(0o755)
uv.find_uv_bin = lambda: str(script)
asyncio.run(Steps(pathlib.Path({str(steps.folder)!r})).run("shell", action={{"script": ":"}}, **{fields!r}))
"""
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as builder:
        async with asyncio.timeout(20):
            while not (steps.folder / "stuck").exists():
                await asyncio.sleep(0.02)
        waiting = asyncio.create_task(call(steps, fields))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        builder.send_signal(signal.SIGKILL)
    assert await asyncio.wait_for(waiting, 60) == 42
