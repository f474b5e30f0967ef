"""The state of a run in progress: compact plain data, in lists by step number.

Only `workflows.core` changes it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from workflows.exchange import StopRequested
from workflows.graph import Graph
from workflows.inputs import RunIdentity, run_scope
from workflows.maps import MapRun
from workflows.messages import RunRequest, StepError, StepState
from workflows.plan import Plan
from workflows.reasons import Why


@dataclass(slots=True)
class State:
    """A run in progress.

    Attributes:
        scope: What expressions see; holds the outputs.
        steps: State of each step.
        pending: Needs of each step that have not ended.
        generations: How often each step lost its worker.
        errors: Of the failed steps.
        maps: Of the steps whose map has begun.
        ready: Steps that may start, or whose maps have items that may, in the order in which they became so.
        reasons: Why each ready step may start.
        flying: Steps and items handed to workers.
        open: Steps that have not ended.
        seq: Number of the last transition.
        stop: Set once the run is to end early.
    """

    graph: Graph
    identity: RunIdentity
    request: RunRequest
    scope: dict[str, Any]
    steps: list[StepState]
    pending: list[int]
    generations: list[int]
    errors: dict[int, StepError] = field(default_factory=dict)
    maps: dict[int, MapRun] = field(default_factory=dict)
    ready: deque[int] = field(default_factory=deque)
    reasons: dict[int, Why] = field(default_factory=dict)
    flying: int = 0
    open: int = 0
    seq: int = 0
    stop: StopRequested | None = None
    ended: bool = False


def begin(run: str, request: RunRequest) -> State:
    """Return the state of a run before its first event.

    Args:
        run: The run's id.
        request: It carries the plan.

    Raises:
        PlanInvalid: The plan cannot be run.
        ValueError: There is no plan, or it is of a newer format.
    """
    if request.plan is None:
        raise ValueError("the run has no plan")
    plan = Plan.from_json(request.plan)
    graph = Graph.of(plan)
    identity = RunIdentity(run, request.workflow, request.version or 0, request.bundle, plan.code.requirements)
    return State(
        graph=graph,
        identity=identity,
        request=request,
        scope=run_scope(identity, request, plan, ""),
        steps=["waiting"] * len(plan.steps),
        pending=[len(needs) for needs in graph.needs],
        generations=[0] * len(plan.steps),
        open=len(plan.steps),
    )
