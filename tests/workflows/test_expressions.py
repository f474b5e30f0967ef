from __future__ import annotations

import time
from typing import Any

import pytest

from workflows.expressions import ExpressionError, Opaque, evaluate, parse, text_of

SCOPE: dict[str, Any] = {
    "params": {"min": 0.9, "n": 3, "grid": [{"depth": 4}, {"depth": 8}], "name": "digits", "none": None},
    "steps": {
        "check": {"output": {"quality": "good"}, "status": "succeeded"},
        "skipped": {"output": None, "status": "skipped"},
        "big": {"output": Opaque({"$segue": "json", "key": "k", "size": 99999})},
        "my-step": {"output": [1, 2]},
    },
    "huge": 2**70,
}


def value(text: str) -> Any:
    return evaluate(parse(text), SCOPE)


def failure(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        value(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 3 - 2", 5),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7.0 / 2", 3.5),
        ("1 + 0.5", 1.5),
        ("-9223372036854775808", -(2**63)),
        ("true || false && false", True),
        ("!false && true", True),
        ("1 < 2 == true", True),
        ("'a' + \"b\"", "ab"),
        ("[1] + [2]", [1, 2]),
        ("params.n > 2 ? 'many' : 'few'", "many"),
        ("false ? 1 : false ? 2 : 3", 3),
        ("2 in [1, 2.0]", True),
        ("'quality' in steps.check.output", True),
        ("steps['my-step'].output[1]", 2),
        ("params.grid[1.0].depth", 8),
        ("{'a': [1, {'b': null}]}", {"a": [1, {"b": None}]}),
        (r"'\u00e9\n\x41\'' + r'\d'", "é\nA'\\d"),
        ("1 == 1.0", True),
        ("1 == true", False),
        ("null == null", True),
        ("[1, {'a': 2}] == [1.0, {'a': 2}]", True),
        ("[1] == [1, 2]", False),
        ("{'a': 1} == {'b': 1}", False),
        ("'1' == 1", False),
        ("'a' < 'b' && false < true", True),
        ("huge > 1 && huge == huge", True),
    ],
)
def test_operators_give_the_value_of_the_language_page(text: str, expected: Any) -> None:
    result = value(text)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size('äö')", 2),
        ("params.grid.size()", 2),
        ("string(1.5) + string(true) + string(7)", "1.5true7"),
        ("int('42') + int(1.9) + int(-1.9)", 42),
        ("double('1e3')", 1000.0),
        ("bool('true') && bool('1') && bool('t') && !bool('0') && !bool('FALSE')", True),
        ("'abc'.startsWith('a') && 'abc'.endsWith('c') && 'abc'.contains('b')", True),
        ("'aBcÄ'.lowerAscii() + 'aBcä'.upperAscii()", "abcÄABCä"),
        ("'a,b,c'.split(',')", ["a", "b", "c"]),
        ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
        ("'abc'.split('', 2)", ["a", "bc"]),
        ("['a', 'b'].join('-') + ['c'].join()", "a-bc"),
        ("'aaa'.replace('a', 'b', 2)", "bba"),
        ("'train-42'.matches('^[a-z]+-[0-9]{2}$')", True),
        ("params.grid.map(g, g.depth * 2)", [8, 16]),
        ("params.grid.filter(g, g.depth > 4)", [{"depth": 8}]),
        ("params.grid.all(g, g.depth > 4) || params.grid.exists(g, g.depth > 4)", True),
        ("[].all(x, false) && ![].exists(x, true)", True),
        ("[1, 2].map(x, [10].map(y, x + y))", [[11], [12]]),
        ("timestamp('2025-01-31T23:30:00+01:00') + duration('1h30m')", "2025-02-01T00:00:00Z"),
        ("timestamp('2025-01-02T00:00:00Z') - timestamp('2025-01-01T00:00:00Z') == duration('24h')", True),
        ("string(duration('-1.5s'))", "-1.5s"),
        ("int(timestamp('1970-01-01T00:01:00.5Z'))", 60),
        ("timestamp(60)", "1970-01-01T00:01:00Z"),
        ("timestamp(timestamp(60))", "1970-01-01T00:01:00Z"),
        ("duration('+.5h') + duration('0') + duration(duration('1.s'))", "1801s"),
    ],
)
def test_functions_give_the_value_of_the_language_page(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("1 +", "expected a value, found end", 3),
        ("a = 1", 'unexpected "="; equality is "=="', 2),
        ("1 2", 'unexpected "2" after the expression', 2),
        ("'abc", "the text is not closed", 0),
        ("foo(1)", "there is no function foo()", 0),
        ("'a'.trim()", "there is no method trim()", 3),
        ("size(1, 2)", "size() takes 1 argument, 2 given", 0),
        ("[1].map(1, 2)", "map() takes a variable and an expression", 3),
        ("has(params)", "has() takes one path", 0),
        ("for", 'found the reserved word "for"', 0),
        ("9223372036854775808", "does not fit in 64 bits", 0),
        ("007", "starts with a zero", 0),
        (r"'\q'", "unknown escape", 1),
        (r"'\ud800'", "half of a surrogate pair", 0),
        ("", "the expression is empty", 0),
        ("a.b.", 'expected a key after "."', 4),
        ("\x00", "unexpected character", 0),
        ("a" * 9000, "longer than 8192 characters", 8192),
        ("(" * 500 + "1" + ")" * 500, "more than 100 levels", 100),
        ("1" + "+1" * 500, "more than 100 levels", 0),
        ("'" + "\x01" * 3000 + "'", "in canonical form", 0),
    ],
)
def test_what_is_not_of_the_language_is_refused_with_its_place(text: str, message: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in caught.value.message
    assert (caught.value.offset, caught.value.text) == (offset, text)


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("1 + 'a'", '"+" does not take an int and a string; string() makes', 2),
        ("null + 1", '"+" does not take null and an int', 5),
        ("null < 1", '"<": null and an int have no order', 5),
        ("1 && true", '"&&" takes a bool, not an int', 2),
        ("!null", '"!" takes a bool, not null', 0),
        ("1 / 0", "division by zero", 2),
        ("1.0 / 0.0", "division by zero", 4),
        ("1e308 * 10.0", "too large for a double", 6),
        ("9223372036854775807 + 1", "integer overflow", 20),
        ("-(-9223372036854775808)", "integer overflow", 0),
        ("1.5 % 2", '"%" takes ints', 4),
        ("nowhere.x", 'there is no "nowhere" here', 0),
        ("steps.check.output.qualty", 'has no key "qualty"; it has "quality"', 18),
        ("steps.skipped.output.x", "steps.skipped.output is null", 20),
        ("params.name.x", 'params.name is a string: it has no key "x"', 11),
        ("params.grid[2]", "params.grid has 2 items", 11),
        ("params.grid[-1]", "params.grid has 2 items", 11),
        ("params.grid['x']", "a list's index is an int, not a string", 11),
        ("'a' in 'abc'", "for a part of a string there is contains()", 4),
        ("{'a': 1, 'a': 2}", "is there twice", 9),
        ("{1: 1}", "keys are strings", 1),
        ("'x'.matches('(')", "is not closed", 3),
        (r"'x'.matches(r'(a)\1')", "is not supported", 3),
        ("int('abc')", "int() cannot convert the string 'abc'", 0),
        ("string(null)", "string() takes", 0),
        ("timestamp('2025-02-30T00:00:00Z')", "is not a timestamp", 0),
        ("duration('3 days')", "is not a duration", 0),
        ("timestamp(1e300)", "outside the years", 0),
        ("params.name.map(x, x)", "works on a list, not on a string", 11),
    ],
)
def test_null_and_type_errors_are_errors_with_their_place(text: str, message: str, offset: int) -> None:
    error = failure(text)
    assert message in error.message
    assert (error.offset, error.text) == (offset, text)


