"""Finds the expressions in a definition's texts and puts them in canonical form.

What they speak of is checked later, when all steps are known.
"""

from __future__ import annotations

from typing import Any

from translator.definition import Use
from translator.diagnostics import Code
from translator.fields import type_of
from translator.located import Node, Report
from workflows.expressions import ExpressionError, parse
from workflows.messages import REFERENCE
from workflows.templates import CLOSING, OPENING, expressions_in

_Names = frozenset[str]


def read_template(node: Node, names: _Names, uses: list[Use], report: Report) -> Any:
    """Return a value as a canonical template.

    Args:
        node: The value; its texts may hold expressions.
        names: What they may speak of.
        uses: Gets the expressions that were found.
        report: Gets the problems.
    """
    if isinstance(node.value, list):
        return [read_template(item, names, uses, report) for item in node.items]
    if isinstance(node.value, dict):
        if REFERENCE in node.value:
            report.add(node.mapping[REFERENCE].key, Code.BAD_NAME, f'the key "{REFERENCE}" is reserved')
        return {name: read_template(entry.value, names, uses, report) for name, entry in node.mapping.items()}
    if isinstance(node.value, str) and OPENING in node.value:
        return _read_text(node, node.value, names, uses, report)
    return node.value


def read_condition(
    node: Node,
    key: str,
    names: _Names,
    uses: list[Use],
    report: Report,
    *,
    edge_from: str | None = None,
    arriving: bool = False,
) -> str | None:
    """Return a condition as canonical text, without braces; None when it is `true` or wrong.

    The braces may be left out, as in GitHub Actions: a condition is always an expression.
    """
    if isinstance(node.value, bool):
        return None if node.value else "false"
    if not isinstance(node.value, str):
        message = f'"{key}" must be an expression, but is {type_of(node)}'
        report.add(node, Code.WRONG_TYPE, message, 'such as "${{ params.x > 5 }}"')
        return None
    found = _find(node, node.value, report)
    if found is None:
        return None
    if not found and OPENING not in node.value:
        found = [(0, node.value)]
    offset, text = found[0]
    if len(found) > 1 or (OPENING in node.value and node.value.strip() != f"{OPENING}{text}{CLOSING}"):
        message = f'"{key}" must be one expression, with nothing around it'
        report.add(node, Code.EXPRESSION, message, "put all of it into one ${{ ... }}")
        return None
    use = _use(node, offset, text, names, report, edge_from, arriving)
    if use is None:
        return None
    uses.append(use)
    return use.expression.text


def refuse_expressions(node: Node, code: Code, message: str, hint: str, report: Report) -> bool:
    """Report expressions in a value that cannot hold any; tell whether there were any."""
    if isinstance(node.value, str):
        at = node.value.find(OPENING)
        if at >= 0:
            report.add(node.inside(at), code, message, hint)
        return at >= 0
    parts = [*node.items, *(entry.value for entry in node.mapping.values())]
    # Not `any`: every part is to be reported.
    return True in [refuse_expressions(part, code, message, hint, report) for part in parts]


def _read_text(node: Node, text: str, names: _Names, uses: list[Use], report: Report) -> str:
    parts, behind = [], 0
    for offset, expression in _find(node, text, report) or []:
        use = _use(node, offset, expression, names, report)
        parts.append(text[behind:offset])
        behind = offset + len(expression)
        if use is not None:
            uses.append(use)
            parts.append(f" {use.expression.text} ")
    return "".join([*parts, text[behind:]])


def _find(node: Node, text: str, report: Report) -> list[tuple[int, str]] | None:
    try:
        return expressions_in(text)
    except ExpressionError as error:
        report.add(node.inside(error.offset), Code.EXPRESSION, error.message, 'an expression is "${{ ... }}"')
        return None


def _use(
    node: Node,
    offset: int,
    text: str,
    names: _Names,
    report: Report,
    edge_from: str | None = None,
    arriving: bool = False,
) -> Use | None:
    try:
        return Use(parse(text), node, offset, names, edge_from, arriving)
    except ExpressionError as error:
        report.add(node.inside(offset + error.offset), Code.EXPRESSION, error.message)
        return None
