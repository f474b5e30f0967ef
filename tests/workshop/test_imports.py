"""The rooms and their doors: import-linter's contracts hold, name every room, and can fail."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NO_ROOMS = {"benchmarks"}  # neither packed nor imported by a room
NONDETERMINISTIC_BUILTINS = {"open", "hash", "input", "exec", "eval", "compile", "__import__"}


def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / ".importlinter")
    return parser


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [BIN / "lint-imports", "--no-cache", "--config", REPOSITORY / ".importlinter"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env={"PYTHONPATH": "."})


def test_imports_keep_to_the_rooms() -> None:
    ended = lint_imports(REPOSITORY)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 broken" in ended.stdout


def test_every_room_has_a_floor() -> None:
    rooms = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")} - NO_ROOMS
    assert rooms == set(contracts()["importlinter"]["root_packages"].split())
    layers = contracts()["importlinter:contract:floors"]["layers"].replace("|", " ").split()
    assert set(layers) == rooms - {"segue"}, "segue is on every floor: its contract says what it may import"


def test_every_room_that_is_packed_is_a_room_that_is_linted() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    packed = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packed | {"segue"} == set(contracts()["importlinter"]["root_packages"].split())
    assert packed | {"segue"} == set(project["tool"]["mypy"]["packages"])


CLOSED_DOORS = [
    ("workflows.plan", "random"),
    ("workflows.plan", "temporalio"),
    ("workflows.core", "store"),
    ("translator", "temporalio"),
    ("store.settings", "temporalio"),
    ("api.app", "activities"),
    ("api.app", "workers"),
    ("activities.errors", "workers"),
    ("segue.errors", "httpx"),
    ("segue.errors", "workflows"),
    ("segue.testing.running", "workflows"),
    ("segue.testing.mocks", "pytest"),
]


def test_a_door_that_is_closed_is_closed(tmp_path: Path) -> None:
    """A contract that cannot break guards nothing: each of these imports, added to a copy, is found."""
    for room in contracts()["importlinter"]["root_packages"].split():
        for path in (REPOSITORY / room).rglob("*.py"):
            copy = tmp_path / path.relative_to(REPOSITORY)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text())
    for module, wanted in CLOSED_DOORS:
        path = tmp_path / module.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        path.write_text(f"{path.read_text()}\nimport {wanted}\n")
    ended = lint_imports(tmp_path)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    missed = [door for door in CLOSED_DOORS if f"{door[0]} -> {door[1]} " not in ended.stdout]
    assert missed == []


def test_code_that_is_replayed_calls_nothing_whose_answer_differs() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno} calls {node.func.id}()"
        for path in (REPOSITORY / "workflows").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NONDETERMINISTIC_BUILTINS
    ]
    assert found == []


def test_the_api_is_a_client_of_temporal_and_nothing_else() -> None:
    """Import-linter sees other people's packages whole, so it cannot tell the client from a worker."""
    wanted = re.compile(r"^\s*(?:from|import) temporalio\.(worker|workflow|activity)\b", re.MULTILINE)
    found = [path.name for path in (REPOSITORY / "api").rglob("*.py") if wanted.search(path.read_text())]
    assert found == []
    assert wanted.search((REPOSITORY / "workflows" / "interpreter.py").read_text() + "\nimport temporalio.workflow")


def test_the_lint_file_of_workflows_finds_a_clock(tmp_path: Path) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text("import datetime\n\nprint(datetime.datetime.now())\n")
    command = [BIN / "ruff", "check", "--no-cache", "--config", REPOSITORY / "workflows" / "ruff.toml", probe]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "TID251" in ended.stdout
