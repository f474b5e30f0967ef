"""What the operators do to two values. `&&` and `||` are not here: they decide whether to look at the second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from workflows.expressions.errors import Fault
from workflows.expressions.times import bounded, in_range
from workflows.expressions.values import (
    Budget,
    Duration,
    Timestamp,
    Value,
    double,
    equal,
    integer,
    is_number,
    less,
    readable,
    type_name,
)


def negated(value: Value) -> Value:
    """Return `-value`.

    Raises:
        Fault: It is no number or duration, or the result does not fit.
    """
    if is_number(value):
        return integer(-value) if isinstance(value, int) else -value
    if isinstance(value, Duration):
        return bounded(-value.microseconds)
    raise Fault(f'"-" takes a number, not {type_name(readable(value))}')


def _arithmetic(
    symbol: str, ints: Callable[[int, int], int], doubles: Callable[[float, float], float]
) -> Callable[[Value, Value], Value]:
    def apply(left: Value, right: Value) -> Value:
        if not (is_number(left) and is_number(right)):
            raise _mismatch(symbol, left, right)
        try:
            if isinstance(left, int) and isinstance(right, int):
                return integer(ints(integer(left), integer(right)))
            return double(doubles(float(left), float(right)))
        except ZeroDivisionError:
            raise Fault("division by zero") from None
        except OverflowError:
            raise Fault("the number is too large for a double") from None

    return apply


def _mismatch(symbol: str, left: Value, right: Value) -> Fault:
    readable(left), readable(right)
    hint = ""
    if symbol == "+" and isinstance(left, str) != isinstance(right, str):
        hint = "; string() makes a string of a value"
    return Fault(f'"{symbol}" does not take {type_name(left)} and {type_name(right)}{hint}')


def _cut(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _rest(left: int, right: int) -> int:
    return left - right * _cut(left, right)


def _only_ints(left: float, right: float) -> float:
    raise Fault('"%" takes ints, not doubles')


_plus = _arithmetic("+", lambda a, b: a + b, lambda a, b: a + b)
_minus = _arithmetic("-", lambda a, b: a - b, lambda a, b: a - b)
_times = _arithmetic("*", lambda a, b: a * b, lambda a, b: a * b)
_divided = _arithmetic("/", _cut, lambda a, b: a / b)
_modulo = _arithmetic("%", _rest, _only_ints)


def _add(left: Value, right: Value, budget: Budget) -> Value:
    match left, right:
        case str(), str():
            budget.text(len(left) + len(right))
            return left + right
        case list(), list():
            budget.spend(len(left) + len(right))
            return budget.built(left + right)
        case Timestamp(a), Duration(b):
            return in_range(a + b)
        case Duration(a), Timestamp(b):
            return in_range(a + b)
        case Duration(a), Duration(b):
            return bounded(a + b)
    return _plus(left, right)


def _subtract(left: Value, right: Value, budget: Budget) -> Value:
    match left, right:
        case Timestamp(a), Timestamp(b):
            return bounded(a - b)
        case Timestamp(a), Duration(b):
            return in_range(a - b)
        case Duration(a), Duration(b):
            return bounded(a - b)
    return _minus(left, right)


def _contains(item: Value, container: Value, budget: Budget) -> bool:
    if isinstance(readable(container), list):
        return any(equal(item, element, budget) for element in container)
    if isinstance(container, dict):
        return isinstance(readable(item), str) and item in container
    hint = "; for a part of a string there is contains()" if isinstance(container, str) else ""
    raise Fault(f'"in" looks into a list or a map, not into {type_name(container)}{hint}')


def _order(symbol: str, compare: Callable[[Value, Value], bool]) -> Callable[[Value, Value, Budget], bool]:
    def apply(left: Value, right: Value, budget: Budget) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            budget.text(min(len(left), len(right)))
        readable(left), readable(right)
        try:
            return compare(left, right)
        except Fault:
            # Named in the order of the text, whichever way they were compared.
            raise Fault(f'"{symbol}": {type_name(left)} and {type_name(right)} have no order') from None

    return apply


BINARY: Mapping[str, Callable[[Value, Value, Budget], Value]] = MappingProxyType(
    {
        "==": equal,
        "!=": lambda left, right, budget: not equal(left, right, budget),
        "<": _order("<", less),
        ">": _order(">", lambda left, right: less(right, left)),
        "<=": _order("<=", lambda left, right: not less(right, left)),
        ">=": _order(">=", lambda left, right: not less(left, right)),
        "+": _add,
        "-": _subtract,
        "*": lambda left, right, budget: _times(left, right),
        "/": lambda left, right, budget: _divided(left, right),
        "%": lambda left, right, budget: _modulo(left, right),
        "in": _contains,
    }
)
