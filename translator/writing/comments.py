"""The comments of a definition, each with the key or step that it speaks of, as a JSON pointer.

Only finds and keeps comments; where they are written again is the writers' business. Blank lines between keys are kept
with them, as comments without text.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from translator.located import Lines, Node

_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BLOCK = ("|", ">")


@dataclass(slots=True)
class Comments:
    """What stands around the keys of a definition.

    Attributes:
        above: Pointer to the lines above a key; an empty text is a blank line.
        beside: Pointer to the comment behind a key or value, on its line.
        head: Lines above the whole definition.
        end: Lines below it.
    """

    above: dict[str, list[str]] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    head: list[str] = field(default_factory=list)
    end: list[str] = field(default_factory=list)

    def under(self, pointer: str) -> bool:
        """Tell whether something inside a value has a comment of its own."""
        prefix = pointer + "/"
        # Blank lines alone do not keep a small mapping from being written on one line.
        return any(each.startswith(prefix) for each in self.beside) or any(
            each.startswith(prefix) and any(lines) for each, lines in self.above.items()
        )

    def take(self, pointer: str) -> tuple[list[str], str]:
        """Return the lines above a key and the comment beside it, and forget them."""
        return self.above.pop(pointer, []), self.beside.pop(pointer, "")

    def take_under(self, pointer: str) -> list[str]:
        """Return all comments of a value and of what is inside it, as lines, and forget them."""
        found: list[str] = []
        for each in [*self.above]:
            if each == pointer or each.startswith(pointer + "/"):
                found += [line for line in self.above.pop(each) if line]
        for each in [*self.beside]:
            if each == pointer or each.startswith(pointer + "/"):
                found.append(self.beside.pop(each))
        return found

    def settle(self, definition: Any) -> None:
        """Move comments whose key is not in the definition to the nearest key around it."""
        for held in (self.above, self.beside):
            for pointer in [*held]:
                home = pointer
                while home and not _exists(definition, home):
                    home = home.rpartition("/")[0]
                if home == pointer and home:
                    continue
                lines = held.pop(pointer)
                lines = [lines] if isinstance(lines, str) else [line for line in lines if line]
                (self.above.setdefault(home, []) if home else self.head).extend(lines)


@dataclass(frozen=True, slots=True)
class _Found:
    """A comment: its line and column from 1, whether it has the line to itself, and its text."""

    line: int
    column: int
    alone: bool
    text: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a key or an item begins; `named` is false for an item of a list that is itself a mapping or a list."""

    line: int
    column: int
    pointer: str
    named: bool = True


