"""What is fuzzed: each target takes any text, and may raise nothing. What it asserts is the promise of its room."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

from tests.workflows.exact_types import admits, exactly
from translator import DefinitionError, compile_yaml
from workflows.expressions import ExpressionError, Opaque, evaluate, explain, parse, text_of
from workflows.expressions.evaluator import Evaluation
from workflows.expressions.inference import infer
from workflows.plan import Plan
from workflows.templates import canonical, render

_Result = TypeVar("_Result")

SCOPE: dict[str, Any] = {
    "a": 5,
    "b": [1, 2.5, "t", None, [True]],
    "x": "text-42",
    "params": {
        "n": 3,
        "min": 0.9,
        "name": "digits",
        "grid": [{"depth": 4}, {"depth": 8}],
        "none": None,
        "big": 2**63 - 1,
    },
    "steps": {
        "check": {"output": {"quality": "good", "at": "2025-01-31T06:00:00Z"}, "status": "succeeded"},
        "skipped": {"output": None, "status": "skipped"},
        "large": {"output": Opaque({"$segue": "json", "key": "k", "size": 99_999}), "status": "succeeded"},
    },
}
TYPES = {name: exactly(value) for name, value in SCOPE.items()}


def expression(text: str) -> None:
    """Parse, evaluate, explain and type an expression; and read it as a template."""
    with contextlib.suppress(ExpressionError):
        assert canonical(canonical(text)) == canonical(text)
        render(text, SCOPE)
    parsed = _within(text, lambda: parse(text))
    if parsed is None:
        return
    again = parse(parsed.text)
    assert (again.tree, again.text) == (parsed.tree, parsed.text)
    assert len(json.dumps(explain(parsed, SCOPE), allow_nan=False)) < 20_000
    type_, problems = infer(parsed, TYPES)
    assert all(0 <= problem.offset <= len(text) for problem in problems)
    _within(text, lambda: text_of(parsed, SCOPE).encode())
    value = _within(text, lambda: json.dumps(evaluate(parsed, SCOPE), allow_nan=False))
    if value is not None:
        assert json.dumps(evaluate(again, SCOPE)) == value
        assert admits(type_, Evaluation(text, SCOPE).value(parsed.tree)), type_


def definition(text: str) -> None:
    """Read and compile a definition in YAML."""
    refusal: DefinitionError | None = None
    try:
        plan = compile_yaml(text, "fuzz.yaml")
    except DefinitionError as error:
        refusal = error
    if refusal is None:
        assert Plan.from_json(json.loads(json.dumps(plan.to_json()))).content_hash == plan.content_hash
        return
    lines = text.count("\n") + text.count("\r") + 1
    assert refusal.diagnostics
    assert all(1 <= found.line <= lines and found.column >= 1 for found in refusal.diagnostics)
    refusal.render().encode()


def _within(text: str, act: Callable[[], _Result]) -> _Result | None:
    """Return what an act gives, or None when it is refused at a place inside the text."""
    refusal: ExpressionError | None = None
    try:
        return act()
    except ExpressionError as error:
        refusal = error
    assert 0 <= refusal.offset <= len(text), refusal.offset
    return None


TARGETS: dict[str, Callable[[str], None]] = {"expressions": expression, "definitions": definition}
