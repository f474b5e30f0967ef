"""Writes a definition as YAML in the one layout that Segue has.

Keys stand in the order of the manual, small values on one line, comments and blank lines where they were.
Writing what was written gives the same text again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from translator.keys import OPERATORS
from translator.manual.table import BY_NAME
from translator.writing.comments import Comments
from translator.writing.source import Source
from translator.writing.yaml_values import block_text, flow, key, scalar

WIDTH = 120
_INNER = {
    "WORKFLOW": {"concurrency": "CONCURRENCY", "defaults": "DEFAULTS", "code": "CODE"},
    "TRIGGER": {"schedule": "SCHEDULE", "event": "EVENT"},
    "DEFAULTS": {
        "resources": "RESOURCES",
        "retry": "RETRY",
        "timeout": "TIMEOUT",
        "isolation": "ISOLATION",
        "cache": "CACHE",
    },
    "STEP": {
        "http": "HTTP",
        "container": "CONTAINER",
        "workflow": "CALL",
        "map": "MAP",
        "resources": "RESOURCES",
        "retry": "RETRY",
        "timeout": "TIMEOUT",
        "cache": "CACHE",
        "wait": "WAIT",
        "approve": "APPROVE",
        "isolation": "ISOLATION",
    },
    "HTTP": {"submit": "REQUEST", "poll": "POLL", "callback": "CALLBACK", "cancel": "REQUEST"},
    "WAIT": {"event": "WAIT_EVENT"},
}
"""Which table orders the keys of a value, by the table that its own key is in."""
_LISTS = {"WORKFLOW": {"triggers": "TRIGGER"}, "STEP": {"map": "MAP"}}
_NAMED = {"WORKFLOW": {"steps": "STEP", "finally": "STEP"}}
_ALWAYS_BLOCK = {"/params", "/triggers", "/steps", "/finally"}


def write_yaml(source: Source) -> str:
    """Return a definition as YAML text."""
    definition = ordered(source.definition, "WORKFLOW")
    comments = source.comments
    comments.settle(definition)
    writer = _Writer(comments)
    lines = [*comments.head, *writer.mapping(definition, "", "", 0), *comments.end]
    while lines and not lines[0]:
        lines.pop(0)
    return "\n".join(lines) + "\n"


def ordered(value: Any, table: str) -> Any:
    """Return a mapping with its keys in the order of a table, and those inside in the order of theirs."""
    if isinstance(value, list):
        return [ordered(item, table) for item in value]
    if not isinstance(value, dict):
        return value
    known = BY_NAME[table].keys()
    places = {name: place for place, name in enumerate(known)}
    names = sorted(value, key=lambda name: places.get(name, len(places)))
    operator = value.get("uses")
    if table == "STEP" and isinstance(operator, str) and operator in OPERATORS:
        value = {**value, "with": ordered(value.get("with"), operator.upper())} if "with" in value else value
    return {name: _ordered_inside(value[name], table, name) for name in names}


def _ordered_inside(value: Any, table: str, name: str) -> Any:
    inner: Mapping[str, str] = _INNER.get(table, {})
    if isinstance(value, list) and name in _LISTS.get(table, {}):
        return ordered(value, _LISTS[table][name])
    if isinstance(value, dict) and name in _NAMED.get(table, {}):
        return {each: ordered(step, _NAMED[table][name]) for each, step in value.items()}
    return ordered(value, inner[name]) if name in inner and isinstance(value, dict) else value


class _Writer:
    def __init__(self, comments: Comments) -> None:
        self.comments = comments

    def mapping(self, value: Mapping[str, Any], pointer: str, indent: str, level: int) -> Iterator[str]:
        """Yield the lines of a mapping."""
        for name, inner in value.items():
            at = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            yield from self.entry(f"{key(name)}:", inner, at, indent, level)

    def items(self, value: list[Any], pointer: str, indent: str, level: int) -> Iterator[str]:
        """Yield the lines of a list."""
        for index, inner in enumerate(value):
            at = f"{pointer}/{index}"
            if isinstance(inner, dict | list) and inner and not self.fits(inner, at, len(indent) + 2):
                above, beside = self.comments.take(at)
                yield from (f"{indent}{line}".rstrip() for line in [*above, *([beside] if beside else [])])
                yield from self.dashed([*self.inside(inner, at, indent + "  ", level + 1)], indent)
            else:
                yield from self.entry("-", inner, at, indent, level)

    def dashed(self, lines: list[str], indent: str) -> Iterator[str]:
        """Yield the lines of an item, with the dash in its first line that is no comment."""
        first = next(index for index, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#"))
        # What stands above the first key of an item stands above its dash.
        yield from (line[2:] if line else line for line in lines[:first])
        yield f"{indent}- {lines[first][len(indent) + 2 :]}"
        yield from lines[first + 1 :]

    def entry(self, head: str, value: Any, pointer: str, indent: str, level: int) -> Iterator[str]:
        """Yield the lines of a key or dash and what belongs to it."""
        above, beside = self.comments.take(pointer)
        yield from (f"{indent}{line}".rstrip() for line in above)
        tail = f"  {beside}" if beside else ""
        if isinstance(value, dict | list) and value and not self.fits(value, pointer, len(indent) + len(head) + 1):
            yield f"{indent}{head}{tail}"
            yield from self.inside(value, pointer, indent + "  ", level + 1)
            return
        if isinstance(value, dict | list):
            yield f"{indent}{head} {flow(value)}{tail}"
            return
        block = block_text(value, indent + "  ") if isinstance(value, str) else None
        text = scalar(value) if block is None else block[0]
        yield f"{indent}{head} {text}{tail}"
        yield from (block or [])[1:]

    def inside(self, value: Any, pointer: str, indent: str, level: int) -> Iterator[str]:
        if isinstance(value, dict):
            return self.mapping(value, pointer, indent, level)
        return self.items(value, pointer, indent, level)

    def fits(self, value: Any, pointer: str, used: int) -> bool:
        """Tell whether a list or mapping goes on one line."""
        parts = pointer.split("/")
        if pointer in _ALWAYS_BLOCK or self.comments.under(pointer) or _has_lines(value):
            return False
        if len(parts) == 3 and parts[1] in ("steps", "finally") and len(value) > 1:
            return False
        if len(parts) == 3 and parts[1] == "triggers":
            return False
        return used + len(flow(value)) <= WIDTH


def _has_lines(value: Any) -> bool:
    """Tell whether a text of several lines is inside a value."""
    if isinstance(value, dict):
        return any(_has_lines(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_has_lines(inner) for inner in value)
    return isinstance(value, str) and block_text(value, "") is not None
