"""Where secrets may stand: in the texts that reach a step's worker, by themselves or with text around them.

What decides a run is computed without them, and kept for everybody to see; so is what a run and its steps give.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from translator import keys
from translator.definition import SECRETS, StepDefinition, Use
from translator.diagnostics import Code, shown
from translator.located import Node, Report, Spot
from translator.names import VARIABLE
from workflows.expressions import Expression, ExpressionError, parse
from workflows.secret_texts import secret_of
from workflows.templates import expressions_in

NOT_HERE = "a secret cannot be read here: what decides a run, and what a run keeps, never sees one"
PLACES = (
    "secrets reach a step's worker: under env, under with of a python, sql, notify or ssh step, and in url, headers, "
    "params, json and body of an http step"
)
_COMPUTED = "an expression cannot compute with a secret: only the step's worker knows it"
_TEXT = 'text may stand around it, "Bearer ${{{{ {0} }}}}"; anything else does the step itself with what it gets'


def check_secret(path: tuple[str, ...], use: Use, at: Spot, report: Report) -> None:
    """Check an expression that speaks of a secret where it may."""
    problem = _problem(path, use.expression)
    if problem is not None:
        report.add(at, Code.SECRET, *problem)


def check_put(step: StepDefinition, at: Node, what: str, report: Report) -> None:
    """Check the templates of a shared step into which secrets may have been put.

    Args:
        step: The step that uses it.
        at: Where that step gives what is put in.
        what: The file of the shared step.
        report: Gets the problems, the first of each kind.
    """
    for template, allowed in _templates(step):
        for expression in _expressions(template):
            path = next((path for path in expression.references() if path[0] == SECRETS), None)
            if path is None:
                continue
            message, hint = _problem(path, expression) or ("", "") if allowed else (NOT_HERE, PLACES)
            if message:
                report.add(at, Code.SECRET, f"with this value, {what} does what cannot be done: {message}", hint)
                return


def _problem(path: tuple[str, ...], expression: Expression) -> tuple[str, str] | None:
    """Return message and hint when an expression does more with a secret than read it."""
    name = ".".join(path[:2])
    if len(path) == 1:
        return "which secret is read must be known before the run", "name it: secrets.TOKEN"
    if not VARIABLE.fullmatch(path[1]):
        message = f'"{shown(path[1])}" cannot be the name of a secret'
        return message, "a letter or _, then letters, digits or _: it is the name of a variable and of a file"
    if len(path) > 2:
        return f"a secret is text: {name} has no fields", "give the step the whole secret, and read its parts there"
    return None if secret_of(expression) is not None else (_COMPUTED, _TEXT.format(name))


def _templates(step: StepDefinition) -> Iterator[tuple[Any, bool]]:
    """Yield the templates of a step, and whether they reach its worker and nothing else."""
    yield step.env, True
    yield step.inputs, step.kind == "python" or step.kind in keys.OPERATORS
    yield [each.get("value") for each in (step.output or {}).values()], False
    if step.kind == "http":
        poll = step.action.get("poll") or {}
        yield [poll.get("until"), poll.get("fail_if"), step.action.get("callback")], False
        reaching = {"poll": {key: poll[key] for key in ("url", "headers") if key in poll}, "callback": None}
        yield step.action | reaching, True
    elif step.kind != "shell":
        yield step.action, False


def _expressions(template: Any) -> Iterator[Expression]:
    if isinstance(template, dict):
        template = [*template.values()]
    if isinstance(template, list):
        for item in template:
            yield from _expressions(item)
    elif isinstance(template, str):
        try:
            yield from [parse(text) for _, text in expressions_in(template)]
        except ExpressionError:
            return  # has been reported
