"""The pytest plugin, in a pytest of its own, as it is found by its entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

DEFINITION = "segue: 1\nname: flow\nsteps:\n  one: {python: 'm:f'}\n  two: {needs: one, python: 'm:g'}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as authors have them: the definition above, the tests in a folder."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "flow.yaml").write_text(DEFINITION)
    return tmp_path


def pytest_in(project: Path, source: str, *options: str) -> tuple[int, str]:
    """Write a test file and run it; return the exit code and what was printed."""
    (project / "tests" / "test_flow.py").write_text(dedent(source))
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", *options],
        cwd=project,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_a_definition_is_found_beside_the_tests_file_and_above(project: Path) -> None:
    (project / "tests" / "near.yaml").write_text(DEFINITION.replace("flow", "near"))
    code, said = pytest_in(
        project,
        """
        def test_above(segue_run):
            assert segue_run("flow.yaml", steps={"one": 1, "two": 2}).workflow == "flow"

        def test_beside(segue_run):
            assert segue_run("near.yaml", unmocked="succeed").workflow == "near"

        def test_text(segue_run):
            assert segue_run("segue: 1\\nname: text\\nsteps: {a: {uses: noop}}").workflow == "text"
        """,
    )
    assert (code, "3 passed" in said) == (0, True), said


def test_a_failing_test_shows_the_table_of_its_own_runs_alone(project: Path) -> None:
    code, said = pytest_in(
        project,
        """
        from segue.testing import fails, run

        def test_fine(segue_run):
            assert segue_run("flow.yaml", steps={"one": 1, "two": 2}, run_id="fine")

        def test_not_fine():
            result = run("flow.yaml", steps={"one": fails("Boom", "it broke"), "two": 2})
            assert result.state == "succeeded"
        """,
    )
    assert code == 1, said
    assert said.count("- run of flow -") == 1
    assert "\none   failed           1      0 s   Boom: it broke\n" in said
    assert "\ntwo   upstream_failed               rule all_success: one failed\n" in said


def test_a_function_that_raises_is_shown_where_it_did(project: Path) -> None:
    code, said = pytest_in(
        project,
        """
        def broken(task):
            return {"n": task.inputs["nothing"]}

        def test_it(segue_run):
            assert segue_run("flow.yaml", steps={"one": broken}).state == "succeeded"
        """,
    )
    assert code == 1, said
    shown = said.partition("- the mock of one raised -")[2]
    assert 'return {"n": task.inputs["nothing"]}' in shown
    assert "KeyError: 'nothing'" in shown
    assert "testing/engine" not in shown, "frames of ours say nothing to an author"


def test_a_file_that_is_not_there_is_named_beside_the_test(project: Path) -> None:
    code, said = pytest_in(project, "def test_it(segue_run):\n    segue_run('nothing.yaml')\n")
    assert code == 1
    assert "tests/nothing.yaml: error[E0701]: cannot be read" in said


def test_the_fixtures_are_listed_with_what_they_do(project: Path) -> None:
    code, said = pytest_in(project, "", "--fixtures")
    assert code == 0
    assert "segue_run -- " in said
    assert "segue_recorded -- " in said
    assert "in the folders above" in said


def test_a_session_that_tests_no_workflow_loads_nothing_but_the_plugin(project: Path) -> None:
    code, said = pytest_in(
        project,
        """
        import sys

        def test_it():
            ours = {name for name in sys.modules if name.partition(".")[0] in ("segue", "workflows", "translator")}
            assert ours == {"segue", "segue.testing", "segue.testing.plugin"}
            assert "yaml" not in sys.modules
        """,
    )
    assert code == 0, said
    code, said = pytest_in(project, "def test_it():\n    pass\n", "-p", "no:segue")
    assert code == 0, said


def test_an_authors_package_called_workflows_is_imported_by_their_tests(project: Path) -> None:
    (project / "workflows").mkdir()
    (project / "workflows" / "__init__.py").write_text("")
    (project / "workflows" / "flow.py").write_text("def double(n):\n    return 2 * n\n")
    (project / "pytest.ini").write_text("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    code, said = pytest_in(
        project,
        """
        def test_before(segue_run):
            assert segue_run("flow.yaml", unmocked="succeed").state == "succeeded"

        def test_after(segue_run):
            from segue.testing import calls
            from workflows.flow import double
            text = "segue: 1\\nname: text\\nsteps: {a: {python: 'workflows.flow:double', with: {n: 4}}}"
            assert segue_run(text, steps={"a": calls(double)}).steps["a"].output == 8
        """,
    )
    assert code == 0, said
