"""What `segue.testing.run` takes as a definition, and how it reaches the core past an author's own names."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from segue import DAG, InvalidDefinition, PythonOperator
from segue.testing import MockError, run
from tests.segue.commands import segue
from tests.segue.definitions import write

REPOSITORY = Path(__file__).parents[2]
YAML = "segue: 1\nname: flow\nsteps:\n  one: {python: 'm:f'}\n"
SEVERAL = """
with DAG("first"):
    PythonOperator("one", callable="m:f")
with DAG("second"):
    PythonOperator("two", callable="m:f")
"""


def test_yaml_comes_as_a_file_or_as_text(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(YAML)
    for definition in (YAML, tmp_path / "flow.yaml", str(tmp_path / "flow.yaml")):
        assert run(definition, steps={"one": 1}).steps["one"].output == 1


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    for name in ("one", "two"):
        path.write_text(YAML.replace("one", name))
        assert list(run(path, unmocked="succeed").steps) == [name]


def test_a_python_file_is_evaluated_and_may_have_several_workflows(tmp_path: Path) -> None:
    path = write(tmp_path, SEVERAL.replace("callable", "python_callable"))
    assert run(path, workflow="second", steps={"two": 2}).workflow == "second"
    with pytest.raises(InvalidDefinition, match=r"several workflows(.|\n)*workflow=...: first, second"):
        run(path)
    with pytest.raises(InvalidDefinition, match='no workflow "third"'):
        run(path, workflow="third")


def test_a_dag_made_in_the_test_runs() -> None:
    with DAG("flow", params={"n": 2}) as dag:
        one = PythonOperator("one", python_callable="m:f")
        two = PythonOperator("two", python_callable="m:g", op_kwargs={"n": one.output})
        one >> two
    assert run(dag, steps={"one": 1, "two": lambda task: task.inputs["n"] + 1}).steps["two"].output == 2


def test_a_plan_runs_as_segue_plan_prints_it(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(YAML)
    text = segue("plan", "flow.yaml", "--json", cwd=tmp_path).out
    (tmp_path / "plan.json").write_text(text)
    for definition in (json.loads(text), tmp_path / "plan.json"):
        assert run(definition, steps={"one": 1}).state == "succeeded"


def test_what_is_wrong_with_a_definition_is_told_as_everywhere(tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinition, match=r"workflow\.yaml:4:.*"):
        run(YAML.replace("python:", "pyton:"))
    with pytest.raises(InvalidDefinition, match=r"cannot be read(.|\n)*segue_run"):
        run(tmp_path / "nothing.yaml")
    with pytest.raises(MockError, match="int is no definition"):
        run(7)  # type: ignore[call-overload]


def test_an_authors_own_folders_may_be_called_as_our_rooms_are(tmp_path: Path) -> None:
    """A package, a namespace, and one that is imported before and one that is imported after ours."""
    write(tmp_path, "NAME = 'mine'\n", name="workflows/__init__.py")
    write(tmp_path, "NAME = 'core of mine'\n", name="workflows/core.py")
    (tmp_path / "translator").mkdir()
    (tmp_path / "flow.yaml").write_text(YAML)
    check = "assert workflows.NAME == 'mine' and workflows.core.NAME == 'core of mine'"
    runs = "assert segue.testing.run('flow.yaml', steps={'one': 1}).state == 'succeeded'"
    for order in (
        ["import workflows.core", "import segue.testing", runs, check, runs],
        ["import segue.testing", runs, "import workflows.core", check, runs],
    ):
        code = "\n".join(["import sys", "sys.path.insert(0, '.')", *order])
        ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr


def test_the_rooms_import_nothing_late() -> None:
    """Once loaded, `segue.testing` takes them out of `sys.modules`: a later import would find something else."""
    late = [
        f"{path.name}:{node.lineno}"
        for room in ("workflows", "translator")
        for path in (REPOSITORY / room).rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert late == []


def test_without_the_servers_packages_the_message_is_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "segue").symlink_to(REPOSITORY / "segue")
    code = (
        "import segue.testing\n"
        "try: segue.testing.run('segue: 1\\nname: a\\nsteps: {a: {uses: noop}}')\n"
        "except segue.MissingPackage as error: print(error)"
    )
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{code}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.stdout == (
        "Running a workflow in memory needs Segue's server packages (workflows): pip install segue-server\n"
    ), ended.stderr


def test_importing_the_testing_package_loads_nothing() -> None:
    code = "import segue.testing, sys; print(sorted(m for m in sys.modules if m.startswith('segue')))"
    ended = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "['segue', 'segue.testing']\n"


def test_all_names_what_is_loaded_on_demand() -> None:
    import segue.testing

    loaded = [name for names in segue.testing._HOMES.values() for name in names]
    assert sorted(loaded) == sorted(segue.testing.__all__)
    for name in loaded:
        assert getattr(segue.testing, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        segue.testing.nothing  # noqa: B018


SHARED = """\
segue: 1
step: greet
inputs: {name: {type: string}}
run: echo "$NAME"
env: {NAME: "%s ${{ inputs.name }}"}
"""


def test_shared_steps_are_read_beside_the_definition_and_anew_when_they_change(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text("segue: 1\nname: flow\nsteps:\n  one: {uses: ./greet.yaml, with: {name: ada}}\n")
    for word in ("hello", "bye"):
        (tmp_path / "greet.yaml").write_text(SHARED % word)
        assert run(path, unmocked="succeed").steps["one"].env == {"NAME": f"{word} ada"}
    (tmp_path / "greet.yaml").unlink()
    with pytest.raises(InvalidDefinition, match=r"greet\.yaml"):
        run(path)
