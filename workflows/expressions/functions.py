"""The functions, methods and macros of the language: names, numbers of arguments, and what the first two do.

Each is pure and total: it returns a value, refuses with a `Fault`, or runs out of budget. Macros bind a variable, so
the evaluator itself carries them out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from workflows.expressions.errors import Fault
from workflows.expressions.patterns import compile_pattern
from workflows.expressions.times import parse_duration, parse_timestamp
from workflows.expressions.values import (
    Budget,
    Duration,
    Timestamp,
    Value,
    as_text,
    double,
    integer,
    is_number,
    readable,
    type_name,
)

MACROS = ("filter", "map", "all", "exists")

_INT = re.compile(r"[+-]?[0-9]{1,19}")
_DOUBLE = re.compile(r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?")
_BOOLS = dict.fromkeys(("true", "True", "TRUE", "t", "1"), True) | dict.fromkeys(
    ("false", "False", "FALSE", "f", "0"), False
)
_LOWER = {ord(upper): ord(upper) + 32 for upper in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_UPPER = {ord(lower): ord(lower) - 32 for lower in "abcdefghijklmnopqrstuvwxyz"}


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method: the numbers of arguments it takes (without a method's object), and what it does."""

    arity: tuple[int, ...]
    apply: Callable[..., Value]


def _size(budget: Budget, value: Value) -> int:
    if isinstance(readable(value), str | list | dict):
        return len(value)
    raise Fault(f"size() takes a string, a list or a map, not {type_name(value)}")


def _string(budget: Budget, value: Value) -> str:
    if isinstance(value, str | bool | int | float | Timestamp | Duration):
        return as_text(value)
    raise Fault(f"string() takes a string, a number, a bool or a time, not {type_name(readable(value))}")


def _int(budget: Budget, value: Value) -> int:
    match readable(value):
        case int() | float() if is_number(value):
            return integer(int(double(value)))
        case str() if _INT.fullmatch(value):
            return integer(int(value))
        case Timestamp(microseconds) | Duration(microseconds):
            return microseconds // 1_000_000
    raise _no_conversion("int", value)


def _double(budget: Budget, value: Value) -> float:
    match readable(value):
        case int() | float() if is_number(value):
            return _float(value)
        case str() if _DOUBLE.fullmatch(value):
            return double(float(value))
        case Timestamp(microseconds) | Duration(microseconds):
            return microseconds / 1_000_000
    raise _no_conversion("double", value)


def _float(value: int | float) -> float:
    try:
        return double(float(value))
    except OverflowError:
        raise Fault("the number is too large for a double") from None


def _bool(budget: Budget, value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _BOOLS:
        return _BOOLS[value]
    raise _no_conversion("bool", readable(value))


def _no_conversion(name: str, value: Value) -> Fault:
    shown = f"the string {value[:40]!a}" if isinstance(value, str) else type_name(value)
    return Fault(f"{name}() cannot convert {shown}")


def _timestamp(budget: Budget, value: Value) -> Timestamp:
    if isinstance(value, Timestamp):
        return value
    if isinstance(value, str) or is_number(value):
        return parse_timestamp(value)
    raise Fault(f"timestamp() takes a string or seconds since 1970, not {type_name(readable(value))}")


def _duration(budget: Budget, value: Value) -> Duration:
    if isinstance(value, Duration):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise Fault(f'duration() takes a string such as "1h30m", not {type_name(readable(value))}')


def _texts(name: str, *values: Value) -> None:
    for value in values:
        if not isinstance(readable(value), str):
            raise Fault(f"{name}() works on strings, not on {type_name(value)}")


def _search(name: str, find: Callable[[str, str], bool]) -> Callable[[Budget, Value, Value], bool]:
    def apply(budget: Budget, text: Value, part: Value) -> bool:
        _texts(name, text, part)
        budget.text(len(text))
        return find(text, part)

    return apply


def _matches(budget: Budget, text: Value, pattern: Value) -> bool:
    _texts("matches", text, pattern)
    return compile_pattern(pattern).search(text, budget.spend)


def _case(name: str, table: Mapping[int, int]) -> Callable[[Budget, Value], str]:
    def apply(budget: Budget, text: Value) -> str:
        _texts(name, text)
        budget.text(len(text))
        return str(text.translate(table))

    return apply


def _limit(name: str, value: Value) -> int:
    if type(value) is not int:
        raise Fault(f"{name}() takes an int as its limit, not {type_name(value)}")
    return value


def _split(budget: Budget, text: Value, separator: Value, limit: Value = -1) -> list[str]:
    _texts("split", text, separator)
    budget.text(len(text))
    count = _limit("split", limit)
    if count == 0:
        return []
    if separator:
        parts = text.split(separator, count - 1 if count > 0 else -1)
    else:
        single = len(text) if count < 0 else count - 1
        parts = [*text[:single], *([text[single:]] if text[single:] else [])]
    budget.spend(len(parts))
    built: list[str] = budget.built(parts)
    return built


def _join(budget: Budget, items: Value, separator: Value = "") -> str:
    if not isinstance(readable(items), list):
        raise Fault(f"join() works on a list of strings, not on {type_name(items)}")
    budget.spend(len(items))
    _texts("join", separator, *items)
    budget.text(sum(len(item) for item in items) + len(separator) * max(0, len(items) - 1))
    return str(separator.join(items))


def _replace(budget: Budget, text: Value, old: Value, new: Value, limit: Value = -1) -> str:
    _texts("replace", text, old, new)
    budget.text(len(text))
    count = _limit("replace", limit)
    found = text.count(old) if count < 0 else min(count, text.count(old))
    budget.text(len(text) + found * max(0, len(new) - len(old)))
    return str(text.replace(old, new, count if count >= 0 else -1))


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "size": Function((1,), _size),
        "string": Function((1,), _string),
        "int": Function((1,), _int),
        "double": Function((1,), _double),
        "bool": Function((1,), _bool),
        "timestamp": Function((1,), _timestamp),
        "duration": Function((1,), _duration),
    }
)
METHODS: Mapping[str, Function] = MappingProxyType(
    {
        "startsWith": Function((1,), _search("startsWith", str.startswith)),
        "endsWith": Function((1,), _search("endsWith", str.endswith)),
        "contains": Function((1,), _search("contains", str.__contains__)),
        "matches": Function((1,), _matches),
        "lowerAscii": Function((0,), _case("lowerAscii", _LOWER)),
        "upperAscii": Function((0,), _case("upperAscii", _UPPER)),
        "split": Function((1, 2), _split),
        "join": Function((0, 1), _join),
        "replace": Function((2, 3), _replace),
    }
)
