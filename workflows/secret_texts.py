"""Texts with secrets: taken out of a step's templates by the core, put together by its worker.

Where a secret goes is known from the plan alone. What a run computes (params, outputs, events) fills the other parts of
a text and is never looked at again, so nothing that looks like a reference is taken for one. An expression never sees a
secret: the worker joins texts, and evaluates none with a secret in its scope. No value of a secret is in this module's
inputs but those of `filled`, which the worker calls.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from workflows.expressions import Expression, ExpressionError, parse, text_of
from workflows.expressions.tree import Index, Literal, Member, Name
from workflows.messages import JSON, StepTask
from workflows.plan import Step
from workflows.templates import CLOSING, OPENING, expressions_in

SECRETS = "secrets"

Place: TypeAlias = tuple[str | int, ...]

_RENDERED_AGAIN = frozenset({"poll", "cancel"})
_FIELDS = {"inputs": "with", "env": "env"}


def secret_of(expression: Expression) -> str | None:
    """Return the name of the secret that an expression is, if it is nothing else."""
    match expression.tree:
        case Member(Name("secrets"), name, False) | Index(Name("secrets"), Literal(str() as name)):
            return name
    return None


def place_name(kind: str, at: list[Any]) -> str:
    """Return what messages call the place of a text in a task: `env.TOKEN`, `http.request.headers.Authorization`."""
    first, *rest = at
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
    return f"{_FIELDS.get(first, kind)}{path}"


def taken_out(step: Step) -> tuple[Step, list[tuple[Place, str]]]:
    """Return a step with null in the place of each text that holds a secret, and these texts by their place."""
    fields: dict[str, Any] = {"inputs": step.inputs, "env": step.env}
    if step.kind != "shell":  # a script is no template
        fields["action"] = step.action
    texts = [found for name, value in fields.items() for found in _held(value, (name,))]
    if not texts:
        return step, []
    fields = copy.deepcopy(fields)
    for place, _ in texts:
        _put(fields, place, None)
    return replace(step, **fields), texts


def parts_of(text: str, scope: Mapping[str, JSON], late_roots: frozenset[str]) -> list[dict[str, str]]:
    """Return what a text with secrets is made of, with all that is known now filled in.

    Args:
        text: A template.
        scope: Root name to value.
        late_roots: What only the worker knows besides secrets.

    Raises:
        ExpressionError: An expression has no value.
    """
    parts: list[dict[str, str]] = []
    behind = 0
    for start, source in expressions_in(text):
        parts.append({"text": text[behind : start - len(OPENING)]})
        behind = start + len(source) + len(CLOSING)
        expression = parse(source)
        name = secret_of(expression)
        if name is not None:
            parts.append({"secret": name})
        elif any(path[0] in late_roots for path in expression.references()):
            parts.append({"late": expression.text})
        else:
            parts.append({"text": text_of(expression, scope)})
    return [part for part in (*parts, {"text": text[behind:]}) if part != {"text": ""}]


def late_paths(parts: list[dict[str, str]]) -> set[tuple[str, ...]]:
    """Return the paths that the late expressions among the parts of a text read."""
    return {path for part in parts if "late" in part for path in parse(part["late"]).references()}


def names_of(task: StepTask) -> dict[str, str]:
    """Return the secrets that a task needs, each with the first place that does."""
    names: dict[str, str] = {}
    for text in task.secrets:
        for part in text.parts:
            if "secret" in part:
                names.setdefault(part["secret"], place_name(task.kind, text.at))
    return names


@dataclass(frozen=True, slots=True, repr=False)
class LateText:
    """A text with secrets that waits for an answer; it stands in the action of an http step on its worker alone."""

    parts: tuple[dict[str, str], ...]

    def __str__(self) -> str:
        return "".join(f"{OPENING} {part['late']} {CLOSING}" if "late" in part else part["text"] for part in self.parts)

    def rendered(self, scope: Mapping[str, JSON]) -> str:
        """Return the text.

        Raises:
            ExpressionError: A late expression has no value.
        """
        return "".join(text_of(parse(part["late"]), scope) if "late" in part else part["text"] for part in self.parts)


def filled(task: StepTask, values: Mapping[str, str]) -> StepTask:
    """Return a task with the values of its secrets in their places; the given one is not changed.

    Args:
        task: As the core made it.
        values: Name to value, of every secret that it needs.
    """
    fields: dict[str, Any] = copy.deepcopy({"inputs": task.inputs, "env": task.env, "action": task.action})
    for text in task.secrets:
        parts = tuple({"text": values[part["secret"]]} if "secret" in part else part for part in text.parts)
        # Where an http step renders again, what a run or a secret put into a text must not be read as a template.
        late = text.at[0] == "action" and (text.at[1] in _RENDERED_AGAIN or "callback" in task.action)
        _put(fields, text.at, LateText(parts) if late else LateText(parts).rendered({}))
    return replace(task, **fields)


def _held(value: JSON, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _held(item, (*place, name))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _held(item, (*place, number))
    elif isinstance(value, str) and SECRETS in value and OPENING in value and _holds_secret(value):
        yield place, value


def _holds_secret(text: str) -> bool:
    try:
        return any(secret_of(parse(source)) is not None for _, source in expressions_in(text))
    except ExpressionError:
        return False  # whoever renders it says what is wrong


def _put(fields: JSON, place: Place | list[Any], value: Any) -> None:
    *path, last = place
    for part in path:
        fields = fields[part]
    fields[last] = value
