"""Reads through an output that may be null: found in an expression's tree, unless something guards them."""

from __future__ import annotations

from collections.abc import Iterator

from workflows.expressions import ExpressionError, parse
from workflows.expressions.tree import (
    Binary,
    Call,
    Conditional,
    Has,
    Index,
    Macro,
    Member,
    Method,
    Node,
    children,
    path_of,
)


def unguarded(node: Node, guarded: frozenset[str] = frozenset()) -> Iterator[tuple[str, Node]]:
    """Yield the steps whose output is read through, with the node that reads, where nothing guards against null.

    Args:
        node: A tree.
        guarded: Steps whose output is known to be there.
    """
    match node:
        case Has():
            return
        case Binary("&&" | "||", left, right):
            yield from unguarded(left, guarded)
            yield from unguarded(right, guarded | asked(left))
            return
        case Conditional(test, then, otherwise):
            yield from unguarded(test, guarded)
            for part in (then, otherwise):
                yield from unguarded(part, guarded | asked(test))
            return
        case Member(inner, _, False) | Index(inner) | Method(inner) | Macro(inner) | Call("size", (inner,)):
            step = output_of(inner)
            if step is not None and step not in guarded:
                yield step, node
    for child in children(node):
        yield from unguarded(child, guarded)


def asked(node: Node) -> frozenset[str]:
    """Return the steps about whose output or state an expression asks, and so may guard what follows."""
    found: set[str] = set()
    pending = [node]
    while pending:
        current = pending.pop()
        match current:
            case Has(path):
                found |= _steps_in(path)
            case Binary("==" | "!=" | "in", left, right):
                found |= {step for side in (left, right) if (step := output_of(side) or status_of(side)) is not None}
        pending += children(current)
    return frozenset(found)


def asked_in(text: str | None) -> frozenset[str]:
    """Return the same for the text of a condition."""
    try:
        return asked(parse(text).tree) if text is not None else frozenset()
    except ExpressionError:
        return frozenset()


def output_of(node: Node) -> str | None:
    """Return the step whose whole output a node is."""
    path = path_of(node)
    return path[1] if path is not None and len(path) == 3 and path[0] == "steps" and path[2] == "output" else None


def status_of(node: Node) -> str | None:
    """Return the step whose state a node is."""
    path = path_of(node)
    return path[1] if path is not None and len(path) == 3 and path[0] == "steps" and path[2] == "status" else None


def _steps_in(node: Node) -> set[str]:
    found, pending = set(), [node]
    while pending:
        current = pending.pop()
        step = output_of(current)
        found |= {step} if step is not None else set()
        pending += children(current)
    return found
