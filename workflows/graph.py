"""The plan as the core walks it: steps by number, edges both ways.

Built once per run and never changed. Knows nothing of the run's progress.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from workflows.plan import MAX_PARALLEL_LIMIT, MAX_PLAN_STEPS, Plan, Step


class PlanInvalid(Exception):
    """The plan cannot be run; the translator never makes such a plan."""


class Need(NamedTuple):
    """One edge as seen from the step that needs: the number of the needed step and the edge's condition."""

    number: int
    when: str | None


@dataclass(frozen=True, slots=True)
class Graph:
    """A plan's steps and edges, by step number.

    Attributes:
        steps: In plan order; a step's place is its number.
        needs: The edges into each step.
        dependents: The edges out of each step: the number of the step that needs it, and the edge's place there.
        window: Steps and items in flight at once.
        numbers: Id to number.
        main: How many steps are of the main part; those after them are `finally` steps.
    """

    plan: Plan
    steps: tuple[Step, ...]
    needs: tuple[tuple[Need, ...], ...]
    dependents: tuple[tuple[tuple[int, int], ...], ...]
    window: int
    numbers: dict[str, int]
    main: int

    @classmethod
    def of(cls, plan: Plan) -> Graph:
        """Number the steps and turn the edges around.

        Raises:
            PlanInvalid: An edge points to no earlier step, an id is there twice, or there are too many steps.
        """
        if len(plan.steps) > MAX_PLAN_STEPS:
            raise PlanInvalid(f"the plan has {len(plan.steps):,} steps; at most {MAX_PLAN_STEPS:,} can run")
        numbers: dict[str, int] = {}
        main = sum(step.phase == "main" for step in plan.steps)
        needs: list[tuple[Need, ...]] = []
        dependents: list[list[tuple[int, int]]] = [[] for _ in plan.steps]
        for number, step in enumerate(plan.steps):
            if step.id in numbers:
                raise PlanInvalid(f"two steps are called {step.id!r}")
            if (step.phase == "main") != (number < main):
                raise PlanInvalid(f"step {step.id!r} of the main part stands behind a finally step")
            for place, edge in enumerate(step.needs):
                if edge.step not in numbers:
                    raise PlanInvalid(f"step {step.id!r} needs {edge.step!r}, which is no earlier step of the plan")
                if (numbers[edge.step] < main) != (number < main):
                    raise PlanInvalid(f"finally step {step.id!r} needs {edge.step!r}, which is none")
                dependents[numbers[edge.step]].append((number, place))
            needs.append(tuple(Need(numbers[edge.step], edge.when) for edge in step.needs))
            numbers[step.id] = number
        window = max(1, min(plan.max_parallel, MAX_PARALLEL_LIMIT))
        turned = tuple(tuple(each) for each in dependents)
        return cls(plan, plan.steps, tuple(needs), turned, window, numbers, main)

    def deciding(self) -> list[int]:
        """Return the numbers of the steps that decide what the run comes to: the leaves, and every `finally` step."""
        leaves = [number for number in range(self.main) if not self.dependents[number]]
        return [*leaves, *range(self.main, len(self.steps))]
