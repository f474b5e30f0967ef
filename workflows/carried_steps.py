"""Steps that the interpreter itself runs, as a snapshot has them: what waits goes on waiting in the next execution.

A part of `workflows.snapshot`. A child that is in flight is never among them: its end is awaited first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from workflows.exchange import Place
from workflows.messages import JSON, Answer, SecretText, StepTask
from workflows.own_steps import Asking, Calling, OwnStep, Waiting
from workflows.plan import Step

_KINDS: dict[type, str] = {Waiting: "wait", Asking: "approve", Calling: "workflow"}


def own_kept(own: Mapping[Place, OwnStep]) -> list[JSON]:
    """Return the steps, in the order in which they began."""
    return [
        [place.number, place.item, place.generation, _KINDS[type(each)], _fields(each)] for place, each in own.items()
    ]


def own_again(kept: list[Any], steps: tuple[Step, ...]) -> dict[Place, OwnStep]:
    """Return them again: `own_kept` is the inverse."""
    return {
        Place(number, item, generation): _step(kind, fields, steps[number])
        for number, item, generation, kind, fields in kept
    }


def _fields(own: OwnStep) -> dict[str, JSON]:
    fields = asdict(own)
    if isinstance(own, Asking):
        del fields["action"]  # it is the plan's
    return {name: value for name, value in fields.items() if value is not None}


def _step(kind: str, fields: Mapping[str, Any], step: Step) -> OwnStep:
    match kind:
        case "wait":
            return Waiting(**fields)
        case "approve":
            answers = {by: Answer(**answer) for by, answer in fields["answers"].items()}
            return Asking(**{**fields, "answers": answers, "action": step.action})
        case _:
            task = dict(fields["task"])
            task["secrets"] = [SecretText(**each) for each in task["secrets"]]
            return Calling(**{"deadline": None, **fields, "task": StepTask(**task)})
