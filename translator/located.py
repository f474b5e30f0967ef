"""A definition as a tree in which every value knows where it was written; the same for YAML and for Python.

The tree holds what was written, and judges nothing. `Report` collects the problems that others find in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from translator.diagnostics import MAX_DIAGNOSTICS, Code, DefinitionError, Diagnostic
from workflows.templates import OPENING

_LINE_END = re.compile("\r\n|\r|\n")

Scalar: TypeAlias = bool | int | float | str | None


class Stop(Exception):
    """The definition cannot be read on; the reason has been reported."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the text: line and column, both from 1."""

    line: int
    column: int


@dataclass(slots=True, eq=False)
class Entry:
    """A key of a mapping, and its value.

    Like `Node` and `Spot` it is never changed; to be frozen would double the time that making one takes.
    """

    key: Node
    value: Node


@dataclass(slots=True, eq=False)
class Node:
    """A value and its place, which is worked out when it is asked for: nearly all of them never are.

    Attributes:
        value: A scalar, a list of nodes, or a mapping of text to `Entry`.
        at: Where it is: a position, or an index into `source`.
        written: How a text in a YAML file was written, or the index into `source` at which it ends.
        source: The text that the indexes are of.
    """

    value: Scalar | list[Node] | dict[str, Entry]
    at: Position | int
    written: str | int = ""
    source: Lines | None = None

    @property
    def position(self) -> Position:
        """Its line and column."""
        if isinstance(self.at, Position):
            return self.at
        assert self.source is not None
        return self.source.position(self.at)

    @property
    def raw(self) -> str:
        """For text in a YAML file: how it was written, quotes and all, so that a place inside it can be found."""
        if isinstance(self.written, str):
            return self.written
        assert self.source is not None
        assert isinstance(self.at, int)
        return self.source.text[self.at : self.written]

    @property
    def mapping(self) -> dict[str, Entry]:
        """The entries of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The items of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    def plain(self) -> Any:
        """Return the value as JSON, without places."""
        if isinstance(self.value, dict):
            return {key: entry.value.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def inside(self, offset: int) -> Spot:
        """Return the place of a character of a text."""
        return Spot(self, offset)


@dataclass(slots=True, eq=False)
class Spot:
    """A character of a text; where it was written is worked out when it is asked for, since that takes a search."""

    node: Node
    offset: int

    @property
    def position(self) -> Position:
        """The place: exact where the text was written as it reads, else that of its expression or of the text."""
        text, raw, start = str(self.node.value), self.node.raw, self.node.position
        opening = text.rfind(OPENING, 0, self.offset + len(OPENING))
        if opening < 0:
            # No `${{` before it: the text must have been written from its first character on as it reads.
            quote = 1 if raw[:1] in ("'", '"') else 0
            exact = raw.startswith(text[: self.offset], quote)
            return _after(start, raw[: quote + self.offset]) if exact else start
        at = _nth(raw, OPENING, text.count(OPENING, 0, opening) + 1)
        if at < 0:
            return start
        exact = raw.startswith(text[opening : self.offset], at)
        return _after(start, raw[: at + (self.offset - opening if exact else 0)])


@dataclass(slots=True)
class Report:
    """The problems of one definition, with what is needed to show them.

    Args:
        file: The file's name in messages.
        lines: Its text, by line.
        main: For a file that the definition uses: the definition's own report, which has the problems of all.
    """

    file: str
    lines: list[str]
    found: list[Diagnostic] = field(default_factory=list)
    omitted: int = 0
    main: Report | None = None
    added: int = 0
    """How often something was reported, also what is shown already or is too much to show."""

    def beside(self, file: str, lines: list[str]) -> Report:
        """Return a report for another file; its problems are found with those of this one."""
        return Report(file, lines, self.found, main=self.main or self)

    @property
    def full(self) -> bool:
        """Whether further problems are only counted: working on their wording is then in vain."""
        return len(self.found) >= MAX_DIAGNOSTICS

    def add(self, at: Node | Spot | Position, code: Code, message: str, hint: str = "") -> None:
        """Add a problem at a place."""
        self.added += 1
        if self.full:
            (self.main or self).omitted += 1
            return
        place = at if isinstance(at, Position) else at.position
        source = self.lines[place.line - 1] if 0 < place.line <= len(self.lines) else ""
        # A line may be the whole file: only what a caret can stand in is kept.
        source = source if len(source) <= 10_000 else source[:10_000]
        diagnostic = Diagnostic(self.file, place.line, place.column, str(code), message, hint, source)
        if diagnostic not in self.found:
            self.found.append(diagnostic)

    def check(self) -> None:
        """Raise what was found.

        Raises:
            DefinitionError: There is at least one problem.
        """
        if self.found:
            in_order = sorted(self.found, key=lambda each: (each.file != self.file, each.file, each.line, each.column))
            raise DefinitionError(in_order, self.omitted)


@dataclass(frozen=True, slots=True)
class Lines:
    """Turns an index into a text to line and column."""

    starts: tuple[int, ...]
    text: str = field(default="", repr=False)

    @classmethod
    def of(cls, text: str) -> Lines:
        """Find where the lines of a text begin."""
        return cls((0, *(match.end() for match in _LINE_END.finditer(text))), text)

    def position(self, index: int) -> Position:
        """Return the place of a character."""
        line = bisect_right(self.starts, index)
        return Position(line, index - self.starts[line - 1] + 1)


def split_lines(text: str) -> list[str]:
    """Split a text at the line ends that YAML has: not, like `str.splitlines`, at form feeds and the like."""
    return _LINE_END.split(text)


def _after(start: Position, text: str) -> Position:
    """Return the place behind a text that begins at `start`."""
    lines = split_lines(text)
    return Position(start.line + len(lines) - 1, (start.column if len(lines) == 1 else 1) + len(lines[-1]))


def _nth(text: str, part: str, count: int) -> int:
    index = -1
    for _ in range(count):
        index = text.find(part, index + 1)
        if index < 0:
            return -1
    return index
