"""In which states each step of a plan can end, as far as that is known before the run.

The rules look only at which states are among a step's needs, so the sets of states that can be there together are few,
however many needs there are. That two needs may hang together is not looked at: a state that is named here may still be
impossible, but one that is not named is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from workflows.plan import Edge, Plan, Step
from workflows.rules import EdgeState, Verdict, decide

Truth = Callable[[Step, Edge | None], bool | None]
"""What is known of the condition of a step's edge, or for None of its `if`."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What can become of a step.

    Attributes:
        verdicts: What its rule and its `if` can make of it.
        by_rule: What its rule alone can.
        states: How it can end.
        edges: For each need in order, the states that the edge can carry.
    """

    verdicts: frozenset[Verdict]
    by_rule: frozenset[Verdict]
    states: frozenset[EdgeState]
    edges: tuple[frozenset[EdgeState], ...]

    @property
    def can_start(self) -> bool:
        """Whether it can start at all."""
        return "start" in self.verdicts


def outlooks(plan: Plan, truth: Truth, *, failures: bool) -> dict[str, Outlook]:
    """Return the outlook of every step, in plan order.

    Args:
        plan: What runs.
        truth: What is known of conditions.
        failures: Whether a step that starts may fail.
    """
    found: dict[str, Outlook] = {}
    for step in plan.steps:
        edges = tuple(_edge(found[edge.step].states, edge, truth(step, edge)) for edge in step.needs)
        by_rule = frozenset(decide(step.trigger_rule, states) for states in together(edges))
        verdicts = set(by_rule)
        if step.condition is not None and "start" in verdicts:
            met = truth(step, None)
            verdicts |= set() if met else {"skipped"}
            verdicts -= {"start"} if met is False else set()
        found[step.id] = Outlook(frozenset(verdicts), by_rule, _states(verdicts, failures), edges)
    return found


def _edge(states: Iterable[EdgeState], edge: Edge, met: bool | None) -> frozenset[EdgeState]:
    carried = set(states)
    if edge.when is not None and "succeeded" in carried and met is not True:
        carried.add("skipped")
        if met is False:
            carried.discard("succeeded")
    return frozenset(carried)


def together(edges: Iterable[frozenset[EdgeState]]) -> list[list[EdgeState]]:
    """Return the sets of states that can be among some needs."""
    sets: set[frozenset[EdgeState]] = {frozenset()}
    for edge, count in Counter(edges).items():
        # More needs that are alike than they have states add no set.
        sets = _with(sets, edge, min(count, len(edge)))
    return [sorted(held) for held in sets]


def _with(sets: set[frozenset[EdgeState]], edge: frozenset[EdgeState], count: int) -> set[frozenset[EdgeState]]:
    for _ in range(count):
        sets = {held | {state} for held in sets for state in edge}
    return sets


def _states(verdicts: Iterable[str], failures: bool) -> frozenset[EdgeState]:
    states: set[EdgeState] = set()
    for verdict in verdicts:
        if verdict == "start":
            states |= {"succeeded", "failed"} if failures else {"succeeded"}
        else:
            states.add(cast(EdgeState, verdict))
    return frozenset(states)
