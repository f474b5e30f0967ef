"""Plain YAML scalars by the rules of YAML 1.2's core schema: `no`, `on` and `12:30` are text, and `010` is ten."""

from __future__ import annotations

import re

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o([0-7]+)|0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TOO_LONG = 400
"""No number that JSON and 64 bits can hold needs as many characters."""


def scalar_value(text: str) -> bool | int | float | str | None:
    """Return what a plain scalar stands for.

    Raises:
        ValueError: It is a number that JSON cannot hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _NOT_JSON.fullmatch(text):
        raise ValueError("JSON has no such number")
    if len(text) > _TOO_LONG:
        if _FLOAT.fullmatch(text):
            raise ValueError("the number is too long")
        return text
    if _INT.fullmatch(text):
        return _integer(int(text))
    if based := _BASED.fullmatch(text):
        return _integer(int(based[1], 8) if based[1] else int(based[2], 16))
    return _double(text) if _FLOAT.fullmatch(text) else text


def _integer(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError("the number does not fit in 64 bits")
    return value


def _double(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("the number is too large")
    return value
