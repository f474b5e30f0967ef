"""Every folder in examples/ compiles, in every spelling it has, and its spellings have one plan."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from segue.evaluate import evaluate
from translator import compile_document, compile_yaml
from workflows.plan import Plan

REPOSITORY = Path(__file__).parents[2]
FOLDERS = sorted(path for path in (REPOSITORY / "examples").iterdir() if path.is_dir())


def plans(folder: Path) -> dict[str, list[Plan]]:
    """Return the plans of a folder's definitions by workflow name."""
    found: dict[str, list[Plan]] = defaultdict(list)
    for path in sorted(folder.glob("*.yaml")):
        plan = compile_yaml(path.read_text(), path.name)
        found[plan.workflow].append(plan)
    for path in sorted(folder.glob("*.py")):
        if any(text in path.read_text() for text in ("with DAG(", "@workflow")):
            for document in evaluate(path):
                plan = compile_document(document, path.name)
                found[plan.workflow].append(plan)
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_example_compiles_and_its_spellings_have_one_hash(folder: Path) -> None:
    found = plans(folder)
    assert found, f"{folder.name} has no definition"
    for spellings in found.values():
        first = spellings[0].to_json()
        for other in spellings[1:]:
            assert other.to_json() == first
            assert other.content_hash == spellings[0].content_hash


def test_train_digits_is_there_in_both_spellings() -> None:
    assert [len(spellings) for spellings in plans(REPOSITORY / "examples" / "train-digits").values()] == [2]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_what_a_plan_calls_and_takes_along_is_there(folder: Path) -> None:
    for plan in [plan for spellings in plans(folder).values() for plan in spellings]:
        assert plan.code.requirements is None or (folder / plan.code.requirements).is_file()
        bundled = {path for pattern in plan.code.include for path in folder.glob(pattern)}
        for step in plan.steps:
            if step.kind != "python":
                continue
            module, _, name = step.action["callable"].partition(":")
            path = folder / f"{module.replace('.', '/')}.py"
            assert path in bundled
            functions = {
                node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
            }
            assert {argument.arg for argument in functions[name].args.args} == set(step.inputs), f"{step.id} in {path}"


def test_every_requirement_of_the_example_is_pinned() -> None:
    lines = (REPOSITORY / "examples" / "train-digits" / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in lines if line and not line.startswith("#"))


def test_the_service_has_none_of_the_packages_of_the_example() -> None:
    ended = subprocess.run([sys.executable, "-c", "import sklearn"], capture_output=True, text=True)
    assert "No module named 'sklearn'" in ended.stderr
