"""No definition, whatever its size and shape, crashes or hangs the translator, or gets another error than its own."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.record import BROKEN, VALID
from translator import Code, DefinitionError, compile_document, compile_yaml
from translator.diagnostics import MAX_DIAGNOSTICS

HEAD = "segue: 1\nname: demo\n"
STEPS = "steps: {a: {run: echo a}}\n"


def refused(text: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        compile_yaml(text, "demo.yaml")
    assert len(caught.value.render()) < 200_000
    assert caught.value.diagnostics
    return [found.code for found in caught.value.diagnostics]


LARGE = {
    "many lists": "[" * 300_000,
    "many maps": "{a: " * 200_000,
    "many dashes": "- " * 300_000,
    "many questions": "? " * 300_000,
    "many quotes": '"' * 500_000,
    "many anchors": "&a " * 300_000,
    "one key": "a" * 1_000_000,
    "many keys": "".join(f"k{n}: v\n" for n in range(80_000)),
    "many equal keys": "k: v\n" * 150_000,
    "many steps": HEAD + "steps:\n" + "".join(f"  s{n}: {{run: x}}\n" for n in range(30_000)),
    "many misspelt needs": HEAD
    + "steps:\n"
    + "".join(f"  step_{n}: {{run: x, needs: [step_{n}x, stop_{n}]}}\n" for n in range(1_500)),
    "many unknown keys": HEAD + STEPS + "".join(f"steps{n}: x\n" for n in range(60_000)),
    "many params": HEAD + STEPS + "params:\n" + "".join(f"  p{n}: {{type: int}}\n" for n in range(40_000)),
    "many bad schemas": HEAD + STEPS + "params: {p: {enum: [" + "{a: 1}," * 100_000 + "], type: strin}}",
    "many expressions": HEAD + "steps: {a: {run: x, env: {A: '" + "${{ params.x }}" * 60_000 + "'}}}",
    "many openings": HEAD + "steps: {a: {run: x, env: {A: '" + "${{ " * 250_000 + "'}}}",
    "many openings in a script": HEAD + "steps: {a: {run: '" + "${{ " * 250_000 + "'}}",
    "a long expression": HEAD + "steps: {a: {run: x, if: '" + "(" * 900_000 + "'}}",
    "a long number": HEAD + STEPS + "max_parallel: " + "9" * 900_000,
    "a long float": HEAD + STEPS + "max_parallel: 1." + "9" * 900_000,
    "a long duration": HEAD + STEPS + "timeout: " + "9h" * 400_000,
    "a long cron": HEAD + STEPS + "triggers: [{schedule: {cron: '" + "1," * 400_000 + "'}}]",
    "a long name": "segue: 1\n" + STEPS + "name: " + "N" * 900_000,
    "a default that is deep": HEAD + STEPS + "params: {p: {default: " + "[" * 55 + "]" * 55 + "}, q: 5}",
    "a long line before the caret": HEAD + "steps: {a: {run: x, description: '" + "x" * 900_000 + "', colour: red}}",
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_definition_is_refused_soon(name: str) -> None:
    start = time.monotonic()
    codes = refused(LARGE[name])
    assert time.monotonic() - start < 8
    assert len(codes) <= MAX_DIAGNOSTICS


def test_a_huge_file_is_refused_without_reading_it() -> None:
    text = "a" * 50_000_000
    tracemalloc.start()
    try:
        assert refused(text) == [Code.TOO_LARGE]
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_cycle_of_all_steps_is_found() -> None:
    steps = "".join(f"  s{n}: {{run: x, needs: s{(n + 1) % 1_500}}}\n" for n in range(1_500))
    assert refused(HEAD + "steps:\n" + steps) == [Code.CYCLE]


def test_a_plan_that_is_too_large_for_one_message_is_refused() -> None:
    steps = "".join(f"  s{n}: {{python: 'm:f', with: {{a: *big}}}}\n" for n in range(20))
    text = HEAD + "steps:\n  first: {python: 'm:f', with: {a: &big " + "x" * 60_000 + "}}\n" + steps
    assert refused(text) == [Code.LIMIT]


def test_the_largest_workflow_compiles_in_a_few_seconds() -> None:
    steps = "".join(
        f"  s{n}: {{run: x, needs: [{', '.join(f's{m}' for m in range(max(0, n - 5), n))}]}}\n" for n in range(1_500)
    )
    start = time.monotonic()
    assert len(compile_yaml(HEAD + "steps:\n" + steps, "demo.yaml").steps) == 1_500
    assert time.monotonic() - start < 10


def test_more_problems_than_anyone_reads_are_counted() -> None:
    with pytest.raises(DefinitionError) as caught:
        compile_yaml(HEAD + STEPS + "".join(f"key{n}: x\n" for n in range(150)), "demo.yaml")
    assert len(caught.value.diagnostics) == 100
    assert caught.value.render().endswith("... and 50 more problems")


DOCUMENTS: list[dict[str, Any]] = [
    {},
    {"definition": None},
    {"definition": {"segue": 1, "name": "x", "steps": {"a": {"run": "x\x00"}}}},
    {"definition": {"segue": 1, "name": "\ud800", "steps": []}, "source": 5, "positions": []},
    {"definition": {"steps": {"a": {"timeout": float("nan"), "queue": 2**80}}}, "positions": {"/steps": "here"}},
    {"definition": {"a": 1}, "positions": {"": [10**12, -5], "/a": [1.5, True]}, "source": "x"},
    {"definition": {"a": {1, 2}, "b": (1, 2), 5: object()}},
    {"definition": {"labels": dict.fromkeys(map(str, range(300_000)), 1)}},
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_a_document_that_is_not_what_it_should_be_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError) as caught:
        compile_document(document, "demo.py")
    assert caught.value.diagnostics


def test_a_document_that_is_too_deep_is_refused() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    with pytest.raises(DefinitionError) as caught:
        compile_document({"definition": deep}, "demo.py")
    assert caught.value.diagnostics[0].code == Code.TOO_DEEP


def compiles_or_is_refused(text: str) -> None:
    try:
        compile_yaml(text, "demo.yaml")
    except DefinitionError as error:
        lines = text.count("\n") + text.count("\r") + 1
        misplaced = [found for found in error.diagnostics if not (1 <= found.line <= lines and found.column >= 1)]
        assert not misplaced
        error.render()


@settings(max_examples=200)
@given(st.text(alphabet=st.characters(codec=None), max_size=80))
def test_any_text_is_a_plan_or_a_definition_error(text: str) -> None:
    compiles_or_is_refused(text)


@settings(max_examples=200)
@given(st.text(alphabet=":-[]{}&*!|>'\"%@`,?# \n\tab01~<\\", max_size=60))
def test_any_yaml_is_a_plan_or_a_definition_error(text: str) -> None:
    compiles_or_is_refused(text)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_change_of_a_definition_gives_a_plan_or_a_definition_error(data: st.DataObject) -> None:
    """Cut, swap and double lines and characters of real definitions: most of what people break is like that."""
    path: Path = data.draw(st.sampled_from([*VALID, *BROKEN]))
    text = path.read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        new = data.draw(
            st.sampled_from(["", ":", "null", "[1]", "{}", "5", "true", "${{ ", "}}", "'", "\n", "x", "  "])
        )
        text = text[:start] + new + text[end:]
    compiles_or_is_refused(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["${{ x }}", "5s"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [
        "run",
        "python",
        "http",
        "uses",
        "needs",
        "if",
        "with",
        "env",
        "map",
        "retry",
        "timeout",
        "output",
        "queue",
        "trigger_rule",
    ]
)
TOP = st.sampled_from(
    ["labels", "params", "triggers", "max_parallel", "timeout", "defaults", "code", "output", "description"]
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.dictionaries(TOP, VALUES, max_size=3))
def test_any_values_give_a_plan_or_a_definition_error(step: dict[str, Any], top: dict[str, Any]) -> None:
    definition = {"segue": 1, "name": "demo", "steps": {"a": step, "b": {"run": "x"}}, **top}
    try:
        compile_document({"definition": definition}, "demo.py")
    except DefinitionError as error:
        error.render()
