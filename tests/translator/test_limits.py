"""No definition, whatever its size and shape, crashes or hangs the translator, or gets another error than its own."""

from __future__ import annotations

import gc
import json
import random
import string
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.record import BROKEN, VALID
from tests.translator.large import ACCEPTED, HEAD, LARGE, STEPS
from translator import Code, DefinitionError, compile_document, compile_yaml
from translator.definition import NeedDefinition, StepDefinition
from translator.diagnostics import MAX_DIAGNOSTICS
from translator.keys import STEP, WORKFLOW
from translator.located import Node, Position, Report
from translator.order import plan_order


def refused(text: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        compile_yaml(text, "demo.yaml")
    assert len(caught.value.render()) < 200_000
    assert caught.value.diagnostics
    return [found.code for found in caught.value.diagnostics]


@pytest.fixture(scope="module")
def weighed() -> dict[str, dict[str, Any]]:
    """What compiling each large definition took, in a process of its own."""
    command = [sys.executable, "-m", "tests.translator.weigh"]
    child = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert child.returncode == 0, child.stderr
    found: dict[str, dict[str, Any]] = json.loads(child.stdout)
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LARGE)
def test_a_large_definition_is_refused_soon(weighed: dict[str, dict[str, Any]], name: str) -> None:
    found = weighed[name]
    assert found["seconds"] < 8
    assert 0 < found["problems"] <= MAX_DIAGNOSTICS
    assert found["rendered"] < 200_000


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_large_definition_compiles_soon(weighed: dict[str, dict[str, Any]], name: str) -> None:
    assert weighed[name]["problems"] == 0
    assert weighed[name]["seconds"] < 8


def test_no_definition_takes_more_than_256_mb(weighed: dict[str, dict[str, Any]]) -> None:
    assert {name: found["peak"] for name, found in weighed.items() if found["peak"] > 256} == {}


def test_more_than_the_most_steps_are_refused(weighed: dict[str, dict[str, Any]]) -> None:
    assert weighed["eleven thousand steps"]["codes"] == [Code.LIMIT]


def test_more_waits_than_one_history_can_hold_are_refused() -> None:
    waits = "".join(f"  s{n}: {{approve: {{}}}}\n" for n in range(1_501))
    assert refused(HEAD + "steps:\n" + waits) == [Code.LIMIT]


def test_a_plan_that_is_too_large_however_it_is_packed_is_refused() -> None:
    chance = random.Random(1)
    noise = ("".join(chance.choices(string.ascii_letters, k=4_000)) for _ in range(250))
    steps = "".join(f"  s{n}: {{run: '{script}'}}\n" for n, script in enumerate(noise))
    with pytest.raises(DefinitionError, match="bytes when packed; at most 786,432 are possible"):
        compile_yaml(HEAD + "steps:\n" + steps, "w.yaml")
    assert gc.isenabled()


def test_a_cycle_of_five_thousand_steps_is_found() -> None:
    report = Report("demo.yaml", [])
    place = Position(1, 1)
    steps = {}
    for number in range(5_000):
        node = Node(f"s{number}", place)
        needs = [NeedDefinition(f"s{(number + 1) % 5_000}", node)]
        steps[node.value] = StepDefinition(node.value, node, number, needs=needs)
    start = time.process_time()
    assert plan_order(steps, report) == []
    assert time.process_time() - start < 2
    [problem] = report.found
    assert problem.message.startswith('these steps wait for each other: "s0" needs "s1" needs')
    assert len(problem.message) < 300


@pytest.mark.parametrize(
    "name", ["étape", "步骤", "خطوة", "שלב", "चरण", "🚀", "ｗｉｄｅ", "ﬁ", "a\u200bb", "e\u0301", "ⅷ", "١"]
)
def test_names_in_every_script_are_refused_by_name_and_accepted_as_text(name: str) -> None:
    text = f"steps:\n  a: {{run: 'echo {name}', env: {{A: '${{{{ \"{name}\" }}}}'}}, description: {name}}}\n"
    assert compile_yaml(f"{HEAD}labels: {{{name}: {name}}}\n{text}", "demo.yaml").labels == {name: name}
    for place in ("steps: {{{0}: {{run: x}}}}", "params: {{{0}: {{}}}}\n{1}", "steps: {{a: {{run: x, queue: {0}}}}}"):
        assert Code.BAD_NAME in refused(HEAD + place.format(name, STEPS))


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
    steps = "".join(f"  s{n}: {{python: 'm:f', with: {{a: *big}}}}\n" for n in range(80))
    text = HEAD + "steps:\n  first: {python: 'm:f', with: {a: &big " + "x" * 60_000 + "}}\n" + steps
    assert refused(text) == [Code.LIMIT]


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


def test_an_alias_of_a_mistake_is_the_same_mistake() -> None:
    text = "steps: {a: &a {approve: {form: {n: {type: int, default: 5}}}}, b: *a, c: {workflow: demo}}"
    assert refused(HEAD + text) == [Code.SCHEMA, Code.CYCLE]


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
KEYS = st.sampled_from(STEP.known)
TOP = st.sampled_from(sorted({*WORKFLOW.known} - {"segue", "name", "steps"}))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.dictionaries(TOP, VALUES, max_size=3))
def test_any_values_give_a_plan_or_a_definition_error(step: dict[str, Any], top: dict[str, Any]) -> None:
    definition = {"segue": 1, "name": "demo", "steps": {"a": step, "b": {"run": "x"}}, **top}
    try:
        compile_document({"definition": definition}, "demo.py")
    except DefinitionError as error:
        error.render()
