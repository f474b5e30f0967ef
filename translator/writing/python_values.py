"""Values as Python writes them: literals, expressions, f-strings, dicts and lists, with the comments of their keys."""

from __future__ import annotations

import re
from typing import Any

from translator.writing.comments import Comments
from translator.writing.python_expressions import Names, python_expression
from translator.writing.python_layout import Group, Layout, Part
from workflows.expressions import ExpressionError
from workflows.templates import CLOSING, OPENING, expressions_in, sole_expression

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNSAFE_IN_LINES = re.compile("[^\n\t\x20-\x7e\u00a1-\u2027\u202a-\ud7ff]")


def text_literal(text: str) -> str:
    """Return a text in quotes; one of several lines in three, as it reads."""
    if "\n" in text.strip("\n") and not _UNSAFE_IN_LINES.search(text):
        body = text.replace("\\", "\\\\").replace('"""', '\\"""')
        body = body[:-1] + '\\"' if body.endswith('"') else body
        # The backslash keeps the first line from moving to the right of the others.
        return f'"""\\\n{body}"""'
    if '"' in text and "'" not in text:
        return "'" + _escaped(text).replace('\\"', '"') + "'"
    return '"' + _escaped(text) + '"'


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(each) or (each if each.isprintable() else _code(ord(each))) for each in text)


def _code(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Values:
    """Writes the values of a definition.

    Args:
        comments: Those that are written with a key are used up.
        names: What expressions may speak of.
    """

    def __init__(self, comments: Comments, names: Names) -> None:
        self.comments = comments
        self.names = names

    def value(self, value: Any, pointer: str) -> Layout:
        """Return a value that may hold expressions."""
        if isinstance(value, dict):
            return Group("{", [self.pair(name, inner, pointer) for name, inner in value.items()], "}")
        if isinstance(value, list):
            return Group("[", [self.item(inner, f"{pointer}/{n}") for n, inner in enumerate(value)], "]")
        return self.text(value) if isinstance(value, str) else repr(value)

    def pair(self, name: str, value: Any, pointer: str) -> Part:
        """Return an entry of a dict."""
        at = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
        above, beside = self.comments.take(at)
        # Within a call, blank lines are not the custom.
        return Part(f'"{_escaped(name)}": ', self.value(value, at), [line for line in above if line], beside)

    def item(self, value: Any, pointer: str) -> Part:
        """Return an item of a list."""
        above, beside = self.comments.take(pointer)
        return Part("", self.value(value, pointer), [line for line in above if line], beside)

    def text(self, text: str) -> str:
        """Return a text: an expression where it is one, an f-string where it holds some."""
        if OPENING not in text:
            return text_literal(text)
        try:
            sole = sole_expression(text)
        except ExpressionError:
            return text_literal(text)
        if sole is not None:
            return self.expression(sole)
        return self.formatted(text) or text_literal(text)

    def expression(self, text: str) -> str:
        """Return an expression with Python's operators, or as `expr("...")`."""
        written = python_expression(text, self.names)
        if written is not None:
            return written
        self.names.used.add("expr")
        return f"expr({text_literal(text.strip())})"

    def condition(self, value: Any) -> str | None:
        """Return a condition, which may be written without braces; None when there is none."""
        if isinstance(value, bool) or value is None:
            return '"false"' if value is False else None
        text = value.strip()
        if text.startswith(OPENING) and text.endswith(CLOSING):
            text = text[len(OPENING) : -len(CLOSING)].strip()
        written = python_expression(text, self.names)
        return text_literal(text) if written is None else written

    def formatted(self, text: str) -> str | None:
        """Return text with expressions in it as an f-string; None when that cannot say it."""
        parts, behind = [], 0
        for start, expression in expressions_in(text):
            written = python_expression(expression, self.names)
            if written is None or any(each in written for each in "\"'\\{}"):
                return None
            parts += [_literal_part(text[behind : start - len(OPENING)]), "{" + written + "}"]
            behind = start + len(expression) + len(CLOSING)
        return 'f"' + "".join([*parts, _literal_part(text[behind:])]) + '"'


def _literal_part(text: str) -> str:
    return _escaped(text).replace("{", "{{").replace("}", "}}")
