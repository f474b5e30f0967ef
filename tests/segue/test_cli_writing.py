"""`segue convert` and `segue fmt` as a user runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from segue.submission import read_definition
from tests.segue.commands import segue
from tests.segue.test_spellings import EXAMPLE, PYTHON, YAML, write

COMMENTED = """\
# yaml-language-server: $schema=segue.json

segue: 1
name: "flow"        # how it is called
params:
  # How deep the trees are.
  depth: {default: 4, type: integer}
steps:
  first: {run: "echo '# no comment'"}   # says little

  # Trains.
  # For long.
  train:
    python: "pkg.train:train"
    needs: {first: "${{ output != null }}"}   # only when it said something
    with:
      depth: "${{ params.depth }}"   # the param
      on: 'no'
    queue: gpu   # there is one
# The end.
"""
CANONICAL = """\
# yaml-language-server: $schema=segue.json

segue: 1
name: flow  # how it is called
params:
  # How deep the trees are.
  depth: {default: 4, type: integer}
steps:
  first: {run: echo '# no comment'}  # says little

  # Trains.
  # For long.
  train:
    needs: {first: "${{ output != null }}"}  # only when it said something
    python: pkg.train:train
    with:
      depth: "${{ params.depth }}"  # the param
      "on": "no"
    queue: gpu  # there is one
# The end.
"""
AS_PYTHON = """\
# yaml-language-server: $schema=segue.json

from segue import DAG, BashOperator, PythonOperator, params

with DAG(
    "flow",  # how it is called
    params={
        # How deep the trees are.
        "depth": 4,
    },
) as dag:
    first = BashOperator(bash_command="echo '# no comment'")  # says little

    # Trains.
    # For long.
    train = PythonOperator(
        python_callable="pkg.train:train",
        op_kwargs={
            "depth": params.depth,  # the param
            "on": "no",
        },
        queue="gpu",  # there is one
    )

    # only when it said something
    first.when(first.output != None) >> train
    # The end.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.yaml").write_text(COMMENTED)
    return tmp_path


def hash_of(path: Path) -> str:
    return read_definition(path).translated.plan_hash


def test_yaml_becomes_python_with_its_comments(folder: Path) -> None:
    ended = segue("convert", "flow.yaml", "--to", "python", "-o", "flow.py", cwd=folder)
    assert (ended.code, ended.out) == (0, "")
    assert (folder / "flow.py").read_text() == AS_PYTHON
    assert hash_of(folder / "flow.py") == hash_of(folder / "flow.yaml")


def test_comments_come_back_from_python(folder: Path) -> None:
    (folder / "flow.py").write_text(AS_PYTHON)
    ended = segue("convert", "flow.py", "--to", "yaml", cwd=folder)
    (folder / "back.yaml").write_text(ended.out)
    assert hash_of(folder / "back.yaml") == hash_of(folder / "flow.yaml")
    for line in CANONICAL.splitlines():
        comment = line.replace("'# no", "").partition("# ")[2]
        assert f"# {comment}" in ended.out or not comment
    assert '      depth: "${{ params.depth }}"  # the param\n' in ended.out
    assert "\n\n  # Trains.\n  # For long.\n  train:\n" in ended.out


@pytest.mark.parametrize("name", ["train.yaml", "train.py"])
def test_the_example_becomes_the_other_spelling_and_back(tmp_path: Path, name: str) -> None:
    to, other = ("python", "a.py") if name.endswith(".yaml") else ("yaml", "a.yaml")
    assert segue("convert", EXAMPLE / name, "--to", to, "-o", other, cwd=tmp_path).code == 0
    assert hash_of(tmp_path / other) == hash_of(EXAMPLE / name)


def test_python_that_is_written_is_laid_out_as_a_formatter_would(tmp_path: Path) -> None:
    for number, text in enumerate([YAML, (EXAMPLE / "train.yaml").read_text()]):
        (tmp_path / f"{number}.yaml").write_text(text)
        segue("convert", f"{number}.yaml", "--to", "python", "-o", f"{number}.py", cwd=tmp_path)
    options = ["--line-length", "120", "--isolated"]
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", *options, tmp_path], capture_output=True, check=False
    )
    assert formatted.returncode == 0, formatted.stdout
    imports = [sys.executable, "-m", "ruff", "check", "--select", "I,F", "--isolated", tmp_path]
    assert subprocess.run(imports, capture_output=True, check=False).returncode == 0


