"""Expressions against the reference implementation of CEL: the same value, or both an error.

The language is a subset of CEL, but for these deliberate differences; the generator below makes no expression in which
one of them could show, and excludes nothing else. What CEL has and the language has not (bytes, uint, hexadecimal
numbers, comments, `dyn`, `type`, `exists_one`, macros over maps ...) is refused when it is read.

| expression | CEL | here | because |
|---|---|---|---|
| `1 + 0.5`, also `- * /` | error | 1.5 | JSON writes a number as 1 or 1.0 at will |
| `1.0 / 0.0`, `1e308 * 10.0` | infinite | error | JSON cannot hold it |
| `double('inf')`, `double('nan')` | infinite, nan | error | JSON cannot hold it |
| `double(' 1')`, `int(' 1')`, `double('0x1')` | 1 | error | C++'s habits, not in CEL's specification |
| `int(true)` | 1 | error | not in CEL's specification |
| `a?.b` | syntax error | null for null and missing | outputs of skipped steps are null |
| `has(m.k)` where `m.k` is null | true | false | a null output is no output |
| `has(m.k.l)` where `m.k` is null or missing | error | false | one guard for the whole path |
| `{1: 2}`, `m[1]` | by int keys | error | JSON's keys are text |
| `null in m` for a map | error | false | equal to what `1 in m` is |
| `string(1.0)`, `string(duration('1.5s'))` | `1`, `1.500s` | `1.0`, `1.5s` | text is made as JSON is written |
| `int(duration('1s'))`, `double(timestamp(1))`, `timestamp(0.5)` | error | seconds | arithmetic on times |
| `-duration('1s')` | error | `-1s` | arithmetic on times |
| fractions of a microsecond | kept | cut off, or refused | times are whole microseconds |
| `timestamp('2016-12-31T23:59:60Z')` | the next second | error | Python knows no leap seconds |
| `2^53 + 1 == 9007199254740992.0` | true | false | compared exactly, not as doubles |
| `-9223372036854775808 % -1` | error | 0 | the rest is 0 |
| `int(-9223372036854775808.0)` | error | the int | it fits |
| `''.split('')` | `['']` in C++ | `[]` | as CEL's implementation in Go |
| `a ? b ? 1 : 2 : 3`, `m.in`, `m.true` | syntax error | read | nothing else could be meant |
"""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cel_expr_python import cel
from cel_expr_python.ext.ext_strings import ExtStrings
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workflows.test_expressions_properties import PATTERNS
from workflows.expressions import ExpressionError, parse
from workflows.expressions.evaluator import Evaluation
from workflows.expressions.tree import Literal
from workflows.expressions.unparse import unparse
from workflows.expressions.values import Duration, Timestamp

NAMES = ("i", "j", "d", "s", "t", "flag", "ints", "texts", "mixed", "m")
ENVIRONMENT = cel.NewEnv(variables=dict.fromkeys(NAMES, cel.Type.DYN), extensions=[ExtStrings()])
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)

LARGE = st.sampled_from([0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)])
SMALL_DOUBLES = st.sampled_from([0.5, 1.0, -2.25, 3.0, 1e6, 0.001])
TEXT = st.text(alphabet=st.sampled_from("abcAB ,-1é\U0001f600'\"\\\n\t"), max_size=6)
SCOPES = st.fixed_dictionaries(
    {
        "i": st.integers(-10, 10) | LARGE,
        "j": st.integers(1, 10),
        "d": SMALL_DOUBLES,
        "s": TEXT,
        "t": st.sampled_from(["a", "42", "-7", "true", "1.5", "2025-01-31T06:00:00Z", "1h30m"]),
        "flag": st.booleans(),
        "ints": st.lists(st.integers(-3, 3), max_size=4),
        "texts": st.lists(TEXT, max_size=3),
        "mixed": st.lists(st.none() | st.booleans() | st.integers(-2, 2) | SMALL_DOUBLES | TEXT, max_size=4),
        "m": st.fixed_dictionaries({"n": st.integers(-5, 5), "s": TEXT, "l": st.lists(st.integers(0, 3), max_size=3)}),
    }
)


def literal(value: Any) -> str:
    return unparse(Literal(value))


SEPARATORS = st.text(alphabet=st.sampled_from("abcAB ,-1é"), min_size=1, max_size=2).map(literal)


def row(first: st.SearchStrategy[str], operators: list[str], most: int = 3) -> st.SearchStrategy[str]:
    """Return operands with operators between them and no parentheses, so that precedence decides."""
    more = st.lists(st.tuples(st.sampled_from(operators), first), min_size=1, max_size=most - 1)
    return st.builds(lambda one, rest: one + "".join(f" {sign} {other}" for sign, other in rest), first, more)


