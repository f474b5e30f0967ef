"""What is wrong with a definition, as data and as a compiler prints it.

Codes are stable: E01xx the text, E02xx keys and their values, E03xx expressions, E04xx the graph, E05xx params,
E06xx triggers. Branch on a code, never on a message. Nothing here knows what is right.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_DIAGNOSTICS = 100
MAX_SOURCE_WIDTH = 110
"""Characters of a source line that are shown."""


class Code(StrEnum):
    """The kinds of problems."""

    TOO_LARGE = "E0101"
    BAD_CHARACTER = "E0102"
    YAML_SYNTAX = "E0103"
    TOO_DEEP = "E0104"
    ALIAS = "E0105"
    DUPLICATE_KEY = "E0106"
    KEY_NOT_TEXT = "E0107"
    TAG = "E0108"
    NUMBER = "E0109"
    SEVERAL_DOCUMENTS = "E0110"
    EMPTY = "E0111"
    YAML_VERSION = "E0112"

    UNKNOWN_KEY = "E0201"
    NOT_SUPPORTED = "E0202"
    MISSING_KEY = "E0203"
    WRONG_TYPE = "E0204"
    BAD_VALUE = "E0205"
    BAD_NAME = "E0206"
    DURATION = "E0207"
    LIMIT = "E0208"
    KIND = "E0209"
    CALLABLE = "E0210"
    CONFLICT = "E0211"
    PATH = "E0212"
    SHARED_FILE = "E0213"
    INPUT = "E0214"
    TIME = "E0215"

    EXPRESSION = "E0301"
    UNKNOWN_NAME = "E0302"
    UNKNOWN_STEP = "E0303"
    UNKNOWN_PARAM = "E0304"
    UNKNOWN_OUTPUT = "E0305"
    NOT_HERE = "E0306"
    IN_SCRIPT = "E0307"
    COMPUTED_STEP = "E0308"
    OPERAND_TYPE = "E0309"
    NEVER_EQUAL = "E0310"
    UNKNOWN_FIELD = "E0311"
    RESULT_TYPE = "E0312"
    SECRET = "E0313"

    UNKNOWN_NEED = "E0401"
    CYCLE = "E0402"
    PHASE = "E0403"

    SCHEMA = "E0501"
    DEFAULT = "E0502"
    TRIGGER_PARAM = "E0503"

    CRON = "E0601"
    TIMEZONE = "E0602"
    EVERY = "E0603"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem, where it is, and the way out.

    Attributes:
        line: From 1.
        column: From 1, in characters.
        hint: What to do, or an empty text.
        source: The line of the definition, or an empty text when it is not at hand.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    source: str = ""

    def render(self) -> str:
        """Return the problem as text: place and message, the line with a caret, the hint."""
        kind = "warning" if self.code.startswith("W") else "error"
        lines = [f"{self.file}:{self.line}:{self.column}: {kind}[{self.code}]: {self.message}"]
        if self.source.strip():
            shown, caret = _window(self.source, self.column - 1)
            lines += [f"    {shown}", f"    {' ' * caret}^"]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the problem as `segue validate --json` and the API show it."""
        names = ("file", "line", "column", "code", "message", "hint")
        return {name: getattr(self, name) for name in names}


class DefinitionError(ValueError):
    """A definition that is not valid.

    Attributes:
        diagnostics: Every problem in the order of the text, at most `MAX_DIAGNOSTICS`.
        omitted: How many more there are.
    """

    def __init__(self, diagnostics: list[Diagnostic], omitted: int = 0) -> None:
        super().__init__(diagnostics, omitted)
        self.diagnostics = diagnostics
        self.omitted = omitted

    def __str__(self) -> str:
        return self.render()

    def render(self) -> str:
        """Return all problems as text, with a line of summary when there are several."""
        parts = [diagnostic.render() for diagnostic in self.diagnostics]
        if self.omitted:
            parts.append(f"... and {self.omitted} more problems")
        return "\n\n".join(parts)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like a name, if one is like it at all."""
    # Comparing is slow: only names that could be near enough are looked at.
    candidates = [other for other in known if abs(len(other) - len(name)) <= 3 + len(name) // 4]
    close = difflib.get_close_matches(name, candidates, n=1) if len(name) <= 64 else []
    return close[0] if close else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return a hint with the nearest known name, or `otherwise` when none is near."""
    near = nearest(name, known)
    return otherwise if near is None else f'did you mean "{near}"?'


def one_of(names: Iterable[str], limit: int = 12) -> str:
    """Return names as a list for people, cut short."""
    known = list(names)
    return ", ".join(known[:limit]) + (", ..." if len(known) > limit else "")


def shown(text: str, limit: int = 60) -> str:
    """Return a user's text as it may stand in a message: on one line, printable, cut short."""
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:limit])
    return line if len(text) <= limit else line[: limit - 3] + "..."


def _window(source: str, caret: int) -> tuple[str, int]:
    """Return the part of a line around the caret, and the caret's place in it."""
    caret = max(0, min(caret, len(source)))
    start = 0 if caret < MAX_SOURCE_WIDTH - 10 else caret - MAX_SOURCE_WIDTH // 2
    if start == 0:
        # Indentation says nothing here, and costs width.
        start = min(caret, len(source) - len(source.lstrip()))
    part = shown(source[start : start + MAX_SOURCE_WIDTH].replace("\t", " "), MAX_SOURCE_WIDTH)
    before = "..." if start and source[:start].strip() else ""
    after = "..." if len(source) > start + MAX_SOURCE_WIDTH else ""
    return before + part + after, caret - start + len(before)