def test_and_and_or_absorb_an_error_that_the_other_side_decides() -> None:
    assert value("nowhere.x && false") is False
    assert value("false && nowhere.x") is False
    assert value("nowhere.x || true") is True
    assert value("[1, 'a'].exists(x, x > 'A')") is True
    assert value("[0, 'a'].all(x, x > 1)") is False
    assert "there is no" in failure("nowhere.x && true").message
    assert "no order" in failure("[2, 'a'].all(x, x > 1)").message


def test_guards_make_reading_through_null_safe() -> None:
    assert value("has(steps.skipped.output.x)") is False
    assert value("has(steps.skipped.output)") is False
    assert value("has(params.none) || has(params.nowhere.x) || has(params.grid[7].depth)") is False
    assert value("has(steps.check.output.quality) && has(params.grid[0])") is True
    assert value("steps.skipped.output?.x == null && params?.nowhere == null") is True
    assert "is null" in failure("steps.skipped.output?.x.y").message


def test_stored_values_can_be_passed_on_but_not_read() -> None:
    marker = {"$segue": "json", "key": "k", "size": 99999}
    assert value("steps.big.output") == marker
    assert value("[steps.big.output, 1]") == [marker, 1]
    assert value("steps.big.output != null && has(steps.big.output)") is True
    for text in ("steps.big.output.x", "steps.big.output == 1", "size(steps.big.output)", "1 in steps.big.output"):
        assert "kept in the object store" in failure(text).message
    with pytest.raises(ExpressionError, match="kept in the object store"):
        text_of(parse("[steps.big.output]"), SCOPE)


