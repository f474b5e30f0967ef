from __future__ import annotations

import json
from typing import Any

import pytest

from workflows.conditions import look
from workflows.expressions import Opaque, explain, parse

SCOPE: dict[str, Any] = {
    "params": {"min": 0.9, "n": 3, "grid": [{"depth": 4}, {"depth": 8}], "kind": "small", "none": None},
    "models": {"small": {"loss": 0.5}, "large": {"loss": 0.1}},
    "steps": {
        "check": {"output": {"quality": "bad"}, "status": "succeeded"},
        "skipped": {"output": None, "status": "skipped"},
        "big": {"output": Opaque({"$segue": "json", "key": "k", "size": 99999})},
    },
    "names": ["b", "c"],
}


def seen(text: str, **more: Any) -> dict[str, Any]:
    return explain(parse(text), {**SCOPE, **more})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("params.n > 2", {"params.n": 3}),
        ("params.n + 1 > params.min * 2.0", {"params.n": 3, "params.min": 0.9}),
        ("size(params.grid) > 1", {"size(params.grid)": 2}),
        ("steps.check.output.quality.upperAscii() == 'BAD'", {"steps.check.output.quality": "bad"}),
        ("{'k': params.n} == {'k': params.min}", {"params.n": 3, "params.min": 0.9}),
        ("'quality' in steps.check.output", {"steps.check.output": {"quality": "bad"}}),
        ("models[params.kind].loss < 1", {"models[params.kind].loss": 0.5, "params.kind": "small"}),
        ("models['small'].loss < 1", {"models['small'].loss": 0.5}),
        (
            "(params.n > 2 ? models.small : models.large).loss < 1",
            {"params.n": 3, "models.small": {"loss": 0.5}, "(params.n > 2 ? models.small : models.large).loss": 0.5},
        ),
        ("steps.big.output != null", {"steps.big.output": "a stored value of 99999 bytes"}),
        ("1 < 2", {}),
    ],
)
def test_an_explanation_has_the_value_of_each_operand(text: str, values: dict[str, Any]) -> None:
    assert seen(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("params.n > 5 && params.min > 0.5", {"params.n": 3}),
        ("params.n < 5 || params.min > 0.5", {"params.n": 3}),
        ("params.n > 2 ? params.min : params.kind", {"params.n": 3, "params.min": 0.9}),
        ("nowhere.x && params.n > 5", {"params.n": 3}),
        ("1 / 0 > params.n", {}),
        ("params.grid.filter(g, g.depth > 9).all(g, params.n > 9)", {"params.grid": SCOPE["params"]["grid"]}),
    ],
)
def test_what_was_not_looked_at_is_not_shown(text: str, values: dict[str, Any]) -> None:
    assert {name: value for name, value in seen(text).items() if "(" not in name} == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("steps.skipped.output.x.y > 1", {"steps.skipped.output": None}),
        ("steps.skipped.output?.x == null", {"steps.skipped.output?.x": None}),
        ("steps.skipped.output?.x.y == null", {"steps.skipped.output?.x": None}),
        (
            "has(steps.skipped.output.x) && steps.skipped.output.x > 1",
            {"has(steps.skipped.output.x)": False, "steps.skipped.output": None},
        ),
        (
            "has(steps.check.output.quality) && steps.check.output.quality == 'bad'",
            {"has(steps.check.output.quality)": True, "steps.check.output.quality": "bad"},
        ),
        ("nowhere.x > 1", {}),
        ("size(steps.skipped.output) > 1", {"steps.skipped.output": None}),
    ],
)
def test_null_and_its_guards_read_as_they_were(text: str, values: dict[str, Any]) -> None:
    assert seen(text) == values


def test_a_macro_shows_its_list_its_result_and_the_item_that_decided() -> None:
    grid = SCOPE["params"]["grid"]
    assert seen("params.grid.exists(g, g.depth > params.n)") == {
        "params.grid": grid,
        "params.grid[0]": {"depth": 4},
        "params.n": 3,
    }
    assert seen("!params.grid.all(g, g.depth < 8)") == {
        "params.grid": grid,
        "params.grid[1]": {"depth": 8},
        "params.grid.all(g, g.depth < 8)": False,
    }
    assert seen("size(params.grid.filter(g, g.depth > 4)) == 1") == {
        "size(params.grid.filter(g, g.depth > 4))": 1,
        "params.grid": grid,
    }
    assert seen("params.grid.map(g, g.depth)[1] > 4") == {
        "params.grid": grid,
        "params.grid.map(g, g.depth)": [4, 8],
        "params.grid.map(g, g.depth)[1]": 8,
    }
    # Inside another macro there is a value for each item, and none of them stands for all.
    inner = seen("names.exists(x, ['a', 'c'].exists(y, y == x) && has(params.n))")
    assert inner == {"names": ["b", "c"], "names[1]": "c", "has(params.n)": True}


def test_the_variable_of_a_macro_is_not_taken_for_a_root_of_the_same_name() -> None:
    assert seen("names.map(params, params) == [params.n]") == {
        "names": ["b", "c"],
        "names.map(params, params)": ["b", "c"],
        "params.n": 3,
    }


def test_large_values_and_many_operands_are_cut_short() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    large = {
        "a": "x" * 5000,
        "b": list(range(999)),
        "c": {"k": "v" * 999},
        "d": deep,
        "e": {str(n): n for n in range(9**5)},
    }
    found = seen(
        "[a, b, c, d, e, " + ", ".join(f"f.x{n}" for n in range(200)) + "] == []",
        f={f"x{n}": n for n in range(200)},
        **large,
    )
    assert len(found["a"]) == 200
    assert (found["b"], found["c"], found["d"], found["e"]) == (
        "a list of 999",
        "a map of 1",
        "a list of 1",
        "a map of 59049",
    )
    assert (len(found), found["..."]) == (21, "185 more")
    longest = seen(f"a.{'k' * 4000} == 1 || a.{'l' * 4000} == 2", a={"k" * 4000: "v" * 900, "l" * 4000: "w" * 900})
    assert len(json.dumps(longest)) < 1_000
    assert explain(parse("[b, c] == null"), {"b": [Opaque({"size": 5})], "c": {"t": {1, 2}}}) == {
        "b": ["a stored value of 5 bytes"],
        "c": "the value holds a value of the unsupported type set",
    }


def test_a_look_keeps_what_it_saw_also_when_the_condition_fails() -> None:
    failed = look("params.kind > params.n", SCOPE, "if")
    assert failed.error is not None
    assert failed.to_json() == {
        "expression": "params.kind > params.n",
        "result": None,
        "values": {"params.kind": "small", "params.n": 3},
    }
    assert look("params.kind", SCOPE, "if").values == {"params.kind": "small"}


def test_the_sentence_of_a_look_is_short_and_in_the_language_of_the_definition() -> None:
    wide = " && ".join(f"f.x{n} == '{'y' * 150}'" for n in range(40))
    seen = look(wide, {"f": {f"x{n}": "y" * 150 for n in range(40)}}, "if")
    assert seen.result is True
    assert len(seen.sentence()) < 2_000
    assert seen.sentence().endswith(", ...)")
    text = "params.none == null && params.kind == 'small' && params.n == 3"
    assert look(text, SCOPE, "if").sentence() == f'`{text}` (params.none = null, params.kind = "small", params.n = 3)'
