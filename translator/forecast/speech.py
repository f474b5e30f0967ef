"""Which paths the expressions of a plan speak of: its params, variables and secrets, and the outputs of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workflows.expressions import ExpressionError, parse
from workflows.plan import Map, Plan, Step
from workflows.templates import references

Path = tuple[str, ...]


def paths_of(plan: Plan) -> Iterator[Path]:
    """Yield every path that an expression of a plan speaks of."""
    for step in plan.steps:
        yield from paths_of_step(step)
    for trigger in plan.triggers:
        yield from _of_condition(trigger.spec.get("if"))
    if plan.concurrency is not None:
        yield from _of_template(plan.concurrency.key)
    yield from _of_template(plan.output)


def paths_of_step(step: Step) -> Iterator[Path]:
    """Yield every path that an expression of a step speaks of, those on its edges included."""
    for edge in step.needs:
        for path in _of_condition(edge.when):
            yield ("steps", edge.step, *path) if path[:1] == ("output",) else path
    yield from _of_condition(step.condition)
    yield from _of_template([step.inputs, step.env])
    yield from _of_template([each.get("value") for each in (step.output or {}).values()])
    if step.kind != "shell":
        action = dict(step.action)
        event = action.get("event")
        yield from _of_condition(event.get("if") if isinstance(event, dict) else None)
        yield from _of_template(action)
    yield from _of_map(step.map)


def _of_map(level: Map | None) -> Iterator[Path]:
    while level is not None:
        yield from _of_template(level.over)
        level = level.inner


def _of_condition(text: Any) -> Iterator[Path]:
    if isinstance(text, str):
        try:
            yield from sorted(parse(text).references())
        except ExpressionError:
            return


def _of_template(template: Any) -> Iterator[Path]:
    try:
        yield from sorted(references(template))
    except ExpressionError:
        return


def names_under(plan: Plan, root: str) -> list[str]:
    """Return the names that a plan reads under `vars`, `params` or `secrets`, each once, in order."""
    return list(dict.fromkeys(path[1] for path in paths_of(plan) if path[0] == root and len(path) > 1))
