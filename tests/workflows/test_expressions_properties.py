from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from workflows.expressions import ExpressionError, evaluate, explain, parse, pattern_matches, text_of
from workflows.expressions.limits import MAX_DEPTH
from workflows.expressions.parser import _parsed, _plain_path

NAMES = st.sampled_from(["a", "b", "params", "steps", "x"])
OPERATORS = ["&&", "||", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "in"]
SYMBOLS = [*OPERATORS, ".", "?.", "[", "]", "(", ")", "{", "}", ",", ":", "?", "!"]
VALUE_WORDS = ["a", "b", "x", "params", "null", "true", "1", "0", "2.5", "1e308", "9223372036854775807", "'t'", "'1h'"]
CALLS = ["has(", "size(", "string(", "int(", "double(", "bool(", "timestamp(", "duration("]
METHODS = [".map(x,", ".filter(x,", ".all(x,", ".exists(x,", ".matches(", ".split(", ".join(", ".replace("]
WORDS = st.sampled_from([*SYMBOLS, *VALUE_WORDS, *CALLS, *METHODS, "'2025-01-01T00:00:00Z'", "'(a|b)*'"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
LITERALS = st.sampled_from(
    ["null", "true", "false", "0", "7", "2.5", "1e300", "'text'", "'2'", r"'\n\''", "-3", "-0.0"]
)


def extended(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.sampled_from(OPERATORS)
    return st.one_of(
        st.builds("({}) {} ({})".format, inner, binary, inner),
        st.builds("{} {} {}".format, inner, binary, inner),
        st.builds("({}) ? ({}) : {}".format, inner, inner, inner),
        st.builds("{}({})".format, st.sampled_from(["-", "!", "size", "string", "int", "double", "bool"]), inner),
        st.builds("({}){}{}".format, inner, st.sampled_from([".", "?."]), NAMES),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("has(({}).{})".format, inner, NAMES),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{'k': {}, 'l': {}}}".format, inner, inner),
        st.builds("({}).{}(x, {})".format, inner, st.sampled_from(["map", "filter", "all", "exists"]), inner),
        st.builds("({}).{}({})".format, inner, st.sampled_from(["contains", "matches", "split", "join"]), inner),
    )


EXPRESSIONS = st.recursive(LITERALS | NAMES, extended, max_leaves=12)


def error_of(function: Callable[..., Any], *arguments: Any) -> ExpressionError | None:
    """Call a function that may raise `ExpressionError` and nothing else."""
    try:
        function(*arguments)
    except ExpressionError as error:
        return error
    return None


def check_total(text: str, scope: dict[str, Any]) -> None:
    unreadable = error_of(parse, text)
    if unreadable is not None:
        assert 0 <= unreadable.offset <= len(text)
        return
    expression = parse(text)
    assert parse(expression.text).tree == expression.tree
    assert parse(expression.text).text == expression.text
    explain(expression, scope)
    for error in (error_of(evaluate, expression, scope), error_of(text_of, expression, scope)):
        assert error is None or (0 <= error.offset <= len(text) and error.text == text)


@given(st.text(max_size=60), st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_text_is_a_value_or_an_expression_error(text: str, scope: dict[str, Any]) -> None:
    check_total(text, scope)


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=25).map(" ".join), st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_row_of_tokens_is_a_value_or_an_expression_error(text: str, scope: dict[str, Any]) -> None:
    check_total(text, scope)


@settings(max_examples=300)
@given(EXPRESSIONS, st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_expression_keeps_tree_and_value_in_canonical_form(text: str, scope: dict[str, Any]) -> None:
    check_total(text, scope)
    canonical = parse(text).text
    assert outcome(text, scope) == outcome(canonical, scope)


def outcome(text: str, scope: dict[str, Any]) -> str:
    try:
        return repr(evaluate(parse(text), scope))
    except ExpressionError as error:
        return error.message


PATTERNS = st.recursive(
    st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", r"\d", r"\W", r"\.", "^", "$", r"\b", "[a-c-]"]),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("({}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])),
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(PATTERNS, st.text(alphabet="abc.-1\n ", max_size=10))
def test_a_pattern_matches_what_the_standard_library_says(pattern: str, text: str) -> None:
    # Python's `$` also matches before a last newline; ours, like RE2's, does not.
    reference = re.compile(pattern.replace("$", r"\Z"), re.ASCII)
    assert pattern_matches(pattern, text) is (reference.search(text) is not None)


@given(st.text(alphabet="ab()[]{}*+?|^$.\\-,0123dwsbB:", max_size=30), st.text(alphabet="ab1\n", max_size=30))
def test_any_pattern_gives_an_answer_or_an_expression_error(pattern: str, text: str) -> None:
    error = error_of(pattern_matches, pattern, text)
    assert error is None or error.message


@given(st.lists(st.sampled_from(["steps", "a", "in", "true", "null", "_x", "r", "size", "1", "", "e1"]), max_size=5))
@example(["a"] * (MAX_DEPTH + 1))
def test_a_plain_path_is_the_tree_that_the_grammar_gives(names: list[str]) -> None:
    text = f" {'.'.join(names)}\n"
    plain = _plain_path(text)
    if plain is not None:
        assert repr(plain) == repr(_parsed(text))
    elif names and names[0] in ("steps", "a", "_x", "r", "size", "e1") and {"1", ""}.isdisjoint(names):
        assert len(names) > MAX_DEPTH
