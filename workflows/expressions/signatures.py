"""What operators and functions take and give, by kind of value; the evaluator's rules, said of types.

A row says what is possible. Whether a value of a possible kind is really taken (a text that is a number, a list that
is long enough) only the evaluation knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from types import MappingProxyType

from workflows.expressions.types import BOOL, DOUBLE, DURATION, INT, STRING, TIMESTAMP, Type, list_of

_NUMERIC = {("int", "int"): "int", ("int", "double"): "double", ("double", "int"): "double"} | {
    ("double", "double"): "double"
}
ARITHMETIC: Mapping[str, Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        "+": {
            **_NUMERIC,
            ("string", "string"): "string",
            ("list", "list"): "list",
            ("timestamp", "duration"): "timestamp",
            ("duration", "timestamp"): "timestamp",
            ("duration", "duration"): "duration",
        },
        "-": {
            **_NUMERIC,
            ("timestamp", "timestamp"): "duration",
            ("timestamp", "duration"): "timestamp",
            ("duration", "duration"): "duration",
        },
        "*": _NUMERIC,
        "/": _NUMERIC,
        "%": {("int", "int"): "int"},
    }
)
"""Operator to pairs of kinds, and what each gives."""

ORDERED = frozenset(
    {
        *product(("int", "double"), ("int", "double")),
        *((kind, kind) for kind in ("string", "bool", "timestamp", "duration")),
    }
)
"""Pairs of kinds that `<` compares."""

FUNCTION_TYPES: Mapping[str, tuple[tuple[str, ...], Type]] = MappingProxyType(
    {
        "size": (("string", "list", "map", "file"), INT),
        "string": (("string", "bool", "int", "double", "timestamp", "duration"), STRING),
        "int": (("int", "double", "string", "timestamp", "duration"), INT),
        "double": (("int", "double", "string", "timestamp", "duration"), DOUBLE),
        "bool": (("bool", "string"), BOOL),
        "timestamp": (("string", "int", "double", "timestamp"), TIMESTAMP),
        "duration": (("string", "duration"), DURATION),
    }
)
"""Function to the kinds of its argument, and its result."""

METHOD_TYPES: Mapping[str, tuple[tuple[str, ...], Type]] = MappingProxyType(
    {
        "startsWith": (("string", "string"), BOOL),
        "endsWith": (("string", "string"), BOOL),
        "contains": (("string", "string"), BOOL),
        "matches": (("string", "string"), BOOL),
        "lowerAscii": (("string",), STRING),
        "upperAscii": (("string",), STRING),
        "split": (("string", "string", "int"), list_of(STRING)),
        "join": (("list", "string"), STRING),
        "replace": (("string", "string", "string", "int"), STRING),
    }
)
"""Method to the kind of its object and of each argument, and its result."""
