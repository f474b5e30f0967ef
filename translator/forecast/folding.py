"""What can be said of a condition before the run: true, false, or not known yet.

Evaluates with the values that are there; a part that needs others is unknown, and `&&`, `||` and `!` make of it what
they can. Never raises: a condition that would be an error in the run is unknown here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workflows.expressions import ExpressionError, evaluate, parse
from workflows.expressions.tree import Binary, Conditional, Node, Unary, operands, path_of
from workflows.expressions.unparse import unparse

Path = tuple[str, ...]
Known = Callable[[Path], bool]


def truth(text: str, scope: Mapping[str, Any], known: Known) -> bool | None:
    """Return what a condition is, or None when that is not known.

    Args:
        text: Canonical text.
        scope: Root name to value.
        known: Tells whether the scope has the value of a path.
    """
    try:
        return _truth(parse(text).tree, scope, known)
    except ExpressionError:
        return None


def value_of(text: str, scope: Mapping[str, Any], known: Known) -> tuple[bool, Any]:
    """Return whether the value of an expression is known, and the value."""
    try:
        expression = parse(text)
        if all(known(path) for path in expression.references()) and _is_closed(expression.tree):
            return True, evaluate(expression, scope)
    except ExpressionError:
        pass
    return False, None


def _truth(node: Node, scope: Mapping[str, Any], known: Known) -> bool | None:
    match node:
        case Binary("&&", left, right):
            sides = _truth(left, scope, known), _truth(right, scope, known)
            return False if False in sides else True if sides == (True, True) else None
        case Binary("||", left, right):
            sides = _truth(left, scope, known), _truth(right, scope, known)
            return True if True in sides else False if sides == (False, False) else None
        case Unary("!", operand):
            inner = _truth(operand, scope, known)
            return None if inner is None else not inner
        case Conditional(test, then, otherwise):
            chosen = _truth(test, scope, known)
            return None if chosen is None else _truth(then if chosen else otherwise, scope, known)
    found, value = value_of(unparse(node), scope, known)
    return value if found and isinstance(value, bool) else None


def _is_closed(tree: Node) -> bool:
    """Tell whether every operand is a fixed path: an index that is computed reads more than its path says."""
    return all(path_of(node) is not None for node in operands(tree))
