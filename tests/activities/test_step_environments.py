"""Environments of single steps, of locked projects, and of a version of Python: made by a real uv, from a folder."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import uv

from tests.activities.conftest import Steps
from tests.activities.test_environments import CODE, bundled, call, environments, offline, wheels

__all__ = ["offline", "wheels"]

VERSION = ".".join(map(str, sys.version_info[:3]))
PROJECT = '[project]\nname = "flow"\nversion = "0"\nrequires-python = "{}"\ndependencies = ["small-thing==1.0"]\n'


async def test_a_list_of_requirements_needs_no_file(steps: Steps) -> None:
    fields = {"bundle": steps.bundle({"m.py": CODE}), "packages": ["small-thing==1.0"]}
    assert await call(steps, fields) == 42


async def test_a_list_and_a_file_that_say_the_same_share_an_environment(steps: Steps) -> None:
    await call(steps, bundled(steps))
    await call(steps, {"bundle": steps.bundle({"m.py": CODE}), "packages": ["small-thing==1.0"]})
    assert len(environments(steps)) == 1


async def test_ten_items_of_two_workers_build_a_step_s_own_environment_once(steps: Steps) -> None:
    fields, other = {"bundle": steps.bundle({"m.py": CODE}), "packages": ["small-thing==1.0"]}, Steps(steps.folder)
    pairs = enumerate([steps, other] * 5)
    runs = (worker.run("python", action={"callable": "m:f"}, key=f"s[{n}]", item=n, **fields) for n, worker in pairs)
    results = await asyncio.gather(*runs)
    assert [result.value for result in results] == [42] * 10
    logs = [" ".join(steps.log(result.folder)) for result in results]
    assert sum("building the environment of requirements" in log for log in logs) == 1


async def test_no_requirements_are_an_environment_without_packages(steps: Steps) -> None:
    script = "python -c 'import sys; print(sys.prefix != sys.base_prefix)'; python -c 'import small_thing' || echo none"
    result = await steps.shell(script, packages=[])
    assert steps.log(result.folder, "stdout") == ["True", "none"]


async def test_a_package_that_a_list_does_not_name_is_said_to_be_missing_there(steps: Steps) -> None:
    failure = await steps.failure(steps.python("import scipy_x", packages=[]))
    assert failure.message == "No module named 'scipy_x'; packages come from its requirements: is it named there?"


async def test_a_project_s_dependencies_are_requirements(steps: Steps) -> None:
    files = {"m.py": CODE, "conf/pyproject.toml": PROJECT.format(">=3.11")}
    assert await call(steps, {"bundle": steps.bundle(files), "requirements": "conf/pyproject.toml"}) == 42


async def test_a_lock_is_an_environment_of_exactly_its_versions(steps: Steps, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT.format(">=3.11"))
    subprocess.run([uv.find_uv_bin(), "lock", "-q", "--python", sys.executable], cwd=folder, check=True)
    files = {"m.py": CODE} | {name: (folder / name).read_text() for name in ("pyproject.toml", "uv.lock")}
    fields = {"bundle": steps.bundle(files), "requirements": "uv.lock"}
    assert await call(steps, fields) == 42
    result = await steps.run("python", action={"callable": "m:f"}, **fields)
    assert steps.log(result.folder) == []
    script = "python -c 'import small_thing, importlib.metadata as m; print(m.version(\"small-thing\"))'"
    assert steps.log((await steps.shell(script, **fields)).folder, "stdout") == ["1.0"]


async def test_a_lock_without_its_project_is_a_typed_failure(steps: Steps) -> None:
    fields = {"bundle": steps.bundle({"uv.lock": "version = 1\n"}), "requirements": "uv.lock"}
    failure = await steps.failure(steps.shell(":", **fields))
    assert (failure.type, failure.non_retryable) == ("EnvironmentFailed", True)
    assert failure.message == "the bundle has no readable pyproject.toml: No such file or directory"


async def test_the_worker_s_own_python_is_taken_where_it_fits(steps: Steps) -> None:
    result = await steps.shell("python -c 'import sys; print(sys.version.split()[0])'", python=f"=={VERSION}")
    assert steps.log(result.folder, "stdout") == [VERSION]


@pytest.mark.parametrize("fields", [{}, {"packages": ["small-thing==1.0"]}], ids=["bare", "with packages"])
async def test_no_python_that_fits_is_said_with_those_that_are_there_and_not_tried_again(
    steps: Steps, fields: dict[str, list[str]]
) -> None:
    failure = await steps.failure(steps.shell(":", python=">=3.99", **fields))
    assert (failure.type, failure.non_retryable) == ("EnvironmentFailed", True)
    assert failure.message.startswith("no Python on this worker fits '>=3.99'; there are ")
    assert f"{VERSION} (" in failure.message
    assert failure.message.endswith("or have the workflow ask for another version")


async def test_what_a_project_says_of_its_python_counts_too(steps: Steps) -> None:
    fields = {"bundle": steps.bundle({"pyproject.toml": PROJECT.format(">=3.99")}), "requirements": "pyproject.toml"}
    failure = await steps.failure(steps.shell(":", python=">=3.11", **fields))
    assert failure.message.startswith("no Python on this worker fits '>=3.11,>=3.99'; ")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A program that says it is Python 3.8."""
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 3 8 1\n")
    program.chmod(0o755)
    return program


async def test_uv_finds_another_python_where_the_one_of_the_worker_does_not_fit(tmp_path: Path, old: Path) -> None:
    steps = Steps(tmp_path, python=str(old))
    script = "python -c 'import sys; print(sys.version_info >= (3, 11), sys.prefix != sys.base_prefix)'"
    result = await steps.shell(script, python=">=3.11")
    assert steps.log(result.folder, "stdout") == ["True True"]


async def test_the_python_that_the_worker_was_given_is_first_on_the_path_where_it_fits(
    tmp_path: Path, old: Path
) -> None:
    result = await Steps(tmp_path, python=str(old)).shell("python", python="==3.8.*")
    assert Steps(tmp_path).log(result.folder, "stdout") == ["3 8 1"]


async def test_a_python_step_runs_in_the_version_that_the_workflow_asks_for(tmp_path: Path, old: Path) -> None:
    code = "import sys\ndef f(): return [*sys.version_info[:2]]"
    result = await Steps(tmp_path, python=str(old)).python(code, python=">=3.11")
    assert result.value >= [3, 11]
