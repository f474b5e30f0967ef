"""Looking at a condition: true, false or an error, always with the values it saw.

Conditions are those of edges and of `if`. Never raises: a condition that cannot be decided is a `Look` with an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from workflows.expressions import Expression, ExpressionError, evaluate, explain, parse
from workflows.messages import JSON, StepError
from workflows.values import brief

MAX_NAMED = 6
"""Operands that a sentence names."""
MAX_SENTENCE = 300
"""Characters of an expression in a sentence."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a condition.

    Attributes:
        expression: Its text.
        result: None when there is an error.
        values: Operand to the value seen, shortened; what was not looked at is not there.
    """

    expression: str
    result: bool | None
    values: dict[str, JSON]
    error: StepError | None = None

    def sentence(self) -> str:
        """Return the expression and what it saw, as part of a sentence; all of it is in `to_json`."""
        parts = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in self.values.items()]
        shown = parts[:MAX_NAMED] + ["..."] * (len(parts) > MAX_NAMED)
        cut = self.expression if len(self.expression) <= MAX_SENTENCE else self.expression[: MAX_SENTENCE - 3] + "..."
        return f"`{cut}`" + (f" ({', '.join(shown)})" if shown else "")

    def to_json(self) -> dict[str, Any]:
        """Return the look as data for a transition's detail."""
        return {"expression": self.expression, "result": self.result, "values": self.values}


def look(text: str, scope: Mapping[str, JSON], where: str) -> Look:
    """Evaluate a condition.

    Args:
        text: The expression.
        scope: Root name to value.
        where: The place in the definition, for the message: `if`, or `needs.train`.
    """
    try:
        expression = _parsed(text)
        result = evaluate(expression, scope)
    except ExpressionError as problem:
        return Look(text, None, _seen(text, scope), expression_error(problem, where))
    values = _seen(text, scope)
    if isinstance(result, bool):
        return Look(text, result, values)
    message = f"{where}: `{text}` must give true or false, but gives {brief(result)!r}"
    return Look(text, None, values, StepError("ExpressionError", message, {"where": where, "expression": text}))


def expression_error(problem: ExpressionError, where: str) -> StepError:
    """Turn an expression's error into the failure of the step it stands in."""
    detail = {"where": where, "expression": problem.text, "offset": problem.offset}
    return StepError("ExpressionError", f"{where}: {problem.message} in `{problem.text}`", detail)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Expression:
    return parse(text)


def _seen(text: str, scope: Mapping[str, JSON]) -> dict[str, JSON]:
    try:
        return explain(_parsed(text), scope)
    except ExpressionError:
        return {}
