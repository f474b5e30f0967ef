"""The state of a run in progress: compact plain data, in lists by step number.

Only `workflows.core` changes it.
"""

from __future__ import annotations

import functools
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from workflows.exchange import Place, StopRequested
from workflows.graph import Graph
from workflows.inputs import RunIdentity, run_scope
from workflows.maps import MapRun
from workflows.messages import Event, Operation, RunRequest, StepError, StepResult, StepState
from workflows.own_steps import OwnStep
from workflows.packing import PACKED, unpacked
from workflows.plan import Plan
from workflows.reasons import Why


@dataclass(slots=True)
class Held:
    """The failure of a step that waits for a person."""

    reason: str
    error: StepError | None
    result: StepResult | None
    detail: dict[str, Any]


@dataclass(slots=True)
class Verdict:
    """What becomes of a step or item once what is in flight of it has ended.

    Attributes:
        state: None: it is scheduled anew.
    """

    state: StepState | None
    reason: str
    value: Any = None


@dataclass(slots=True)
class State:
    """A run in progress.

    Attributes:
        scope: What expressions see; holds the outputs.
        steps: State of each step.
        pending: Needs of each step that have not ended.
        generations: How often each step was scheduled before.
        losses: How often a step or item lost its worker.
        errors: Of the failed steps.
        maps: Of the steps whose map has begun.
        ready: Steps that may start, or whose maps have items that may, in the order in which they became so.
        reasons: Why each ready step may start.
        flying: Steps and items handed to workers, and children.
        own: Steps and items that the interpreter itself runs, in the order in which they began.
        held: Steps that failed and wait for a person.
        heard: Events that were sent to the run, for `wait` steps that begin later.
        open: Steps that have not ended.
        open_main: Those of the main part.
        seq: Number of the last transition.
        stop: Set once the run is to end early.
        stop_next: A step's failure that stops the rest, once those that need it have heard of it.
        finals: Whether the `finally` steps have begun.
        finals_stopped: Whether they are to end early too.
        paused: Who has paused the run: nothing starts.
        room: How many steps may be in flight besides the plan's own limit; at 0 nothing starts.
        verdicts: What people said of steps and items in flight, which are being cancelled for it.
        said: Steps that somebody skipped or marked; they stay so when the run goes on after its end.
        calls: The latest child of each `workflow` step, or item, that did not succeed.
        executions: Of a retried run: children that go on too, and the executions that ended.
        retried: The retry that lets the run go on.
        changes: Fields of steps that people changed.
        operations: Ids of what people did.
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
    losses: dict[tuple[int, int | None], int] = field(default_factory=dict)
    flying: int = 0
    own: dict[Place, OwnStep] = field(default_factory=dict)
    held: dict[int, Held] = field(default_factory=dict)
    heard: list[Event] = field(default_factory=list)
    open: int = 0
    open_main: int = 0
    seq: int = 0
    stop: StopRequested | None = None
    stop_next: StopRequested | None = None
    finals: bool = False
    finals_stopped: bool = False
    ended: bool = False
    paused: Operation | None = None
    room: int | None = None
    verdicts: dict[tuple[int, int | None], Verdict] = field(default_factory=dict)
    said: dict[int, None] = field(default_factory=dict)
    calls: dict[tuple[int, int | None], str] = field(default_factory=dict)
    executions: dict[str, str] = field(default_factory=dict)
    retried: Operation | None = None
    changes: dict[int, dict[str, Any]] = field(default_factory=dict)
    operations: dict[str, None] = field(default_factory=dict)

    def stops(self, number: int) -> bool:
        """Say whether this step is to end early and may not start anything."""
        return self.stop is not None and (number < self.graph.main or self.finals_stopped)

    def winds_down(self, number: int) -> bool:
        """Say whether nothing of this step may start again: it is to end early, or somebody has decided its map."""
        return self.stops(number) or (number, None) in self.verdicts

    def forgive_losses(self, number: int) -> None:
        """Give a step that is tried again by hand, and its items, all their chances with lost workers."""
        for place in [place for place in self.losses if place[0] == number]:
            del self.losses[place]


def graph_of(document: dict[str, Any]) -> Graph:
    """Return the graph of a plan; runs of the same large plan, and one that begins anew, share it."""
    if set(document) == {PACKED}:
        return _graph_of_packed(document[PACKED])
    return Graph.of(Plan.from_json(document))


@functools.lru_cache(maxsize=8)
def _graph_of_packed(text: str) -> Graph:
    return Graph.of(Plan.from_json(unpacked({PACKED: text})))


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
    graph = graph_of(request.plan)
    request = replace(request, kept=unpacked(request.kept))
    plan = graph.plan
    code = plan.code
    identity = RunIdentity(run, request.workflow, request.version or 0, request.bundle, code.requirements, code.python)
    return State(
        graph=graph,
        identity=identity,
        request=request,
        scope=run_scope(identity, request, plan, ""),
        steps=["waiting"] * len(plan.steps),
        pending=[len(needs) for needs in graph.needs],
        generations=[0] * len(plan.steps),
        open=len(plan.steps),
        open_main=graph.main,
    )
