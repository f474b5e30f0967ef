"""Lays out Python calls, dicts and lists: on one line when they fit, else one part a line, as formatters do."""

from __future__ import annotations

from dataclasses import dataclass, field

WIDTH = 120


@dataclass(slots=True)
class Part:
    """A part of a group.

    Attributes:
        head: What stands before its value: `queue=` or `"key": `.
        value: The value.
        above: Comments above it.
        beside: A comment behind it.
    """

    head: str
    value: Layout
    above: list[str] = field(default_factory=list)
    beside: str = ""


@dataclass(slots=True)
class Group:
    """Parts between brackets; `tail` is what follows the closing one."""

    opening: str
    parts: list[Part]
    closing: str
    tail: Layout = ""
    beside: str = ""

    def commented(self) -> bool:
        """Tell whether a comment stands inside."""
        inner = any(part.above or part.beside or _commented(part.value) for part in self.parts)
        return inner or bool(self.beside) or _commented(self.tail)


Layout = str | Group
"""Text, or a group."""


def lay_out(layout: Layout, indent: str, used: int, behind: int = 0) -> str:
    """Return the text of a layout.

    Args:
        layout: What to write.
        indent: The indentation of the line it begins on.
        used: Characters of that line before it.
        behind: Characters that must fit behind it.
    """
    if isinstance(layout, str):
        return layout
    flat = one_line(layout)
    if flat is not None and used + len(flat) + behind <= WIDTH:
        return flat
    inner = indent + "    "
    lines = [f"{layout.opening}{'  ' + layout.beside if layout.beside else ''}"]
    for part in layout.parts:
        lines += [f"{inner}{line}".rstrip() for line in part.above]
        text = lay_out(part.value, inner, len(inner) + len(part.head), 1)
        # What is unpacked at the end of a call may have a comma behind it, too.
        lines.append(f"{inner}{part.head}{text},{'  ' + part.beside if part.beside else ''}")
    last = f"{indent}{layout.closing}"
    return "\n".join([*lines, last + lay_out(layout.tail, indent, len(last), behind)])


def one_line(layout: Layout) -> str | None:
    """Return a layout on one line; None when it must have several."""
    if isinstance(layout, str):
        return None if "\n" in layout else layout
    if layout.commented():
        return None
    texts = []
    for part in layout.parts:
        text = one_line(part.value)
        if text is None:
            return None
        texts.append(part.head + text)
    tail = one_line(layout.tail)
    return None if tail is None else f"{layout.opening}{', '.join(texts)}{layout.closing}{tail}"


def _commented(layout: Layout) -> bool:
    return isinstance(layout, Group) and layout.commented()