def yaml_comments(text: str, tree: Node) -> Comments:
    """Find the comments of a definition in YAML.

    Args:
        text: The definition, which has been read without an error.
        tree: What came of it.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    scalars = _scalars(text.removeprefix("\ufeff"))
    found = [*_yaml_found(lines, scalars)]
    blank = {number for number, line in enumerate(lines, 1) if not line.strip() and number not in scalars}
    return _placed(found, sorted(_yaml_places(tree, ""), key=_by_place), blank)


def python_comments(source: str, positions: Mapping[str, Any]) -> Comments:
    """Find the comments of a definition in Python.

    Args:
        source: The file.
        positions: Pointer to line and column, as the definition's document has them.
    """
    places = [_Place(line, column, pointer) for pointer, (line, column) in positions.items() if pointer]
    root = positions.get("", [1, 1])[0]
    found = [*_python_found(source)]
    first = min((place.line for place in places if place.line > root), default=root)
    # The name is no argument with a place of its own; it stands at or below the opening parenthesis.
    places.append(_Place(root, 1, "/name"))
    head = [each for each in found if each.line < root]
    comments = _placed([each for each in found if each.line >= root], sorted(places, key=_by_place), set(), root)
    comments.head = [*(each.text for each in head), *([""] if head else []), *comments.head]
    _blank_before_steps(comments, source, places, first)
    return comments


def _blank_before_steps(comments: Comments, source: str, places: list[_Place], first: int) -> None:
    """Keep the blank lines that stand before a step or before the comment above it."""
    lines = source.splitlines()
    for place in places:
        if place.pointer.count("/") == 2 and place.pointer.startswith(("/steps/", "/finally/")) and place.line > first:
            number = place.line - 1
            while number > 0 and lines[number - 1].lstrip().startswith("#"):
                number -= 1
            if number > 0 and not lines[number - 1].strip():
                comments.above.setdefault(place.pointer, []).insert(0, "")


def _placed(found: list[_Found], places: list[_Place], blank: set[int], before: int = 0) -> Comments:
    comments = Comments()
    if not places:
        return Comments(head=[each.text for each in found])
    by_line: dict[int, list[_Place]] = {}
    for place in places:
        by_line.setdefault(place.line, []).append(place)
    numbers = sorted(by_line)
    start = before or numbers[0]
    texts: dict[int, str] = {}
    for each in found:
        if each.alone:
            texts[each.line] = each.text
        elif each.line in by_line:
            on_line = [place for place in by_line[each.line] if place.named and place.column < each.column]
            comments.beside.setdefault((on_line or by_line[each.line])[0].pointer, each.text)
        else:
            last = by_line[max((number for number in numbers if number < each.line), default=numbers[0])][0].pointer
            if last == "/name" and last not in comments.beside:
                comments.beside[last] = each.text
            else:
                comments.above.setdefault(last, []).append(each.text)
    previous = 0
    for number in numbers:
        lines = [*_between(texts, blank, previous, number)]
        if number <= start:
            comments.head += lines[1:] if lines[:1] == [""] else lines
        elif lines:
            comments.above.setdefault(by_line[number][0].pointer, [])[:0] = lines
        previous = number
    rest = [*_between(texts, blank, previous, max([*texts, previous]) + 1)]
    comments.end = rest if any(rest) else []
    return comments


def _between(texts: dict[int, str], blank: set[int], previous: int, number: int) -> Iterator[str]:
    """Yield the comments and blank lines between two lines, of blank lines one in a row."""
    last = None
    for line in range(previous + 1, number):
        if line in texts:
            yield texts[line]
        elif line in blank and last != "":
            yield ""
        last = texts.get(line, "" if line in blank else last)


def _by_place(place: _Place) -> tuple[int, int, int]:
    return place.line, place.column, len(place.pointer)


def _yaml_places(node: Node, pointer: str) -> Iterator[_Place]:
    for name, entry in node.mapping.items():
        inner = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
        yield _Place(entry.key.position.line, entry.key.position.column, inner)
        yield from _yaml_places(entry.value, inner)
    for index, item in enumerate(node.items):
        inner = f"{pointer}/{index}"
        # The dash stands before its item: the item is what a line begins with.
        column = max(item.position.column - 1, 1)
        yield _Place(item.position.line, column, inner, named=not isinstance(item.value, list | dict))
        yield from _yaml_places(item, inner)


def _scalars(text: str) -> dict[int, tuple[int, int]]:
    """Return the lines that lie inside a scalar, with the columns from and to which they do, counted from 0."""
    inside: dict[int, tuple[int, int]] = {}
    lines = Lines.of(text)
    parser = _Parser(text)
    try:
        while parser.check_event():
            event: Any = parser.get_event()
            start, end = event.start_mark.index, event.end_mark.index
            if not isinstance(event, yaml.ScalarEvent) or start == end:
                continue
            block = event.style in _BLOCK
            if block:
                # Its first line may end in a comment, and empty lines behind its last are none of it.
                header = text[start : text.find("\n", start) + 1]
                start += len(header)
                end = len(text[:end].rstrip(" " if "+" in header.partition("#")[0] else None))
                if start == 0 or end <= start:
                    continue
            _cover(inside, lines, text, start, end)
    finally:
        parser.dispose()
    return inside


def _cover(inside: dict[int, tuple[int, int]], lines: Lines, text: str, start: int, end: int) -> None:
    first, last = lines.position(start), lines.position(max(start, end - 1))
    for number in range(first.line, last.line + 1):
        left = first.column - 1 if number == first.line else 0
        right = last.column if number == last.line else 1_000_000
        held = inside.get(number)
        # Several scalars of one line are kept as a stretch only when nothing but blanks and punctuation is between.
        inside[number] = (left, right) if held is None else (min(held[0], left), max(held[1], right))


def _yaml_found(lines: list[str], scalars: Mapping[int, tuple[int, int]]) -> Iterator[_Found]:
    for number, line in enumerate(lines, 1):
        left, right = scalars.get(number, (0, 0))
        at = line.find("#")
        while at >= 0:
            free = not left <= at < right
            if free and (at == 0 or line[at - 1] in " \t"):
                yield _Found(number, at + 1, not line[:at].strip(), line[at:].rstrip())
                break
            at = line.find("#", at + 1)


def _python_found(source: str) -> Iterable[_Found]:
    lines = source.splitlines()
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                line, column = token.start
                yield _Found(line, column + 1, not lines[line - 1][:column].strip(), token.string.rstrip())
    except (tokenize.TokenError, SyntaxError):
        return


def _exists(value: Any, pointer: str) -> bool:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return False
    return True
