"""Values of expressions: JSON, moments and spans of time, and values that may be passed on but not read.

Equality, order and size of them, in terms of JSON's types: `true` is not `1`, and `1` equals `1.0`. Every walk
over a value spends budget.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from workflows.expressions.errors import BudgetError, Fault
from workflows.expressions.limits import MAX_DEPTH, MAX_INT, MAX_SIZE, MAX_STEPS, MIN_INT

Value: TypeAlias = Any
"""A JSON value, an `Opaque`, a `Timestamp` or a `Duration`."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that is not here: it lies in the object store. It can be passed on whole, and compared with null.

    Attributes:
        marker: The JSON object that stands for it outside expressions.
    """

    marker: dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment, in microseconds since 1970 (UTC)."""

    microseconds: int

    def __str__(self) -> str:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.microseconds)
        return moment.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time, in microseconds; it may be negative."""

    microseconds: int

    def __str__(self) -> str:
        seconds, fraction = divmod(abs(self.microseconds), 1_000_000)
        decimals = f".{fraction:06}".rstrip("0") if fraction else ""
        return f"{'-' if self.microseconds < 0 else ''}{seconds}{decimals}s"


@dataclass(slots=True)
class Budget:
    """What one evaluation may still spend, and what it has learned about the sizes of values."""

    steps: int = MAX_STEPS
    measured: dict[int, tuple[Value, int, int]] = field(default_factory=dict)

    def spend(self, units: int = 1) -> None:
        """Take units of work off the budget.

        Raises:
            BudgetError: Nothing is left.
        """
        self.steps -= units
        if self.steps < 0:
            raise BudgetError(f"the expression takes more than {MAX_STEPS} steps")

    def text(self, length: int) -> None:
        """Allow a text of `length` characters to be built or read.

        Raises:
            BudgetError: It is too long, or nothing is left.
        """
        if length > MAX_SIZE:
            raise BudgetError(f"the expression builds a text longer than {MAX_SIZE} characters")
        self.spend(1 + length // 64)

    def built(self, value: Value) -> Value:
        """Allow a list or map that the expression has built, and return it.

        Parts may be shared, so that a few steps could build what takes a whole memory to write down: the size that
        counts is the one written down.

        Raises:
            BudgetError: It is too large or too deep.
        """
        parts = value if isinstance(value, list) else [*value, *value.values()]
        size, level = 2, 0
        for part in parts:
            part_size, part_level = self._measure(part)
            size, level = size + part_size + 1, max(level, part_level)
            if size > MAX_SIZE:
                raise BudgetError(f"the expression builds a value larger than {MAX_SIZE} characters")
        if level + 1 > MAX_DEPTH:
            raise BudgetError(f"the expression builds a value of more than {MAX_DEPTH} levels")
        self.measured[id(value)] = (value, size, level + 1)
        return value

    def _measure(self, value: Value) -> tuple[int, int]:
        if isinstance(value, str):
            return len(value) + 2, 0
        if isinstance(value, Opaque):
            return 300, 1
        if not isinstance(value, list | dict):
            return 8, 0
        if id(value) not in self.measured:
            size, level = _written_size(value)
            # The value is kept beside its size, so that its id stays its own.
            self.measured[id(value)] = (value, size, level)
        return self.measured[id(value)][1:]


def _written_size(value: Value) -> tuple[int, int]:
    """Return size and depth of a value from outside; stops counting where it is too large anyway."""
    size, level, pending = 0, 0, [(value, 1)]
    while pending and size <= MAX_SIZE and level <= MAX_DEPTH:
        current, depth = pending.pop()
        if isinstance(current, dict):
            size += 2 + sum(len(key) + 4 for key in current)
            level = max(level, depth)
            pending.extend((item, depth + 1) for item in current.values())
        elif isinstance(current, list):
            size += 2 + len(current)
            level = max(level, depth)
            pending.extend((item, depth + 1) for item in current)
        else:
            size += len(current) + 2 if isinstance(current, str) else 8
    return size, level


def type_name(value: Value) -> str:
    """Return what people call the type of a value."""
    names = {bool: "a bool", int: "an int", float: "a double", str: "a string", list: "a list", dict: "a map"}
    names |= {type(None): "null", Timestamp: "a timestamp", Duration: "a duration", Opaque: "a stored value"}
    return names.get(type(value), f"a value of the unsupported type {type(value).__name__}")


def is_number(value: Value) -> bool:
    """Tell an int or a double from everything else; a bool is no number."""
    return type(value) in (int, float)


def integer(value: int) -> int:
    """Return an integer that fits in 64 bits.

    Raises:
        Fault: It does not.
    """
    if not MIN_INT <= value <= MAX_INT:
        raise Fault("integer overflow: the result does not fit in 64 bits")
    return value


def double(value: float) -> float:
    """Return a double that JSON can hold.

    Raises:
        Fault: It is infinite or not a number.
    """
    if value - value != 0:
        raise Fault("the result is too large for a double")
    return value


def readable(value: Value) -> Value:
    """Return a value whose content may be looked at.

    Raises:
        Fault: It is a stored value.
    """
    if isinstance(value, Opaque):
        raise Fault("the value is larger than 16 KiB and kept in the object store: it can be passed on, but not read")
    return value


def equal(left: Value, right: Value, budget: Budget, level: int = 0) -> bool:
    """Compare two values by content; values of different types are not equal, but for `1 == 1.0`.

    Raises:
        Fault: One is a stored value, and the other is not null.
        BudgetError: They are too deep or too large to compare.
    """
    budget.spend()
    if left is None or right is None:
        return left is right
    readable(left), readable(right)
    if is_number(left) and is_number(right):
        return bool(left == right)
    if type(left) is not type(right):
        return False
    if level > MAX_DEPTH:
        raise BudgetError(f"the values have more than {MAX_DEPTH} levels")
    if isinstance(left, list):
        same_length = len(left) == len(right)
        return same_length and all(equal(a, b, budget, level + 1) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        budget.spend(len(left) // 16)
        if left.keys() != right.keys():
            return False
        return all(equal(item, right[key], budget, level + 1) for key, item in left.items())
    return bool(left == right)


def less(left: Value, right: Value) -> bool:
    """Tell whether one value comes before another of the same kind: numbers, strings, bools, times.

    Raises:
        Fault: They have no order.
    """
    readable(left), readable(right)
    if is_number(left) and is_number(right):
        return bool(left < right)
    if type(left) is type(right) and isinstance(left, str | bool | Timestamp | Duration):
        return bool(left < right)
    raise Fault(f"{type_name(left)} and {type_name(right)} have no order")


def as_json(value: Value, level: int = 0, keep_opaque: bool = False) -> Value:
    """Return a value as JSON: times as text, stored values as their markers. What is JSON already is not copied.

    Args:
        value: What an evaluation gave.
        level: How deep the value lies within the one asked for.
        keep_opaque: Refuse stored values, because the result becomes part of a text.

    Raises:
        Fault: It is too deep, holds a stored value that would have to be read, or is no JSON at all.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Opaque):
        return readable(value) if keep_opaque else value.marker
    if isinstance(value, Timestamp | Duration):
        return str(value)
    if level > MAX_DEPTH:
        raise Fault(f"the value has more than {MAX_DEPTH} levels")
    if isinstance(value, list):
        items = [as_json(item, level + 1, keep_opaque) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if isinstance(value, dict):
        entries = {key: as_json(item, level + 1, keep_opaque) for key, item in value.items()}
        return value if all(entries[key] is value[key] for key in value) else entries
    raise Fault(f"the value holds {type_name(value)}")


def as_text(value: Value) -> str:
    """Return a value as it appears in the middle of a text: text as it is, anything else as JSON.

    Raises:
        Fault: It is a stored value, or no JSON.
    """
    plain = as_json(value, keep_opaque=True)
    if isinstance(plain, str):
        return plain
    try:
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise Fault("the value holds a number that JSON does not have") from None
