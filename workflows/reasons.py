"""The sentences that say why: one for people, the same facts beside it as data.

Only words; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workflows.conditions import Look
from workflows.messages import StepError
from workflows.plan import Step
from workflows.rules import EdgeState

MAX_NAMED = 20
"""Needs listed by name; beyond that they are counted, so that a wide fan-in stays small."""


@dataclass(frozen=True, slots=True)
class EdgeView:
    """One edge as the rule saw it."""

    need: str
    state: EdgeState | None
    """None: the need has not ended."""
    look: Look | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """A reason: the sentence and the data."""

    sentence: str
    detail: dict[str, Any]


def on_needs(step: Step, edges: Sequence[EdgeView]) -> Why:
    """Say which rule looked at which states; the sentence is a part of one."""
    if not step.needs:
        return Why("it needs nothing", {})
    if step.trigger_rule == "always":
        return Why("rule always waits for nothing", {"rule": "always"})
    detail: dict[str, Any] = {"rule": step.trigger_rule, "needs": _states(edges)}
    looks = [{"need": edge.need, **edge.look.to_json()} for edge in edges if edge.look is not None]
    if looks:
        detail["conditions"] = looks[:MAX_NAMED]
    return Why(f"rule {step.trigger_rule}: {_listed(edges)}", detail)


def with_condition(why: Why, look: Look) -> Why:
    """Add what `if` gave."""
    sentence = f"`if` {look.sentence()} is {str(look.result).lower()}"
    return Why(
        sentence if look.result is False else f"{why.sentence}; {sentence}", {**why.detail, "if": look.to_json()}
    )


def failed(error: StepError) -> str:
    """Return the first line of an error, with its type."""
    first = error.message.strip().splitlines()[0] if error.message.strip() else "no message"
    return f"{error.type}: {first}"


def _states(edges: Sequence[EdgeView]) -> dict[str, Any]:
    if len(edges) <= MAX_NAMED:
        return {edge.need: edge.state or "open" for edge in edges}
    counts: dict[str, Any] = {}
    for edge in edges:
        name = edge.state or "open"
        counts[name] = counts.get(name, 0) + 1
    return {"count": counts}


def _listed(edges: Sequence[EdgeView]) -> str:
    """Name the needs by state, the telling ones first: `check_data skipped as ..., dataset succeeded`."""
    conditioned = [_conditioned(edge) for edge in edges if edge.look is not None and edge.look.result is False]
    groups: dict[str, list[str]] = {}
    for edge in edges:
        if edge.look is None or edge.look.result is not False:
            groups.setdefault(edge.state or "not ended yet", []).append(edge.need)
    plain = [f"{_names(groups[state])} {state}" for state in sorted(groups, key=_telling)]
    return ", ".join(conditioned[:3] + plain)


def _conditioned(edge: EdgeView) -> str:
    assert edge.look is not None
    return f"{edge.need} counts as skipped because {edge.look.sentence()} is false"


def _names(names: Sequence[str]) -> str:
    if len(names) > 4:
        return f"{len(names)} steps"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


_ORDER = ("failed", "upstream_failed", "cancelled", "skipped", "succeeded")


def _telling(state: str) -> int:
    return _ORDER.index(state) if state in _ORDER else len(_ORDER)
