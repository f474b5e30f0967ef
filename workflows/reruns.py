"""Which steps of a rerun run again, and why; the others' outputs are taken over.

Pure: it compares plans, and what was read with what has changed. The outputs themselves are none of its business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows.expressions import ExpressionError
from workflows.messages import JSON
from workflows.plan import Plan, Step
from workflows.templates import references

_MEANING = ("kind", "action", "inputs", "env", "needs", "trigger_rule", "condition", "map", "output", "artifacts")
"""Fields of a step on which its output depends; where and how patiently it runs is not among them."""


@dataclass(slots=True)
class Choice:
    """What a rerun makes of the steps of the main part.

    Attributes:
        kept: Steps whose outputs are taken over, in plan order.
        again: Steps that run again, or may, and the reason of each.
    """

    kept: list[str] = field(default_factory=list)
    again: dict[str, str] = field(default_factory=dict)


def choose(
    old: Plan, new: Plan, states: Mapping[str, str], named: Collection[str], changed: Collection[tuple[str, str]]
) -> Choice:
    """Decide what runs again.

    Args:
        old: The plan of the run that is run again.
        new: The plan of the rerun.
        states: How each step of the old run ended.
        named: Steps that are to run again whatever happens.
        changed: What expressions read and is another now, such as `("params", "rows")`.
    """
    before = {step.id: step for step in old.steps}
    choice = Choice()
    for step in new.steps:
        if step.phase != "main":
            continue
        why = _why(step, before.get(step.id), states.get(step.id, ""), named, changed, choice)
        if why:
            choice.again[step.id] = why
        elif states.get(step.id) == "succeeded":
            choice.kept.append(step.id)
    return choice


def _why(
    step: Step,
    before: Step | None,
    state: str,
    named: Collection[str],
    changed: Collection[tuple[str, str]],
    choice: Choice,
) -> str:
    """Return why a step runs again; empty: it does not, or is skipped as it was."""
    if step.id in named:
        return "it is named"
    if before is None or before.phase != "main":
        return "it is new"
    fields = [name for name in _MEANING if getattr(before, name) != getattr(step, name)]
    if fields:
        return f"its {' and '.join(_words(name) for name in fields[:3])} changed"
    read = [".".join(path) for path in changed if _reads(step, path)]
    if read:
        return f"it reads {' and '.join(read[:3])}, which changed"
    follows = [edge.step for edge in step.needs if edge.step in choice.again]
    if follows:
        return f"it follows {' and '.join(follows[:3])}"
    if state not in ("succeeded", "skipped"):
        return f"it was {state.replace('_', ' ')}" if state else "it had no state"
    return ""


def _words(name: str) -> str:
    return {"trigger_rule": "trigger rule", "condition": "`if`", "inputs": "`with`"}.get(name, name)


def _reads(step: Step, path: tuple[str, str]) -> bool:
    """Say whether a step's expressions may read a path; all of it counts as reading each part."""
    return any(found[0] == path[0] and (len(found) == 1 or found[1] == path[1]) for found in _paths(step))


def _paths(step: Step) -> Iterable[tuple[str, ...]]:
    for template in templates_of(step):
        try:
            yield from references(template)
        except ExpressionError:
            continue  # it fails the step wherever it is looked at


def templates_of(step: Step) -> list[JSON]:
    """Return everything in a step that may hold expressions; a condition as a template with nothing beside it."""
    found: list[Any] = [step.inputs, step.env, step.action, step.output]
    awaited = step.action.get("event") if step.kind == "wait" else None
    conditions = [step.condition, awaited.get("if") if isinstance(awaited, dict) else None]
    conditions += [edge.when for edge in step.needs]
    found += [f"${{{{ {condition} }}}}" for condition in conditions if condition is not None]
    level = step.map
    while level is not None:
        found.append(level.over)
        level = level.inner
    return found


def changes(root: str, before: Mapping[str, JSON], after: Mapping[str, JSON]) -> list[tuple[str, str]]:
    """Return the names under a root whose values are not what they were."""
    names = [*before, *(name for name in after if name not in before)]
    return [
        (root, name) for name in names if (name in before) != (name in after) or before.get(name) != after.get(name)
    ]
