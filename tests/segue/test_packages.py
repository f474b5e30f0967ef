"""Workflows are found in the modules of a package."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue import InvalidDefinition
from segue.submission import read_definition, read_definitions
from tests.segue.commands import segue

STEPS = "from segue import step\n\n@step\ndef build(n: int) -> int:\n    return n + 1\n"
FLOW = "from segue import workflow\nfrom .steps import build\n\n@workflow\ndef one(n: int = 1):\n    return build(n)\n"
OTHER = "import segue\nfrom mine import steps\n\n@segue.workflow\ndef two(n: int = 1):\n    return steps.build(n)\n"
DAG = "from segue import DAG, EmptyOperator\n\nwith DAG('three'):\n    a = EmptyOperator()\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    files = {
        "mine/__init__.py": "from .flow import one\n",
        "mine/steps.py": STEPS,
        "mine/flow.py": FLOW,
        "mine/inner/__init__.py": "",
        "mine/inner/other.py": OTHER,
        "mine/heavy.py": "import a_package_that_only_steps_need\n",
        "mine/.hidden/flow.py": "raise RuntimeError\nfrom segue import workflow\n",
        "beside.py": "raise RuntimeError\nimport segue\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "mine"


def test_the_workflows_of_all_modules_are_found_and_their_steps_by_their_full_names(package: Path) -> None:
    found = read_definitions(package)
    assert [each.name for each in found] == ["one", "two"]
    for each in found:
        plan = each.translated.plan
        assert [step["action"]["callable"] for step in plan["steps"]] == ["mine.steps:build"]
        assert plan["code"]["include"] == ["mine/**/*.py"]
        bundle = each.bundle()
        assert bundle is not None
        assert bundle.files == tuple(
            f"mine/{name}"
            for name in ("__init__.py", "flow.py", "heavy.py", "inner/__init__.py", "inner/other.py", "steps.py")
        )
    assert read_definition(package, "two").name == "two"
    assert [each.name for each in read_definitions(package / "inner")] == ["two"]


def test_a_folder_that_is_no_package_is_one_of_files(package: Path) -> None:
    folder = package.parent / "files"
    (folder / "sub").mkdir(parents=True)
    (folder / "flow.py").write_text(DAG)
    (folder / "sub" / "flow.py").write_text(DAG.replace("three", "four"))
    assert [each.name for each in read_definitions(folder)] == ["three", "four"]


def test_what_is_wrong_in_several_modules_is_said_at_once(package: Path) -> None:
    (package / "flow.py").write_text(FLOW.replace("return build(n)", "return build(m)"))
    (package / "inner" / "other.py").write_text(OTHER.replace("steps.build(n)", "steps.build(n) ** 2"))
    (package / "broken.py").write_text("import segue\nx = (\n")
    with pytest.raises(InvalidDefinition) as caught:
        read_definitions(package)
    found = [(Path(each.file).name, each.line, each.code) for each in caught.value.diagnostics]
    assert found == [("broken.py", 2, "E0711"), ("flow.py", 6, "E0732"), ("other.py", 6, "E0731")]


def test_what_a_module_raises_is_shown_where_it_is_raised(package: Path) -> None:
    (package / "steps.py").write_text(STEPS + "\n1 / 0\n")
    with pytest.raises(InvalidDefinition) as caught:
        read_definitions(package / "inner")
    [problem] = caught.value.diagnostics
    assert (Path(problem.file).name, problem.line, problem.code) == ("steps.py", 7, "E0712")


def test_two_modules_cannot_hold_the_same_workflow(package: Path) -> None:
    (package / "inner" / "other.py").write_text(OTHER.replace("def two", "def one"))
    with pytest.raises(InvalidDefinition, match=r'E0726.*the workflow "one" is in .*flow.py too'):
        read_definitions(package)


def test_a_folder_without_workflows_is_said_to_have_none(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(STEPS)
    with pytest.raises(InvalidDefinition, match=r"E0721.*no module of this folder holds a workflow"):
        read_definitions(tmp_path)


def test_commands_take_a_package_and_ask_for_a_name_where_it_has_several(package: Path) -> None:
    ended = segue("validate", "mine/", cwd=package.parent)
    assert ended.code == 0, ended.err
    assert [line.split(":")[1].split()[0] for line in ended.out.splitlines()] == ["one", "two"]
    asked = segue("plan", "mine/", cwd=package.parent)
    assert asked.code == 2
    assert "the folder has several workflows" in asked.err
    assert "name one of them with --workflow: one, two" in asked.err
    assert segue("plan", "mine/", "-w", "two", cwd=package.parent).out.startswith("two  sha256:")
    alone = segue("validate", "mine/flow.py", cwd=package.parent)
    assert "hint: a file of a package is found through its package: segue validate FOLDER/" in alone.err
