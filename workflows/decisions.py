"""Deciding a step: what its needs, its trigger rule and its `if` come to, with the reason.

Looks at the state and changes nothing; the core (`workflows.core`) asks when a decision may have become possible, and
does what comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workflows.conditions import look
from workflows.messages import TERMINAL_STEP_STATES, StepError, StepState
from workflows.reasons import EdgeView, Why, on_needs, with_condition
from workflows.rules import EdgeState, Verdict, decide, is_eager, starts_at_once
from workflows.state import State


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a step; `error` says why a condition could not be looked at, and makes the verdict `failed`."""

    verdict: Verdict | Literal["failed"]
    why: Why
    error: StepError | None = None


def one_need_is_enough(state: State, number: int, place: int) -> bool:
    """Say whether the end of this one need lets a step with an eager rule start."""
    rule = state.graph.steps[number].trigger_rule
    if not is_eager(rule):
        return False
    carried = edge(state, number, place).state
    return carried is not None and starts_at_once(rule, carried)


def may_be_decided(state: State, number: int) -> bool:
    """Say whether a step that waits has seen enough of its needs for a decision."""
    if state.pending[number] == 0 or state.graph.steps[number].trigger_rule == "always":
        return True
    return any(one_need_is_enough(state, number, place) for place in range(len(state.graph.needs[number])))


def decision(state: State, number: int) -> Decision:
    """Decide a step whose rule allows a decision now."""
    step = state.graph.steps[number]
    edges = [edge(state, number, place) for place in range(len(step.needs))]
    why = on_needs(step, edges)
    states = [each.state for each in edges if each.state is not None]
    if len(states) == len(edges) and step.trigger_rule != "always":
        verdict = decide(step.trigger_rule, states)
        broken = next((each.look.error for each in edges if each.look is not None and each.look.error), None)
        if broken is not None and not (verdict == "start" and is_eager(step.trigger_rule)):
            return Decision("failed", why, broken)
        if verdict != "start":
            return Decision(verdict, why)
    if step.condition is None:
        return Decision("start", why)
    seen = look(step.condition, state.scope, "if")
    if seen.error is not None:
        return Decision("failed", Why(why.sentence, {**why.detail, "if": seen.to_json()}), seen.error)
    return Decision("start" if seen.result else "skipped", with_condition(why, seen))


def edge(state: State, number: int, place: int) -> EdgeView:
    """Look at one need of a step, and at its condition once the need has succeeded."""
    need = state.graph.needs[number][place]
    name = state.graph.steps[need.number].id
    found = state.steps[need.number]
    if found not in TERMINAL_STEP_STATES:
        return EdgeView(name, None)
    if found != "succeeded" or need.when is None:
        return EdgeView(name, _edge_state(found))
    scope = {**state.scope, "output": state.scope["steps"][name]["output"]}
    seen = look(need.when, scope, f"needs.{name}")
    return EdgeView(name, "succeeded" if seen.result else "skipped", seen)


def _edge_state(state: StepState) -> EdgeState:
    assert state in TERMINAL_STEP_STATES
    return state  # type: ignore[return-value]  # the terminal states are the edge states
