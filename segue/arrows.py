"""Arrows between steps: `a >> b`, `a << [b, c]`, `chain(a, b, c)`, `a.when(...) >> b`.

Only records who points at whom; the DAG turns arrows into needs when it is complete, because a group's first and last
steps are known only then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from segue.codes import Code
from segue.expression import Expression
from segue.place import Place, here, misuse

if TYPE_CHECKING:
    from segue.dag import DAG

_T = TypeVar("_T")


class Node:
    """What an arrow may start or end at: an operator or a group."""

    dag: DAG

    def __rshift__(self, other: _T) -> _T:
        return _joined(self, other, result=other)

    def __lshift__(self, other: _T) -> _T:
        return _joined(other, self, result=other)

    def __rrshift__(self, other: Any) -> Any:
        return _joined(other, self, result=self)

    def __rlshift__(self, other: Any) -> Any:
        return _joined(self, other, result=self)

    def set_downstream(self, other: Ends) -> None:
        """Do what `self >> other` does."""
        connect(self, other)

    def set_upstream(self, other: Ends) -> None:
        """Do what `self << other` does."""
        connect(other, self)


class Conditional(Node):
    """An operator whose outgoing arrows carry a condition; made by `operator.when(...)`."""

    def __init__(self, node: Node, condition: Expression) -> None:
        self.node = node
        self.condition = condition
        self.dag = node.dag


class Steps(list[Any], Node):
    """A list of steps that arrows may start from again: `a >> [b, c] >> [d, e]`."""


Ends: TypeAlias = "Node | Iterable[Ends]"


@dataclass(frozen=True, slots=True)
class Arrow:
    """One arrow as written."""

    source: Node
    target: Node
    condition: Expression | None
    place: Place


def connect(upstream: Any, downstream: Any) -> None:
    """Draw an arrow from everything upstream to everything downstream."""
    place = here()
    targets = _ends(downstream)
    for source, condition in _ends(upstream):
        for target, _ in targets:
            if source is target:
                raise misuse("a step cannot need itself: the arrow leads back to where it starts", code=Code.CYCLE)
            if source.dag is not target.dag:
                raise misuse("an arrow cannot lead from one DAG into another")
            source.dag.arrows.append(Arrow(source, target, condition, place))


def chain(*steps: Any) -> None:
    """Draw arrows along a row of steps: `chain(a, [b, c], [d, e], f)`.

    Here `a` leads to `b` and `c`, `b` to `d`, `c` to `e`, and both to `f`. Two lists next to each
    other must have the same length; they are joined pair by pair.
    """
    for left, right in pairwise(steps):
        if isinstance(left, list | tuple) and isinstance(right, list | tuple):
            if len(left) != len(right):
                raise misuse(f"chain() joins lists pair by pair; one has {len(left)} steps, the next {len(right)}")
            for source, target in zip(left, right, strict=True):
                connect(source, target)
        else:
            connect(left, right)


def _joined(upstream: Any, downstream: Any, *, result: _T) -> _T:
    connect(upstream, downstream)
    return cast(_T, Steps(result)) if isinstance(result, list | tuple) else result


def _ends(value: Any) -> list[tuple[Node, Expression | None]]:
    if isinstance(value, Conditional):
        return [(value.node, value.condition)]
    if isinstance(value, list | tuple):
        return [end for inner in value for end in _ends(inner)]
    if isinstance(value, Node):
        return [(value, None)]
    hint = "an arrow joins operators, groups and lists of them"
    if isinstance(value, Expression):
        hint = "an arrow joins operators; the output of one is not a step"
    elif hasattr(value, "expand"):
        hint = "complete the map first: Operator.partial(...).expand(item=[...])"
    raise misuse(f"{value!r} is not a step", hint=hint)
