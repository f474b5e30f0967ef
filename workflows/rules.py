"""Trigger rules: what the states of a step's needs mean for the step.

Names and meaning are Airflow's, but for two things. `cancelled` counts as failed. And every rule except the eager ones
waits until all needs are terminal, so that no decision depends on which need ended first.

This module knows states alone: no outputs, no expressions (`workflows.core` turns an edge's condition into a state).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from workflows.plan import TriggerRule

EdgeState = Literal["succeeded", "failed", "upstream_failed", "skipped", "cancelled"]
"""The state of a need as its edge carries it: `skipped` also when the edge's condition is false."""

Verdict = Literal["start", "skipped", "upstream_failed"]

_EAGER_ON: dict[TriggerRule, frozenset[str]] = {
    "one_success": frozenset({"succeeded"}),
    "one_failed": frozenset({"failed", "upstream_failed", "cancelled"}),
    "one_done": frozenset({"succeeded", "failed", "cancelled"}),
}


@dataclass(frozen=True, slots=True)
class Tally:
    """How many edges are in which state; `failed` includes the cancelled ones."""

    total: int
    succeeded: int
    failed: int
    upstream_failed: int
    skipped: int

    @classmethod
    def of(cls, states: Sequence[EdgeState]) -> Tally:
        """Count the states."""
        return cls(
            total=len(states),
            succeeded=states.count("succeeded"),
            failed=states.count("failed") + states.count("cancelled"),
            upstream_failed=states.count("upstream_failed"),
            skipped=states.count("skipped"),
        )

    @property
    def broken(self) -> int:
        """Edges whose need failed or could not start."""
        return self.failed + self.upstream_failed


def is_eager(rule: TriggerRule) -> bool:
    """Say whether one need can start the step before the others have ended."""
    return rule in _EAGER_ON


def starts_at_once(rule: TriggerRule, state: EdgeState) -> bool:
    """Say whether this one edge lets a step with an eager rule start."""
    return state in _EAGER_ON.get(rule, frozenset())


def decide(rule: TriggerRule, states: Sequence[EdgeState]) -> Verdict:
    """Return what the rule makes of a step all of whose needs are terminal.

    A step without needs starts, whatever its rule.
    """
    if not states:
        return "start"
    return _RULES[rule](Tally.of(states))


_Rule: TypeAlias = Callable[[Tally], Verdict]


def _all_success(tally: Tally) -> Verdict:
    if tally.broken:
        return "upstream_failed"
    return "skipped" if tally.skipped else "start"


def _one_success(tally: Tally) -> Verdict:
    if tally.succeeded:
        return "start"
    return "skipped" if tally.skipped == tally.total else "upstream_failed"


def _none_failed(tally: Tally) -> Verdict:
    return "upstream_failed" if tally.broken else "start"


def _none_failed_min_one_success(tally: Tally) -> Verdict:
    if tally.broken:
        return "upstream_failed"
    return "start" if tally.succeeded else "skipped"


def _if(allowed: Callable[[Tally], bool]) -> _Rule:
    def rule(tally: Tally) -> Verdict:
        return "start" if allowed(tally) else "skipped"

    return rule


_RULES: dict[TriggerRule, _Rule] = {
    "all_success": _all_success,
    "all_failed": _if(lambda tally: tally.broken == tally.total),
    "all_done": _if(lambda tally: True),
    "all_skipped": _if(lambda tally: tally.skipped == tally.total),
    "one_success": _one_success,
    "one_failed": _if(lambda tally: tally.broken > 0),
    "one_done": _if(lambda tally: tally.succeeded + tally.failed > 0),
    "none_failed": _none_failed,
    "none_failed_min_one_success": _none_failed_min_one_success,
    "none_skipped": _if(lambda tally: tally.skipped == 0),
    "always": _if(lambda tally: True),
}
