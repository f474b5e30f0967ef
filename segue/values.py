"""Turns the values that a definition's Python code passes into plain JSON, expressions included.

Never guesses: a value that JSON cannot hold is refused with its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from segue.expression import Expression, text_of
from segue.place import misuse


def plain(value: Any, name: str) -> Any:
    """Return a value as JSON; an expression, or an operator for its output, becomes `${{ ... }}` text.

    Messages call the value by `name`, what it was given for, and say where in it the trouble is.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, Mapping):
        return {_key(key, name): plain(inner, f"{name}[{key!r}]") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, f"{name}[{index}]") for index, inner in enumerate(value)]
    if isinstance(getattr(value, "output", None), Expression):
        return f"${{{{ {text_of(value)} }}}}"
    raise misuse(
        f"{name} is {shown(value)}, which JSON cannot hold",
        hint="a workflow's values are text, numbers, true, false, null, lists and objects of those, and expressions",
    )


def shown(value: Any) -> str:
    """Return a value as a message names it: as written when that is short, else by its type."""
    text = repr(value)
    kind = type(value).__name__
    # An object's own default text is an address in memory, different each time.
    return f"a value of type {kind}" if text.startswith("<") or len(text) > 80 else f"{text} ({kind})"


def _key(key: Any, name: str) -> str:
    if not isinstance(key, str):
        raise misuse(f"{name} has the key {key!r}, which is not text")
    return key


def closest(name: str, known: list[str]) -> str:
    """Return ` Did you mean "..."?` when one of the known names is close, else an empty text."""
    from difflib import get_close_matches

    matches = get_close_matches(name, known, n=1)
    return f'did you mean "{matches[0]}"?' if matches else ""
