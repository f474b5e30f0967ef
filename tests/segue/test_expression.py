"""Expressions written as Python objects become the text that YAML would have."""

from __future__ import annotations

from typing import Any

import pytest

from segue import InvalidDefinition, event, expr, has, params, response, run, size, vars
from segue.expression import Expression, resolve, step_expression, text_of
from workflows.expressions import parse


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (params.grid, "params.grid"),
        (params["min rows"], "params['min rows']"),
        (params["in"], "params['in']"),
        (params.grid[0].depth, "params.grid[0].depth"),
        (params.grid[params.index], "params.grid[params.index]"),
        (vars.URL + "/builds", "vars.URL + '/builds'"),
        ("a" + run.id, "'a' + run.id"),
        (params.a == "it's", "params.a == 'it\\'s'"),
        (params.a == "\n\\", "params.a == '\\n\\\\'"),
        (params.a == True, "params.a == true"),  # noqa: E712
        (params.a == None, "params.a == null"),  # noqa: E711
        (params.a != [1, "b"], "params.a != [1, 'b']"),
        (params.a < 1.5, "params.a < 1.5"),
        (1 < params.a, "params.a > 1"),  # noqa: SIM300
        ((params.a == 1) & (params.b > 2), "params.a == 1 && params.b > 2"),
        ((params.a | params.b) & params.c, "(params.a || params.b) && params.c"),
        (params.a | params.b & params.c, "params.a || params.b && params.c"),
        (~(params.a == 1), "!(params.a == 1)"),
        (~params.a, "!params.a"),
        (-params.a, "-params.a"),
        ((params.a + 1) * 2, "(params.a + 1) * 2"),
        (params.a - (params.b - 1), "params.a - (params.b - 1)"),
        (params.a - params.b - 1, "params.a - params.b - 1"),
        (10 / params.a % 3, "10 / params.a % 3"),
        ((params.a == 1) == params.b, "(params.a == 1) == params.b"),
        (params.a.in_(["x", "y"]), "params.a in ['x', 'y']"),
        (params.name.startsWith("x"), "params.name.startsWith('x')"),
        (has(params.a), "has(params.a)"),
        (size(params.grid) > 2, "size(params.grid) > 2"),
        (response.json.state != "running", "response.json.state != 'running'"),
        (event.rows > 500, "event.rows > 500"),
        (expr("${{ a || b }}") & params.c, "(a || b) && params.c"),
        ((params.a + params.b).size(), "(params.a + params.b).size()"),
    ],
)
def test_an_expression_has_the_text_that_means_the_same(expression: Expression, text: str) -> None:
    assert text_of(expression) == text
    assert str(expression) == f"${{{{ {text} }}}}"
    parse(text)  # and the language understands it


def test_an_expression_can_stand_in_an_f_string() -> None:
    assert f"{vars.URL}/builds/{run.id}" == "${{ vars.URL }}/builds/${{ run.id }}"


def test_the_output_of_a_step_gets_its_id_late_and_is_called_output_on_its_own_edge() -> None:
    ids = {7: "check_data", 70: "other-step"}
    text = f"{step_expression(7).output.quality == 'good'} {step_expression(70).output.n}"
    assert resolve(text, ids) == "${{ steps.check_data.output.quality == 'good' }} ${{ steps['other-step'].output.n }}"
    assert resolve(text, ids, edge_from=7).startswith("${{ output.quality == 'good' }}")
    assert resolve(text, ids, edge_from=70).startswith("${{ steps.check_data.output.quality")


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: bool(params.a),
        lambda: params.a and params.b,
        lambda: 0 < params.a < 3,
        lambda: not params.a,
        lambda: "x" in params.a,
        lambda: list(params.a),
        lambda: len(params.a),
        lambda: f"{params.a:>10}",
        lambda: params.a == {"no": "literal"},
        lambda: params.a == float("nan"),
        lambda: params.a + object(),
    ],
)
def test_asking_for_a_value_too_early_names_the_line(misuse: Any) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        misuse()
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.file == __file__
    assert diagnostic.line == misuse.__code__.co_firstlineno


def test_an_expression_is_hashable_and_has_no_magic_attributes() -> None:
    assert len({params.a, params.b}) == 2
    assert not hasattr(params, "__len_hint__")
