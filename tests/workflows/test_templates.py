from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.expressions import ExpressionError, Opaque
from workflows.templates import canonical, expressions_in, references, render

SCOPE: dict[str, Any] = {"n": 5, "items": [1, None, "é"], "text": "a b", "big": Opaque({"$segue": "json", "key": "k"})}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("${{ n }}", 5),
        ("${{ items }}", [1, None, "é"]),
        (" ${{ n }}", " 5"),
        ("${{ n }}\n", "5\n"),
        ("n=${{ n }}, items=${{ items }}, ${{ text }}", 'n=5, items=[1,null,"é"], a b'),
        ("${{ n > 3 }}${{ null }}", "truenull"),
        ("plain }} text $ {{", "plain }} text $ {{"),
        ("${{ '}}' }}", "}}"),
        ("${{ '${{' }} n }}", "${{ n }}"),
        ('${{ "it\\"s }}" }}', 'it"s }}'),
        ("${{ r'\\' }}x", "\\x"),
        ("${{ {'a': {'b': n}} }}", {"a": {"b": 5}}),
        ("${{ {'a': {'b': n}}}}", {"a": {"b": 5}}),
        ({"a": ["${{ n }}", 1, None], "${{ n }}": True}, {"a": [5, 1, None], "${{ n }}": True}),
        ("${{ big }}", {"$segue": "json", "key": "k"}),
    ],
)
def test_templates_are_rendered(template: Any, expected: Any) -> None:
    assert render(template, SCOPE) == expected


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("${{ n", '"${{" is not closed by "}}"'),
        ("${{ 'n }}", "the text is not closed"),
        ("${{ }}", "the expression is empty"),
        ("x ${{ big }}", "kept in the object store"),
        ("x ${{ 1 / 0 }}", "division by zero"),
    ],
)
def test_what_cannot_be_rendered_is_an_expression_error(template: Any, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render({"deep": [template]}, SCOPE)
    assert message in caught.value.message


def test_a_template_that_is_too_deep_is_an_expression_error() -> None:
    deep: Any = "x"
    for _ in range(3000):
        deep = [deep]
    with pytest.raises(ExpressionError, match="levels"):
        render(deep, {})


def test_expressions_are_found_with_their_offsets() -> None:
    assert expressions_in("a ${{b}} ${{ '}}' }}") == [(5, "b"), (12, " '}}' ")]


def test_canonical_templates_keep_text_and_types() -> None:
    assert canonical({"a": ["x ${{a+b}}", 1], "b": "${{a}}"}) == {"a": ["x ${{ a + b }}", 1], "b": "${{ a }}"}
    assert canonical("${{{'a':1}}}") == "${{ {'a': 1} }}"


def test_references_of_a_template_are_those_of_its_expressions() -> None:
    template = {"a": "${{ steps.a.output.b[0].c }} and ${{ x.map(i, i.q + z.y) }}", "b": ["${{ n }}"]}
    assert references(template) == {("steps", "a", "output", "b"), ("x",), ("z", "y"), ("n",)}


@given(st.text(alphabet="${} 'n+\\\"r1\n", max_size=40))
def test_any_text_is_a_template_or_an_expression_error(text: str) -> None:
    try:
        normal = canonical(text)
    except ExpressionError:
        return
    assert canonical(normal) == normal
    assert outcome(normal) == outcome(text)


def outcome(text: str) -> str:
    try:
        return repr(render(text, SCOPE))
    except ExpressionError as error:
        return error.message
