"""Which versions of Python are wanted: `>=3.11`, `>=3.11,<3.13`, `3.12`.

The part of PEP 440's version specifiers that makes sense for an interpreter. `3.12` alone is any 3.12, as people mean
it. Pure: asks no interpreter.
"""

from __future__ import annotations

import re
from itertools import zip_longest

_CLAUSE = re.compile(r"(~=|==|!=|<=|>=|<|>)?[ ]*([0-9]{1,4}(?:\.[0-9]{1,4}){0,2})(\.\*)?")
MAX_LENGTH = 200


def canonical(text: str) -> str | None:
    """Return a specifier in the one way of writing it, which uv reads too; None when it is none.

    `==3.11` is none: it would be 3.11.0 alone, and whoever writes it means `3.11`.
    """
    clauses = []
    for part in text.split(",") if len(text) <= MAX_LENGTH else [""]:
        found = _CLAUSE.fullmatch(part.strip())
        if found is None:
            return None
        mark, version, star = found[1] or "==", found[2], found[3] or ""
        length = version.count(".") + 1
        if not found[1] and length < 3:
            star = ".*"
        if (star and mark not in ("==", "!=")) or (mark in ("==", "!=") and not star and length < 3):
            return None
        if mark == "~=" and length == 1:
            return None
        clauses.append(f"{mark}{version}{star}")
    return ",".join(clauses)


def fits(version: tuple[int, ...], specifier: str) -> bool:
    """Tell whether a version of Python is among those of a canonical specifier."""
    return all(_holds(version, clause) for clause in specifier.split(","))


def _holds(version: tuple[int, ...], clause: str) -> bool:
    found = _CLAUSE.fullmatch(clause)
    assert found is not None, "a plan's specifier has been checked"
    mark, star = found[1], found[3]
    wanted = tuple(int(each) for each in found[2].split("."))
    if star:
        return (version[: len(wanted)] == wanted) == (mark == "==")
    pairs = [*zip_longest(version, wanted, fillvalue=0)]
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    match mark:
        case ">=":
            return ours >= theirs
        case "<=":
            return ours <= theirs
        case ">":
            return ours > theirs
        case "<":
            return ours < theirs
        case "~=":
            return ours >= theirs and version[: len(wanted) - 1] == wanted[:-1]
        case _:
            return (ours == theirs) == (mark == "==")
