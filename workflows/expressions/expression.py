"""An expression as other rooms use it: parsed, evaluated, explained."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from workflows.expressions.errors import ExpressionError, Fault
from workflows.expressions.evaluator import Evaluation
from workflows.expressions.explanation import Trace, explained
from workflows.expressions.limits import MAX_TEXT
from workflows.expressions.parser import parse_tree
from workflows.expressions.patterns import compile_pattern
from workflows.expressions.tree import Index, Member, Name, Node, operands, path_of
from workflows.expressions.unparse import unparse
from workflows.expressions.values import Budget, as_json, as_text

JSON: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict with text keys."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; two are equal when their canonical texts are.

    Attributes:
        text: Canonical text: parsing it gives an equal expression.
        source: The text it was parsed from, which offsets of errors refer to.
        tree: Its syntax tree.
    """

    text: str
    source: str = field(compare=False)
    tree: Node = field(compare=False, repr=False)

    def references(self) -> frozenset[tuple[str, ...]]:
        """Return the fixed paths it may read, such as `("steps", "train", "output")`.

        A path ends where an index is computed or a list is entered; variables of macros are not among them.
        """
        return frozenset(path for node in operands(self.tree) if (path := path_of(node)) is not None)

    def places(self) -> list[tuple[tuple[str, ...], int]]:
        """Return each reference with the offset in `source` at which it starts, in the order of the text."""
        return [(path, _start(node)) for node in operands(self.tree) if (path := path_of(node)) is not None]


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Parse an expression (without `${{ }}`).

    Raises:
        ExpressionError: The text is not an expression of the language, or exceeds its limits.
    """
    tree = parse_tree(text)
    canonical = unparse(tree)
    if len(canonical) > MAX_TEXT:
        raise ExpressionError(f"the expression is longer than {MAX_TEXT} characters in canonical form", 0, text)
    return Expression(canonical, text, tree)


def evaluate(expression: Expression, scope: Mapping[str, JSON]) -> JSON:
    """Return the value of an expression, as JSON: times are text, stored values (`Opaque`) their markers.

    Args:
        expression: What to evaluate.
        scope: Root name to value.

    Raises:
        ExpressionError: It has no value: a type error, a read through null, an overflow, too much work.
    """
    return _finish(expression, scope, as_json)


def text_of(expression: Expression, scope: Mapping[str, JSON]) -> str:
    """Return the value of an expression as it appears in the middle of a text; what is not text is JSON.

    Raises:
        ExpressionError: It has no value, or is a stored value.
    """
    return str(_finish(expression, scope, as_text))


def pattern_matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern of `matches` matches somewhere in a text; for JSON Schema's `pattern`.

    Raises:
        ExpressionError: The pattern is not of the supported syntax, or the two together are too much work.
    """
    try:
        return compile_pattern(pattern).search(text, Budget().spend)
    except Fault as fault:
        raise ExpressionError(fault.message) from None


def explain(expression: Expression, scope: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the values that an evaluation sees, by the text of the operand; never raises.

    What is not looked at is not there. An operand that cannot be read is shown by the longest part of it that can.
    Large values are cut short, and of many operands the first are shown.
    """
    trace = Trace()
    with suppress(ExpressionError):
        Evaluation(expression.source, scope, trace).value(expression.tree)
    return explained(expression.tree, trace)


def _finish(expression: Expression, scope: Mapping[str, JSON], convert: Any) -> JSON:
    value = Evaluation(expression.source, scope).value(expression.tree)
    try:
        return convert(value)
    except Fault as fault:
        raise ExpressionError(fault.message, 0, expression.source) from None


def _start(node: Node) -> int:
    while isinstance(node, Member | Index):
        node = node.object
    return node.at if isinstance(node, Name) else 0
