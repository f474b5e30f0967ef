"""A step's declared output, as its worker sees to it: `workflows.declared`, with a problem as the step's failure."""

from __future__ import annotations

from typing import Any

from activities.values import invalid
from workflows.messages import JSON

Declared = dict[str, dict[str, Any]]


def typed_text(values: dict[str, str], declared: Declared | None) -> dict[str, JSON]:
    """Return text values with the types that the declaration gives them; what is not declared stays text.

    Raises:
        StepFailed: `OutputInvalid`: a text is not of its type.
    """
    if not _has_schemas(declared):
        return dict(values)
    # jsonschema takes 60 ms to import, which a step without declared output need not pay.
    from workflows import declared as rule

    try:
        return rule.typed_text(values, declared)
    except rule.OutputProblem as problem:
        raise invalid(problem.path, problem.problem) from None


def check_declared(value: JSON, declared: Declared | None) -> JSON:
    """Return an output that has what is declared; a declared default fills in what is missing.

    Raises:
        StepFailed: `OutputInvalid`: a declared name is missing or does not fit its schema.
    """
    if not _has_schemas(declared):
        return value
    from workflows import declared as rule

    try:
        return rule.check_declared(value, declared)
    except rule.OutputProblem as problem:
        raise invalid(problem.path, problem.problem) from None


def _has_schemas(declared: Declared | None) -> bool:
    return any("schema" in entry for entry in (declared or {}).values())
