"""Every code has a page; the example on it has exactly that problem, and the mended one has none."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from segue import InvalidDefinition
from segue.cli.explain import pages
from segue.codes import Code as PythonCode
from segue.submission import read_definitions
from tests.segue.commands import segue
from tests.segue.definitions import write
from translator import Code, DefinitionError, compile_yaml
from translator.lint import Warned, lint

PAGES = pages()
NOW = datetime(2026, 11, 26, tzinfo=UTC)


def examples(language: str, word: str) -> list[tuple[str, str]]:
    """Return the blocks of a kind, with their codes."""
    pattern = re.compile(rf"^```{language} {word}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(code, text) for code, page in PAGES.items() for text in pattern.findall(page)]


def whole(text: str) -> str:
    if "segue: 1" in text or text.lstrip().startswith(("#", "%")):
        return text
    return "segue: 1\nname: demo\n" + text


def found_in(text: str) -> set[str]:
    try:
        compile_yaml(whole(text), "demo.yaml")
    except DefinitionError as error:
        return {each.code for each in error.diagnostics}
    return {each.code for each in lint(whole(text), None, "demo.yaml", {}, NOW)}


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert set(PAGES) == {*map(str, Code), *map(str, PythonCode), *map(str, Warned)}
    assert list(PAGES) == sorted(PAGES)


def test_nearly_every_code_of_the_translator_has_an_example() -> None:
    shown = {code for code, _ in examples("yaml", "bad")}
    # A file of a MiB, another file, and a service are needed for these.
    assert {*map(str, Code), *map(str, Warned)} - shown == {"E0101", "E0214", "W0105", "W0108"}


@pytest.mark.parametrize(("code", "text"), examples("yaml", "bad"))
def test_a_bad_example_has_exactly_its_problem(code: str, text: str) -> None:
    assert found_in(text) == {code}


@pytest.mark.parametrize(("code", "text"), examples("yaml", "good"))
def test_a_mended_example_has_no_problem_of_its_code(code: str, text: str) -> None:
    compile_yaml(whole(text), "demo.yaml")
    assert code not in found_in(text)


@pytest.mark.parametrize(("code", "text"), examples("python", "bad"))
def test_a_bad_example_in_python_has_exactly_its_problem(tmp_path: Path, code: str, text: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        read_definitions(write(tmp_path, text))
    assert {each.code for each in caught.value.diagnostics} == {code}


def test_the_mended_examples_in_python_have_no_problem(tmp_path: Path) -> None:
    for code, text in examples("python", "good"):
        assert read_definitions(write(tmp_path, text, f"{code.lower()}.py"))


def test_a_code_is_explained_whatever_its_case(tmp_path: Path) -> None:
    ended = segue("explain", "e0401", cwd=tmp_path)
    assert ended.code == 0
    assert ended.out.startswith("## E0401: a need that is no step\n")
    assert "```yaml\n" in ended.out
    unknown = segue("explain", "E0499", cwd=tmp_path)
    assert (unknown.code, unknown.out) == (2, "")
    assert "There is no code E0499." in unknown.err
