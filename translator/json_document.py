"""The document of a definition in Python to a located tree: the same keys as YAML, positions beside them.

The document comes from a process that ran user code: anything may be in it, and nothing of it is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from translator.diagnostics import Code, shown
from translator.located import Entry, Node, Position, Report, Scalar, Stop
from translator.yaml_loader import FORBIDDEN, MAX_BYTES, MAX_DEPTH

MAX_NODES = 200_000
_START = Position(1, 1)


def load_document(document: Mapping[str, Any], report: Report) -> Node | None:
    """Read a definition's document into a tree; problems go to the report.

    Returns:
        The tree, or None when the document cannot be read as far as that.
    """
    positions = document.get("positions")
    builder = _Builder(positions if isinstance(positions, dict) else {}, report)
    try:
        return builder.node(document.get("definition"), "", _START, 0)
    except Stop:
        return None


@dataclass(slots=True)
class _Builder:
    positions: dict[str, Any]
    report: Report
    nodes: int = 0
    characters: int = 0

    def node(self, value: Any, pointer: str, parent: Position, level: int) -> Node:
        """Build the node of a value.

        Args:
            value: The value.
            pointer: Its JSON pointer.
            parent: The place of what it lies in, which is also its own when nothing better is known.
            level: How deep it lies.
        """
        at = self.position(pointer, parent)
        self.count(value, at, level)
        if isinstance(value, dict):
            entries = {}
            for key, item in value.items():
                name = self.text(str(key), at)
                inner = self.node(item, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}", at, level + 1)
                entries[name] = Entry(Node(name, inner.position), inner)
            return Node(entries, at)
        if isinstance(value, list):
            return Node([self.node(item, f"{pointer}/{n}", at, level + 1) for n, item in enumerate(value)], at)
        return Node(self.scalar(value, at), at)

    def count(self, value: Any, at: Position, level: int) -> None:
        self.nodes += 1
        self.characters += len(value) if isinstance(value, str) else 0
        if self.nodes > MAX_NODES or self.characters > MAX_BYTES:
            self.report.add(at, Code.TOO_LARGE, "the definition is larger than 1 MiB", "keep data out of it")
            raise Stop
        if level > MAX_DEPTH:
            self.report.add(at, Code.TOO_DEEP, f"lists and mappings nest more than {MAX_DEPTH} deep")
            raise Stop

    def position(self, pointer: str, parent: Position) -> Position:
        match self.positions.get(pointer):
            case [int(line), int(column)] if 0 < line < 10**9 and 0 < column < 10**9:
                return Position(line, column)
        return parent

    def scalar(self, value: Any, at: Position) -> Scalar:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value, at)
        if isinstance(value, int) and -(2**63) <= value < 2**63:
            return value
        if isinstance(value, float) and value - value == 0:
            return value
        self.report.add(at, Code.NUMBER, "the value holds a number that JSON and 64 bits cannot hold")
        return 0

    def text(self, value: str, at: Position) -> str:
        bad = FORBIDDEN.search(value)
        if bad is None:
            return value
        self.report.add(at, Code.BAD_CHARACTER, f"the text {shown(value, 40)} holds the character U+{ord(bad[0]):04X}")
        return FORBIDDEN.sub("", value)