def inside(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return parts.map("({})".format)


class Grammar:
    """Expressions by the kind of their value, one level deeper than `below`."""

    def __init__(self, below: Grammar | None) -> None:
        self.ints = st.integers(0, 9).map(str) | LARGE.map(literal) | st.sampled_from(["i", "j", "m.n", "m['n']"])
        self.doubles = SMALL_DOUBLES.map(literal) | st.just("d")
        self.strings = TEXT.map(literal) | st.sampled_from(["s", "t", "m.s"])
        self.bools = st.sampled_from(["true", "false", "flag"])
        self.lists = st.sampled_from(["ints", "texts", "mixed", "m.l", "[]"])
        self.times = st.sampled_from(["timestamp('2025-01-31T06:00:00Z')", "timestamp(j)", "timestamp(t)"])
        self.spans = st.sampled_from(["duration('1h30m')", "duration('-90s')", "duration(t)", "duration('0')"])
        if below is not None:
            self.deepen(below)
        values = (self.ints, self.doubles, self.strings, self.bools, self.lists, self.times, self.spans)
        self.any = st.one_of(*values, st.just("null"), st.just("m"), self.wrong())

    def deepen(self, below: Grammar) -> None:
        ints, strings, lists, bools = map(inside, (below.ints, below.strings, below.lists, below.bools))
        anything = inside(below.any)
        self.ints |= st.one_of(
            row(ints, ["+", "-", "*", "/"]),
            st.builds("{} % {}".format, ints, st.integers(0, 5).map(str)),
            st.builds("{}({})".format, st.just("-"), ints),
            st.builds("size({})".format, strings | lists),
            st.builds("{}.size()".format, strings | lists),
            st.builds("int({})".format, strings | ints | inside(below.doubles) | inside(below.times)),
            st.builds("ints[{}]".format, ints),
            st.builds("({} ? {} : {})".format, bools, ints, ints),
        )
        doubles = inside(below.doubles)
        self.doubles |= row(doubles, ["+", "-", "*"]) | st.builds("double({})".format, st.just("j") | doubles)
        self.doubles |= st.builds("{} / {}".format, doubles, st.sampled_from(["2.0", "-0.5"]))
        self.strings |= st.one_of(
            row(strings, ["+"]),
            st.builds("{}.{}()".format, strings, st.sampled_from(["lowerAscii", "upperAscii"])),
            st.builds("{}.replace({}, {})".format, strings, strings, strings),
            st.builds("{}.replace({}, {}, {})".format, strings, strings, strings, st.integers(-1, 3)),
            st.builds("{}.join({})".format, lists, strings) | st.builds("{}.join()".format, lists),
            st.builds("string({})".format, strings | ints | bools),
            st.builds("{}.split({})[{}]".format, strings, SEPARATORS, st.integers(0, 2)),
        )
        numbers = ints | doubles
        times, spans = inside(below.times), inside(below.spans)
        order = st.sampled_from(["<", "<=", ">", ">="])
        self.bools |= st.one_of(
            row(bools | anything, ["&&", "||"]),
            st.builds("!{}".format, bools),
            st.builds("{} {} {}".format, st.just("j") | doubles, order, st.just("j") | doubles),
            st.builds("{} {} {}".format, ints, order, ints),
            st.builds("{} {} {}".format, strings, order, strings),
            st.builds("{} {} {}".format, times, order, times) | st.builds("{} {} {}".format, spans, order, spans),
            st.builds("{} {} {}".format, anything, st.sampled_from(["==", "!="]), anything),
            st.builds("{} in {}".format, anything, lists) | st.builds("{} in m".format, strings | ints),
            st.builds("{}.{}({})".format, strings, st.sampled_from(["startsWith", "endsWith", "contains"]), strings),
            st.builds("{}.matches(r'{}')".format, strings, PATTERNS),
            st.builds("{}.{}(x, {})".format, lists, st.sampled_from(["all", "exists"]), self.body(anything)),
            st.builds("has(m.{})".format, st.sampled_from(["n", "s", "nothing"])),
            st.builds("bool({})".format, strings | bools),
            st.builds("({} ? {} : {})".format, bools, bools, anything),
            st.builds("{} == {}".format, numbers, ints),
        )
        self.lists |= st.one_of(
            st.lists(anything, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
            row(lists, ["+"]),
            st.builds("{}.split({})".format, strings, SEPARATORS),
            st.builds("{}.split({}, {})".format, strings, SEPARATORS, st.integers(-1, 3)),
            st.builds("(s + '.').split('', {})".format, st.integers(-1, 3)),
            st.builds("{}.{}(x, {})".format, lists, st.sampled_from(["map", "filter"]), self.body(anything)),
            st.builds("{{'k': {}, 'l': {}}}.l".format, anything, lists),
        )
        self.times |= st.builds("{} {} {}".format, times, st.sampled_from(["+", "-"]), spans)
        self.spans |= row(spans, ["+", "-"]) | st.builds("{} - {}".format, times, times)

    def body(self, anything: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        """Return what a macro does with its variable `x`."""
        own = ["x", "x == 1", "x > 0", "x != 'a'", "x in [1, 'a', null]", "string(x) == '1'", "x == j", "[x]", "!x"]
        return st.sampled_from(own) | anything

    def wrong(self) -> st.SearchStrategy[str]:
        """Return what is an error, or only looks like one."""
        texts = ["i + s", "s - s", "!i", "-s", "size(i)", "ints.startsWith('a')", "m.nothing", "ints[99]", "ints[-1]"]
        texts += ["i / 0", "i % 0", "nowhere", "nowhere.x", "m[i]", "s[0]", "i.x", "null.x", "ints < ints", "m + m"]
        texts += ["9223372036854775807 + j", "int('x')", "bool('yes')", "timestamp('never')", "duration('3 days')"]
        texts += ["'a'.matches('(')", "i ? 1 : 2", "flag && i", "i || flag", "null < 1", "flag < flag", "1 in s"]
        texts += ["mixed[0]", "mixed.map(x, x)", "ints.map(x, x / i)", "texts.join(i)", "i.size()", "[1] in m.l"]
        return st.sampled_from(texts)


GRAMMAR = Grammar(Grammar(Grammar(Grammar(None))))


def plain(value: Any) -> Any:
    """Return a value of either side in one form, with its kind."""
    match value:
        case Timestamp(microseconds):
            return "timestamp", microseconds
        case Duration(microseconds):
            return "duration", microseconds
        case datetime.datetime():
            return "timestamp", (value - _EPOCH) // _MICROSECOND
        case datetime.timedelta():
            return "duration", value // _MICROSECOND
        case list():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
    return type(value).__name__, value


def here(text: str, scope: dict[str, Any]) -> Any:
    try:
        return plain(Evaluation(text, scope).value(parse(text).tree))
    except ExpressionError:
        return "error"


def there(text: str, scope: dict[str, Any]) -> Any:
    try:
        value = ENVIRONMENT.compile(text, disable_check=True).eval(data=scope)
    except RuntimeError:
        return "error"
    return "error" if value.type() == cel.Type.ERROR else plain(value.plain_value())


@settings(max_examples=300, deadline=None)
@given(GRAMMAR.any, SCOPES)
def test_an_expression_has_the_value_that_cel_gives_or_both_refuse(text: str, scope: dict[str, Any]) -> None:
    assert here(text, scope) == there(text, scope)


@pytest.mark.parametrize(
    ("text", "theirs", "ours"),
    [
        ("1 + 0.5", "error", ("float", 1.5)),
        ("1.0 / 0.0", ("float", float("inf")), "error"),
        ("int(true)", ("int", 1), "error"),
        ("double(' 1')", ("float", 1.0), "error"),
        ("m?.n", "error", ("int", 1)),
        ("has(m.none)", ("bool", True), ("bool", False)),
        ("has(m.none.x)", "error", ("bool", False)),
        ("{1: 2}[1]", ("int", 2), "error"),
        ("null in m", "error", ("bool", False)),
        ("string(1.0)", ("str", "1"), ("str", "1.0")),
        ("int(duration('1s'))", "error", ("int", 1)),
        ("-duration('1s')", "error", ("duration", -1_000_000)),
        ("duration('1ns') == duration('0')", ("bool", False), "error"),
        ("9007199254740993 == 9007199254740992.0", ("bool", True), ("bool", False)),
        ("-9223372036854775808 % -1", "error", ("int", 0)),
        ("''.split('')", [("str", "")], []),
        ("true ? false ? 1 : 2 : 3", "error", ("int", 2)),
    ],
)
def test_the_differences_are_those_of_the_table(text: str, theirs: Any, ours: Any) -> None:
    scope = {"m": {"n": 1, "none": None}}
    assert (there(text, scope), here(text, scope)) == (theirs, ours)
