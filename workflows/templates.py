"""Templates: JSON whose strings may hold expressions between `${{` and `}}`.

A string that is exactly one expression takes the expression's value and keeps its type; in any other string the value
becomes text, JSON for what is not text. Keys are never templates. There is no escape: text that holds `${{` itself is
written as an expression, `${{ '${{' }}`. Nothing but `ExpressionError` is raised; inputs are never changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from workflows.expressions import ExpressionError, evaluate, parse, text_of

JSON: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict with text keys."""

MAX_DEPTH = 100
"""Levels of a template."""
OPENING, CLOSING = "${{", "}}"

_NEXT = re.compile(r"""[rR]?(?P<quote>["'])|(?P<open>\{)|(?P<close>\}\}?)""")


def render(template: JSON, scope: Mapping[str, JSON]) -> JSON:
    """Return a template with its expressions replaced by their values.

    Args:
        template: Any JSON value.
        scope: Root name to value; stored values (`Opaque`) come out as their markers.

    Raises:
        ExpressionError: An expression has no value, or text is to be made of a stored value.
    """
    return _rewritten(template, lambda text: _render_text(text, scope))


def references(template: JSON) -> set[tuple[str, ...]]:
    """Return the fixed paths that a template's expressions may read, such as `("steps", "train", "output")`.

    Raises:
        ExpressionError: An expression cannot be parsed.
    """
    found: set[tuple[str, ...]] = set()

    def collect(text: str) -> str:
        for _, expression in expressions_in(text):
            found.update(parse(expression).references())
        return text

    _rewritten(template, collect)
    return found


def canonical(template: JSON) -> JSON:
    """Return a template whose expressions are in canonical text, with one space inside the braces.

    Raises:
        ExpressionError: An expression cannot be parsed.
    """
    return _rewritten(template, _canonical_text)


def expressions_in(text: str) -> list[tuple[int, str]]:
    """Return each expression of a string with the offset at which it starts, behind its `${{`.

    Raises:
        ExpressionError: A `${{` is not closed.
    """
    found = []
    opening = text.find(OPENING)
    while opening >= 0:
        start = opening + len(OPENING)
        end = _closing(text, start)
        found.append((start, text[start:end]))
        opening = text.find(OPENING, end + len(CLOSING))
    return found


def sole_expression(text: str) -> str | None:
    """Return the expression of a string that is exactly one, else None.

    Raises:
        ExpressionError: A `${{` is not closed.
    """
    found = expressions_in(text)
    if len(found) != 1:
        return None
    start, expression = found[0]
    whole = start == len(OPENING) and start + len(expression) + len(CLOSING) == len(text)
    return expression if whole else None


def _closing(text: str, start: int) -> int:
    """Return where the `}}` of an expression is: not in its string literals, and not closing its maps."""
    depth, position = 0, start
    while (match := _NEXT.search(text, position)) is not None:
        position = match.end()
        if match["quote"]:
            position = _string_end(text, match)
        elif match["open"]:
            depth += 1
        elif depth > 0:
            depth -= 1
            position = match.start() + 1
        elif match["close"] == CLOSING:
            return match.start()
    raise ExpressionError('"${{" is not closed by "}}"', start - len(OPENING), text)


def _string_end(text: str, match: re.Match[str]) -> int:
    """Return the position behind a string literal; a literal that is not closed ends where it begins."""
    raw, quote, position = match.group()[0] in "rR", match["quote"], match.end()
    while position < len(text) and text[position] not in "\r\n":
        if text[position] == quote:
            return position + 1
        position += 1 if raw or text[position] != "\\" else 2
    return match.end()


def _render_text(text: str, scope: Mapping[str, JSON]) -> JSON:
    if OPENING not in text:
        return text
    whole = sole_expression(text)
    if whole is not None:
        return evaluate(parse(whole), scope)
    return _spliced(text, lambda expression: text_of(parse(expression), scope))


def _canonical_text(text: str) -> str:
    return _spliced(text, lambda expression: f"{OPENING} {parse(expression).text} {CLOSING}")


def _spliced(text: str, replace: Callable[[str], str]) -> str:
    """Return a text in which each expression, braces included, is replaced."""
    parts, behind = [], 0
    for start, expression in expressions_in(text):
        parts += [text[behind : start - len(OPENING)], replace(expression)]
        behind = start + len(expression) + len(CLOSING)
    return "".join([*parts, text[behind:]])


def _rewritten(template: JSON, rewrite: Callable[[str], JSON], level: int = 0) -> JSON:
    if isinstance(template, str):
        return rewrite(template)
    if level > MAX_DEPTH:
        raise ExpressionError(f"the template has more than {MAX_DEPTH} levels")
    if isinstance(template, list | tuple):
        return [_rewritten(item, rewrite, level + 1) for item in template]
    if isinstance(template, dict):
        return {key: _rewritten(item, rewrite, level + 1) for key, item in template.items()}
    return template
