"""What an evaluation saw: each operand that was looked at, with its value, cut short.

An operand is what a person would ask about: a path (`steps.train.output.loss`), `size(...)` and `has(...)` of one, what
a macro gave, and the item that decided an `all` or `exists`. What was not looked at is not there: not the right side of
an `&&` that the left side decided, not the other branch of `?:`. Never raises; the whole is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from workflows.expressions.errors import Fault
from workflows.expressions.tree import Call, Has, Index, Literal, Macro, Member, Name, Node, children
from workflows.expressions.unparse import unparse
from workflows.expressions.values import Opaque, Value, as_json

MAX_SHOWN = 200
"""Characters of one value."""
MAX_NAME = 120
"""Characters of an operand's text."""
MAX_OPERANDS = 20
MAX_TOTAL = 2_000
"""Characters of all operands and values together, roughly."""
MORE = "..."
"""The key under which an explanation says how many operands it leaves out."""


@dataclass(slots=True)
class Trace:
    """What one evaluation did; nodes are known by their `id`, since equal ones may stand in several places.

    Attributes:
        values: Node to the value it last had.
        deciding: `all` or `exists` to the place of the item that decided it.
    """

    values: dict[int, Value] = field(default_factory=dict)
    deciding: dict[int, int] = field(default_factory=dict)


def explained(tree: Node, trace: Trace) -> dict[str, Value]:
    """Return the operands of a tree that were looked at, by their text, in the order of the text."""
    seen: dict[str, Value] = {}
    left_out: set[str] = set()
    total = 0
    for name, value in _seen(tree, trace, frozenset(), tree):
        short = name if len(name) <= MAX_NAME else name[: MAX_NAME - 3] + "..."
        if short in seen:
            continue
        shown = short_value(value)
        size = len(short) + len(str(shown))
        if len(seen) >= MAX_OPERANDS or total + size > MAX_TOTAL:
            left_out.add(short)
            continue
        total += size
        seen[short] = shown
    return {**seen, MORE: f"{len(left_out)} more"} if left_out else seen


def short_value(value: Value) -> Value:
    """Return a value as JSON for people's eyes; what is long is cut short or only counted."""
    match value:
        case str() if len(value) > MAX_SHOWN:
            return value[: MAX_SHOWN - 3] + "..."
        case list() if not _fits(value):
            return f"a list of {len(value)}"
        case dict() if not _fits(value):
            return f"a map of {len(value)}"
    try:
        return as_json(_without_stored(value))
    except Fault as fault:
        return fault.message


def _seen(node: Node, trace: Trace, bound: frozenset[str], root: Node | None) -> Iterator[tuple[str, Value]]:
    """Yield the text and value of each operand; `root` is the whole tree, or None inside the body of a macro."""
    if isinstance(node, Name | Member | Index):
        yield from _chain(node, trace, bound, root)
    elif isinstance(node, Macro):
        yield from _macro(node, trace, bound, root)
    elif isinstance(node, Has) and id(node) in trace.values and not _speaks_of(node, bound):
        yield unparse(node), trace.values[id(node)]
        if not trace.values[id(node)]:
            # Why not: what the path could be read as far as.
            yield from _chain(node.path, trace, bound, root)
    elif isinstance(node, Call) and node.function == "size" and id(node) in trace.values:
        # The number says more than a long list.
        if not _speaks_of(node, bound):
            yield unparse(node), trace.values[id(node)]
        if not isinstance(node.arguments[0], Name | Member | Index):
            yield from _seen(node.arguments[0], trace, bound, None if root is None else node.arguments[0])
    else:
        for child in children(node):
            yield from _seen(child, trace, bound, root)


def _chain(node: Node, trace: Trace, bound: frozenset[str], root: Node | None) -> Iterator[tuple[str, Value]]:
    """Yield the longest part of `a.b[c].d` that could be read, and the operands that its keys are made of."""
    read: Node | None = None
    keys: list[Node] = []
    while isinstance(node, Member | Index):
        if read is None and id(node) in trace.values:
            read = node
        if isinstance(node, Index):
            keys.append(node.key)
        node = node.object
    if isinstance(node, Name):
        if read is None and id(node) in trace.values:
            read = node
    elif not isinstance(node, Literal):
        yield from _seen(node, trace, bound, root)
    if read is not None and not _speaks_of(read, bound):
        yield unparse(read), trace.values[id(read)]
    for key in reversed(keys):
        yield from _seen(key, trace, bound, root)


def _macro(node: Macro, trace: Trace, bound: frozenset[str], root: Node | None) -> Iterator[tuple[str, Value]]:
    yield from _seen(node.object, trace, bound, root)
    place = trace.deciding.get(id(node))
    if root is not None and place is not None:
        # Inside the body of another macro there is one for each item, so that none of them stands for all.
        item = Index(node.object, Literal(place))
        yield unparse(item), trace.values[id(node.object)][place]
    yield from _seen(node.body, trace, bound | {node.variable}, None)
    if root is not None and node is not root and id(node) in trace.values:
        yield unparse(node), trace.values[id(node)]


def _speaks_of(node: Node, bound: frozenset[str]) -> bool:
    """Tell whether a node reads the variable of a macro around it: then it has a value for each item."""
    if not bound:
        return False
    pending = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, Name) and current.name in bound:
            return True
        pending.extend(children(current))
    return False


def _fits(value: Value) -> bool:
    """Tell whether a list or map is short enough to be shown; looks at no more of it than that takes."""
    room, pending = MAX_SHOWN, [value]
    while pending:
        current = pending.pop()
        if isinstance(current, str):
            room -= len(current) + 2
        elif isinstance(current, list):
            room -= 2 + 2 * len(current)
            pending.extend(current[: MAX_SHOWN + 1])
        elif isinstance(current, dict):
            room -= 2 + 2 * len(current)
            pending.extend(part for _, entry in zip(range(MAX_SHOWN), current.items(), strict=False) for part in entry)
        else:
            room -= 40 if isinstance(current, Opaque) else len(str(current))
        if room < 0:
            return False
    return True


def _without_stored(value: Value) -> Value:
    """Replace stored values by words; the value has been found to be small."""
    match value:
        case Opaque(marker):
            return f"a stored value of {marker.get('size', 'unknown')} bytes"
        case list():
            return [_without_stored(item) for item in value]
        case dict():
            return {key: _without_stored(item) for key, item in value.items()}
        case _:
            return value