@pytest.mark.parametrize(
    "text",
    [
        "[[0]]" + ".map(a, [a, a])" * 40,
        "[[0, 0, 0, 0]]" + ".map(a, a + a)" * 40,
        "['" + "x" * 1000 + "']" + ".map(a, a + a)" * 30,
        "('" + "a" * 2000 + "').split('')" + ".map(x, ('" + "a" * 2000 + "').split('').map(y, y))",
        "[1].map(a, params.long.map(x, params.long.map(y, 1)))",
        "'a'.replace('a', params.text).replace('a', params.text).replace('a', params.text)",
        "params.text.matches('" + "(a?){20}" * 20 + "b')",
        "params.text.replace('a', 'aaaaaaaaaaaaaaaaaa').matches('(^?){400}b')",
        r"params.text.replace('a', 'aaaaaaaaaaaaaaaaaa').matches(r'(\b?){400}b')",
        "params.text.replace('a', '\u0100').matches('[" + "".join(chr(256 + 3 * n) for n in range(900)) + "]{1000}b')",
    ],
)
def test_no_expression_takes_much_time_or_memory(text: str) -> None:
    scope = {"params": {"long": list(range(1000)), "text": "a" * 5000}}
    start = time.process_time()
    with pytest.raises(ExpressionError, match=r"takes more than|builds a"):
        evaluate(parse(text), scope)
    assert time.process_time() - start < 5


def test_a_budget_is_not_absorbed() -> None:
    with pytest.raises(ExpressionError, match="takes more than"):
        evaluate(parse("a.map(x, a.map(y, 1)) == [] || true"), {"a": list(range(1000))})


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a&&b||!c", "a && b || !c"),
        ("((a))+(b*c)", "a + b * c"),
        ("(a+b)*c", "(a + b) * c"),
        ("a-(b-c)", "a - (b - c)"),
        ("(a?b:c)?(d?1:2):e?3:4", "(a ? b : c) ? (d ? 1 : 2) : e ? 3 : 4"),
        ('"it\'s"', r"'it\'s'"),
        ("a['b']", "a['b']"),
        ("-(1)+ - 2.50", "-1 + -2.5"),
        ("--1", "-(-1)"),
        ("-a.b", "-a.b"),
        ("(-1).b", "(-1).b"),
        ("x.size( )", "size(x)"),
        ("has( a . b )", "has(a.b)"),
        ("a ?. b", "a?.b"),
        ("[1,]", "[1]"),
        ("x.filter(y,y>1)", "x.filter(y, y > 1)"),
        ("{'a':1}", "{'a': 1}"),
        ("'\u200b\u00e9\x7f'", r"'\u200bé\u007f'"),
    ],
)
def test_canonical_text_has_one_spelling(text: str, canonical: str) -> None:
    expression = parse(text)
    assert expression.text == canonical
    assert parse(canonical) == expression
    assert parse(canonical).tree == expression.tree


def test_references_are_the_fixed_paths_from_a_root() -> None:
    text = "steps.a.output.x[0].y + steps['b-c'].output.map(i, i.z + params[params.key].q) + f?.g"
    assert parse(text).references() == {
        ("steps", "a", "output", "x"),
        ("steps", "b-c", "output"),
        ("params",),
        ("params", "key"),
        ("f", "g"),
    }
    assert parse("a + b.c").places() == [(("a",), 0), (("b", "c"), 4)]
