"""Finds where, inside a call in the user's file, each argument is written.

The interpreter knows where a call begins and ends; the file's syntax tree tells the rest, so that a message can point
at `queue="gpuu"` rather than at the operator as a whole.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from segue.place import Place

Position = list[int]
"""Line and column, both from 1; the column in characters."""


class SourceMap:
    """Positions in one file.

    Args:
        source: Its text. Text that is not Python gives no argument's position.
    """

    def __init__(self, source: str) -> None:
        self._lines = source.splitlines()
        # By their end, where each has a parenthesis of its own: of a call at the end of a chain, the interpreter says
        # that it begins at the last dot.
        self._calls: dict[tuple[int, int], ast.Call] = {}
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                self._calls[node.end_lineno or 0, node.end_col_offset or 0] = node

    def position(self, place: Place) -> Position:
        """Return where a place begins."""
        return self._position(place.line, place.column)

    def call(self, place: Place) -> Position:
        """Return where the call at a place begins."""
        call = self._call(place)
        return self.position(place) if call is None else self._position(call.lineno, call.col_offset)

    def arguments(self, place: Place) -> dict[str, Position]:
        """Return the positions of a call's arguments: `queue`, and for an object's keys `op_kwargs/data`.

        In `Operator.partial(...).expand(...)` both calls count.
        """
        call = self._call(place)
        return dict(self._arguments(call)) if call is not None else {}

    def _call(self, place: Place) -> ast.Call | None:
        return self._calls.get((place.end_line, place.end_column))

    def _arguments(self, call: ast.Call) -> Iterator[tuple[str, Position]]:
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call):
            yield from self._arguments(call.func.value)
        for keyword in call.keywords:
            if keyword.arg is not None:
                yield from self._value(keyword.arg, keyword.value, at=keyword)

    def _value(self, name: str, value: ast.expr, *, at: ast.keyword | ast.expr) -> Iterator[tuple[str, Position]]:
        # A key at fault is named with its key; a value deep in a list with its own start.
        yield name, self._position(at.lineno, at.col_offset)
        if isinstance(value, ast.Dict):
            for key, inner in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield from self._value(f"{name}/{escaped(key.value)}", inner, at=key)
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("dict", "Param"):
            for keyword in value.keywords:
                if keyword.arg is not None:
                    yield from self._value(f"{name}/{keyword.arg}", keyword.value, at=keyword)
        elif isinstance(value, ast.List | ast.Tuple):
            for index, inner in enumerate(value.elts):
                yield from self._value(f"{name}/{index}", inner, at=inner)

    def _position(self, line: int, byte_column: int) -> Position:
        text = self._lines[line - 1] if 0 < line <= len(self._lines) else ""
        return [line, len(text.encode()[:byte_column].decode(errors="ignore")) + 1]


def escaped(key: str) -> str:
    """Return a key as a JSON pointer writes it."""
    return key.replace("~", "~0").replace("/", "~1")


def under(positions: Mapping[str, Position], argument: str, path: str) -> Iterator[tuple[str, Position]]:
    """Yield an argument's positions, and those of what is inside it, renamed to the definition's path for it."""
    for name, position in positions.items():
        if name == argument or name.startswith(argument + "/"):
            yield path + name[len(argument) :], position
