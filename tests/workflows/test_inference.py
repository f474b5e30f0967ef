from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workflows.exact_types import admits, exactly
from tests.workflows.test_expressions_properties import EXPRESSIONS, NAMES, VALUES
from workflows.expressions import ExpressionError, parse
from workflows.expressions.evaluator import Evaluation
from workflows.expressions.inference import infer
from workflows.expressions.types import (
    ANY,
    INT,
    NUMBER,
    STRING,
    list_of,
    map_of,
    notation,
    simple,
    text,
    union,
)

SCOPE = {
    "params": map_of(
        {
            "n": NUMBER,
            "name": text("digits", "wine"),
            "maybe": simple("string", "null"),
            "grid": list_of(map_of({"depth": INT}, closed=True)),
            "mixed": simple("string", "int", "double"),
            "free": ANY,
        },
    ),
    "output": map_of({"file": simple("string", "file")}),
}


def problems(source: str) -> list[str]:
    return [problem.message for problem in infer(parse(source), SCOPE)[1]]


@pytest.mark.parametrize(
    ("source", "type_"),
    [
        ("params.n + 1", "number"),
        ("params.n / 2.0", "double"),
        ("params.n % 2", "int"),
        ("params.name", "string(digits, wine)"),
        ("params.name + 'x'", "string"),
        ("params.free.deep[0].x + 1", "number"),
        ("params.grid.map(g, g.depth)", "list<int>"),
        ("params.grid.filter(g, g.depth > 1)", "list<map{depth: int}>"),
        ("params.grid[0]?.depth", "null|int"),
        ("[1, 'a', null]", "list<null|int|string(a)>"),
        ("{'a': [1.5], params.name: 2}", "map{a: list<double>, ...}"),
        ("true ? 1 : 'a'", "int|string(a)"),
        ("timestamp(params.name) - timestamp(0)", "duration"),
        ("size(params.grid) > 1 && has(params.x)", "bool"),
        ("params.name.split(',').map(x, x.size())", "list<int>"),
        ("nowhere.x", "any"),
        ("[]", "list"),
        ("[1] + [2.5]", "list<number>"),
    ],
)
def test_the_type_of_an_expression_is_inferred(source: str, type_: str) -> None:
    found, wrong = infer(parse(source), SCOPE)
    assert (notation(found), wrong) == (type_, [])


@pytest.mark.parametrize(
    "source",
    [
        "params.maybe == null || params.maybe.size() > 2",
        "params.mixed > 5 || params.mixed == 'a' || params.mixed + 1 == 2",
        "params.free > 5 && params.free == 'text' && params.free.x[0].y.map(z, z.b)[0].a",
        "params.grid[0].depth == null",
        "params.name in ['digits', params.maybe]",
        "params.n == 1.0 && 1 == 1.0 && params.n in [1, 'a']",
        "output.file == 'x' && output.file.name == 'y' && output.file + 'z' != ''",
        "params.unknown.startsWith('a')",
        "[].all(x, x.y > 1)",
        "params.grid.map(params, params.depth)[0] > 1",
        "params?.x?.y == 'a'",
        "params[params.name] > 1",
    ],
)
def test_what_may_be_right_is_not_complained_about(source: str) -> None:
    assert problems(source) == []


def test_one_mistake_is_reported_once() -> None:
    assert problems("params.n.x.y.z > 'a' && !params.n.x") == ['params.n is a number: it has no key "x"'] * 2
    assert len(problems("params.n > 'a' && params.n > 'b'")) == 2


def test_inference_takes_little_time_whatever_the_expression() -> None:
    start = time.process_time()
    source = "[{'a': x, 'b': x}, {'a': [x, 1], 'b': [x, 1]}]" + ".map(x, [{'a': [x, 1], 'b': [x, 2]}, {'a': x}])" * 90
    infer(parse(source), {"x": union([INT, STRING])})
    infer(parse("[" + "{'a': x}, " * 800 + "]"), {"x": SCOPE["params"]})
    assert time.process_time() - start < 2


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS, st.dictionaries(NAMES, VALUES, max_size=4))
def test_every_value_is_of_the_type_that_was_inferred(source: str, scope: dict[str, Any]) -> None:
    expression = parse(source)
    found, wrong = infer(expression, {name: exactly(value) for name, value in scope.items()})
    try:
        value = Evaluation(source, scope).value(expression.tree)
    except ExpressionError:
        return
    assert admits(found, value), notation(found)
    # What may be skipped or absorbed may be wrong and yet have a value; nothing else that was refused has one.
    lenient = ("&&", "||", "?", "has(", "map(", "filter(", "all(", "exists(")
    if not any(word in source for word in lenient):
        assert [problem for problem in wrong if problem.kind != "never"] == []
