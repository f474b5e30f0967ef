"""Reads the values of one mapping, key by key, and reports what is not of the type it should be.

A value that is wrong is reported and then treated as absent, so that one mistake gives one message and all mistakes
are found.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TypeVar

from translator.diagnostics import Code, nearest, one_of, shown
from translator.keys import OTHER_NAMES, Keys
from translator.located import Node, Report
from workflows.durations import parse_duration

_Choice = TypeVar("_Choice", bound=str)
MAX_DURATION = 10 * 365 * 86_400.0


def type_of(node: Node) -> str:
    """Return what people call the type of a value as written."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return names.get(type(node.value), "empty")


class Fields:
    """The entries of one mapping.

    Args:
        node: The mapping; anything else is reported and treated as an empty one.
        report: Where problems go.
        what: What the mapping is, for messages: `step "train"`.
        keys: The keys it may have.
    """

    def __init__(self, node: Node, report: Report, what: str, keys: Keys) -> None:
        self.at = node
        self.report = report
        self.what = what
        self.keys = keys
        self.entries = node.mapping
        if not isinstance(node.value, dict):
            hint = f"its keys are {one_of(keys.known, 30)}"
            report.add(node, Code.WRONG_TYPE, f"{what} must be a mapping, but is {type_of(node)}", hint)
        for name, entry in self.entries.items():
            if name not in keys.known:
                self._unknown(name, entry.key)

    def _unknown(self, name: str, key: Node) -> None:
        if name in self.keys.elsewhere:
            self.report.add(key, Code.UNKNOWN_KEY, f'"{name}" has no place in {self.what}', self.keys.elsewhere[name])
            return
        hint = "" if self.report.full else self._hint(name)
        self.report.add(key, Code.UNKNOWN_KEY, f'{self.what} has an unknown key "{shown(name)}"', hint)

    def _hint(self, name: str) -> str:
        """Say which key may be meant: by its name in other tools, or by the nearest name."""
        others = {other: ours for other, ours in OTHER_NAMES.items() if ours in self.keys.known}
        ours = others.get(name) or nearest(name, self.keys.known)
        ours = ours or others.get(nearest(name, others) or "")
        return f'did you mean "{ours}"?' if ours else f"the keys here are {one_of(self.keys.known, 30)}"

    def has(self, key: str) -> bool:
        """Tell whether a key is there, whatever its value."""
        return key in self.entries

    def key(self, key: str) -> Node:
        """Return the place of a key; of the mapping when the key is absent."""
        return self.entries[key].key if key in self.entries else self.at

    def get(self, key: str) -> Node | None:
        """Return the value of a key. A key without a value is reported."""
        if key not in self.entries:
            return None
        node = self.entries[key].value
        if node.value is None:
            self.report.add(self.entries[key].key, Code.WRONG_TYPE, f'"{key}" has no value')
            return None
        return node

    def require(self, key: str, hint: str = "") -> Node | None:
        """Return the value of a key that must be there; its absence is reported."""
        if key not in self.entries and isinstance(self.at.value, dict):
            self.report.add(self.at, Code.MISSING_KEY, f'{self.what} has no "{key}"', hint)
        return self.get(key)

    def wrong(self, key: str, node: Node, wanted: str, hint: str = "") -> None:
        """Report a value of the wrong type."""
        self.report.add(node, Code.WRONG_TYPE, f'"{key}" must be {wanted}, but is {type_of(node)}', hint)

    def text(self, key: str) -> str | None:
        """Return a text that is not blank."""
        node = self.get(key)
        return None if node is None else self.text_of(key, node)

    def text_of(self, key: str, node: Node) -> str | None:
        """Return the text of a node that belongs to a key."""
        if not isinstance(node.value, str):
            plain = isinstance(node.value, bool | int | float)
            self.wrong(key, node, "text", f'write "{shown(node.raw or str(node.value))}" in quotes' if plain else "")
            return None
        if not node.value.strip():
            self.report.add(node, Code.BAD_VALUE, f'"{key}" is an empty text')
            return None
        return node.value

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Return a list of texts; a single text is a list of one."""
        node = self.get(key)
        if node is None:
            return None
        if isinstance(node.value, str):
            return (node.value,)
        if not isinstance(node.value, list):
            self.wrong(key, node, "text or a list of texts")
            return None
        return tuple(text for item in node.items if (text := self.text_of(key, item)) is not None)

    def integer(self, key: str, least: int, most: int) -> int | None:
        """Return a whole number within bounds."""
        node = self.get(key)
        if node is None:
            return None
        if type(node.value) is not int:
            quoted = isinstance(node.value, str) and node.value.isdigit()
            self.wrong(key, node, "a whole number", "remove the quotes" if quoted else "")
            return None
        if not least <= node.value <= most:
            message = f'"{key}" is {node.value}, but must be from {least:,} to {most:,}'
            self.report.add(node, Code.BAD_VALUE, message)
            return None
        return node.value

    def number(self, key: str, least: float, most: float) -> float | None:
        """Return a number within bounds."""
        node = self.get(key)
        if node is None:
            return None
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self.wrong(key, node, "a number")
            return None
        if not least <= node.value <= most:
            self.report.add(node, Code.BAD_VALUE, f'"{key}" is {node.value}, but must be from {least:g} to {most:g}')
            return None
        return float(node.value)

    def duration(self, key: str, least: float = 0.001) -> float | None:
        """Return a duration in seconds."""
        node = self.get(key)
        return None if node is None else self.duration_of(key, node, least)

    def duration_of(self, key: str, node: Node, least: float = 0.001) -> float | None:
        """Return the seconds of a node that belongs to a key."""
        if not isinstance(node.value, str):
            whole = type(node.value) is int
            hint = f"write {node.value}s, {node.value}m or {node.value}h" if whole else "such as 30s, 5m, 2h or 7d"
            self.wrong(key, node, "a duration", hint)
            return None
        seconds = parse_duration(node.value)
        if seconds is None:
            message = f'"{key}" is "{shown(node.value)}", which is not a duration'
            self.report.add(node, Code.DURATION, message, "write 500ms, 30s, 5m, 2h, 7d or 1h30m")
            return None
        if not least <= seconds <= MAX_DURATION:
            limit = f"at least {least:g}s" if seconds < least else "at most ten years"
            self.report.add(node, Code.DURATION, f'"{key}" is {shown(node.value)}, but must be {limit}')
            return None
        return seconds

    def choice(self, key: str, choices: Collection[_Choice]) -> _Choice | None:
        """Return one of some words."""
        given = self.get(key)
        if given is not None and not isinstance(given.value, str):
            self.wrong(key, given, f"one of {one_of(choices, 20)}")
            return None
        text = self.text(key)
        if text is None:
            return None
        for choice in choices:
            if choice == text:
                return choice
        lower = {choice.lower(): choice for choice in choices}
        near = nearest(text.lower(), lower)
        hint = "" if near is None else f'did you mean "{lower[near]}"?'
        known = one_of(choices, 20)
        node = self.entries[key].value
        self.report.add(node, Code.BAD_VALUE, f'"{key}" is "{shown(text)}", which is none of {known}', hint)
        return None

    def named(self, key: str, wanted: str, hint: str = "") -> dict[str, Node]:
        """Return the values of a mapping whose keys are names of the user's choice."""
        node = self.get(key)
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self.wrong(key, node, f"a mapping of {wanted}", hint)
        return {name: entry.value for name, entry in node.mapping.items()}


def check_name(node: Node, name: str, pattern: re.Pattern[str], what: str, rule: str, report: Report) -> bool:
    """Report a name that does not follow its rule; tell whether it does."""
    if pattern.fullmatch(name):
        return True
    report.add(node, Code.BAD_NAME, f'"{shown(name)}" cannot be the name of {what}', rule)
    return False