def test_every_kind_of_step_becomes_yaml(tmp_path: Path) -> None:
    path = write(tmp_path, PYTHON)
    assert segue("convert", path.name, "--to", "yaml", "-o", "x.yaml", cwd=tmp_path).code == 0
    assert hash_of(tmp_path / "x.yaml") == hash_of(path)
    assert "needs: check-data" not in (tmp_path / "x.yaml").read_text()


def test_a_file_that_is_there_is_not_written_over(folder: Path) -> None:
    (folder / "flow.py").write_text("precious")
    ended = segue("convert", "flow.yaml", "--to", "python", "-o", "flow.py", cwd=folder)
    assert (ended.code, (folder / "flow.py").read_text()) == (2, "precious")
    assert "--force" in ended.err
    assert segue("convert", "flow.yaml", "--to", "python", "-o", "flow.py", "--force", cwd=folder).code == 0


def test_what_cannot_be_said_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """The marks that stand for steps while Python is evaluated cannot stand in a text."""
    (tmp_path / "odd.yaml").write_text(
        'segue: 1\nname: odd\nsteps: {a: {uses: noop, with: {x: "\\ue000item\\ue001"}}}\n'
    )
    ended = segue("convert", "odd.yaml", "--to", "python", "-o", "odd.py", cwd=tmp_path)
    assert ended.code == 2
    assert "odd.yaml cannot be written as Python: it would mean something else. Nothing was written." in ended.err
    assert not (tmp_path / "odd.py").exists()


def test_a_broken_definition_is_not_converted(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("segue: 1\nname: broken\n")
    ended = segue("convert", "broken.yaml", "--to", "python", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "error[E0203]" in ended.err


def test_a_definition_is_laid_out_in_the_usual_way(folder: Path) -> None:
    before = hash_of(folder / "flow.yaml")
    ended = segue("fmt", "flow.yaml", cwd=folder)
    assert (ended.code, ended.out) == (0, "flow.yaml is laid out anew\n")
    assert (folder / "flow.yaml").read_text() == CANONICAL
    assert hash_of(folder / "flow.yaml") == before
    again = segue("fmt", "flow.yaml", cwd=folder)
    assert (again.code, again.out) == (0, "")


def test_a_check_of_the_layout_changes_nothing(folder: Path) -> None:
    ended = segue("fmt", "--check", "flow.yaml", cwd=folder)
    assert (ended.code, ended.out) == (1, "flow.yaml would be laid out anew\n")
    assert (folder / "flow.yaml").read_text() == COMMENTED
    shown = segue("fmt", "--diff", "flow.yaml", cwd=folder)
    assert '-name: "flow"        # how it is called\n+name: flow  # how it is called\n' in shown.out
    (folder / "flow.yaml").write_text(CANONICAL)
    assert segue("fmt", "--check", "flow.yaml", cwd=folder).code == 0


def test_python_is_left_to_its_own_formatter(tmp_path: Path) -> None:
    path = write(tmp_path, 'with DAG("flow"):\n    a = EmptyOperator()\n')
    for command in (["fmt", path.name], ["convert", path.name, "--to", "python"]):
        ended = segue(*command, cwd=tmp_path)
        assert ended.code == 2
        assert "ruff format" in ended.err


def test_a_definition_that_uses_shared_steps_is_written_beside_them(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "say.yaml").write_text("segue: 1\nstep: say\nrun: echo said\n")
    (tmp_path / "flow.yaml").write_text("segue: 1\nname: flow\nsteps: {a: {uses: ./common/say.yaml}}\n")
    ended = segue("convert", "flow.yaml", "--to", "python", "-o", "flow.py", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert 'UsesOperator(uses="./common/say.yaml")' in (tmp_path / "flow.py").read_text()
    assert hash_of(tmp_path / "flow.py") == hash_of(tmp_path / "flow.yaml")
