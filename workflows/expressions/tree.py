"""The syntax tree of an expression: frozen, and equal when the meaning is, wherever the text stood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What every node has: the offset that an error about it points to."""

    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Literal(Placed):
    """`null`, `true`, `1`, `1.5`, `'text'`."""

    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class ListOf(Placed):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf(Placed):
    """`{'a': b}`."""

    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Name(Placed):
    """A root (`params`), or the variable of a macro."""

    name: str


@dataclass(frozen=True, slots=True)
class Member(Placed):
    """`object.name`; optional: `object?.name`, which is null where the plain form is an error."""

    object: Node
    name: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Index(Placed):
    """`object[key]`."""

    object: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Unary(Placed):
    """`!operand` or `-operand`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Placed):
    """`left operator right`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Conditional(Placed):
    """`test ? then : otherwise`."""

    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Has(Placed):
    """`has(path)`: whether a path can be read and is not null."""

    path: Node


@dataclass(frozen=True, slots=True)
class Call(Placed):
    """`function(arguments)`."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Method(Placed):
    """`object.name(arguments)`."""

    object: Node
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Macro(Placed):
    """`object.name(variable, body)`: the body once per item."""

    object: Node
    name: str
    variable: str
    body: Node


Node: TypeAlias = (
    Literal | ListOf | MapOf | Name | Member | Index | Unary | Binary | Conditional | Has | Call | Method | Macro
)


def children(node: Node) -> tuple[Node, ...]:
    """Return the direct parts of a node, in the order of the text."""
    match node:
        case ListOf(items):
            return items
        case MapOf(entries):
            return tuple(part for entry in entries for part in entry)
        case Member(value) | Unary(_, value) | Has(value):
            return (value,)
        case Index(left, right) | Binary(_, left, right):
            return (left, right)
        case Conditional(test, then, otherwise):
            return (test, then, otherwise)
        case Call(_, arguments):
            return arguments
        case Method(value, _, arguments):
            return (value, *arguments)
        case Macro(value, _, _, body):
            return (value, body)
        case _:
            return ()


def depth(node: Node) -> int:
    """Return how many levels a tree has. Does not recurse: the tree may be deeper than the interpreter's stack."""
    deepest, pending = 0, [(node, 1)]
    while pending:
        current, level = pending.pop()
        deepest = max(deepest, level)
        pending.extend((child, level + 1) for child in children(current))
    return deepest


def path_of(node: Node) -> tuple[str, ...] | None:
    """Return `steps.train.output` as a tuple when a node is such a fixed path from a name, else None."""
    names: list[str] = []
    while not isinstance(node, Name):
        if isinstance(node, Member):
            names.append(node.name)
        elif isinstance(node, Index) and isinstance(node.key, Literal) and isinstance(node.key.value, str):
            names.append(node.key.value)
        else:
            return None
        node = node.object
    return (node.name, *reversed(names))


def operands(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[Node]:
    """Yield the longest fixed paths of a tree that do not start at a macro's variable, in the order of the text."""
    path = path_of(node)
    if path is not None:
        if path[0] not in bound:
            yield node
        return
    if isinstance(node, Macro):
        yield from operands(node.object, bound)
        yield from operands(node.body, bound | {node.variable})
        return
    for child in children(node):
        yield from operands(child, bound)
