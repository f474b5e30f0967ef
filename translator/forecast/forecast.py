"""What a plan would do with these params: which steps run, which are skipped and why, and what is not known yet.

Executes nothing. Assumes that no step fails; what a failure would change is said where it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from translator.forecast.folding import Path, truth, value_of
from translator.forecast.speech import names_under
from translator.forecast.states import Outlook, outlooks
from translator.forecast.ticks import next_ticks
from workflows.expressions import ExpressionError, parse
from workflows.plan import INTERPRETER_KINDS, Edge, Map, Plan, Step
from workflows.templates import sole_expression

Fate = Literal["runs", "skipped", "depends"]


@dataclass(frozen=True, slots=True)
class Need:
    """A need of a step: its condition, and whether that holds (None: known only in the run)."""

    step: str
    when: str | None
    holds: bool | None


@dataclass(frozen=True, slots=True)
class StepForecast:
    """What is to be expected of one step.

    Attributes:
        fate: It runs, it is skipped, or that depends on what is known only in the run.
        why: The reasons, for people.
        items: Items of its map, when known; None without a map, or when not known.
        queue: The queue that it runs on; None when no worker runs it.
    """

    id: str
    kind: str
    phase: str
    fate: Fate
    why: list[str]
    queue: str | None
    needs: list[Need]
    trigger_rule: str
    condition: str | None
    mapped: bool
    items: int | None
    description: str


@dataclass(frozen=True, slots=True)
class TriggerForecast:
    """A trigger, and for a schedule its next times."""

    kind: str
    name: str
    params: dict[str, Any]
    next: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a plan would do.

    Attributes:
        params: The values; those that must still be given are in `missing_params`.
        vars: Variables of the service that it reads; `missing_vars` are not set there, None when no service is up.
        secrets: Secrets that its steps are given; `missing_secrets` are not found on this machine, None when it was not
            asked. Workers have their own.
        longest: The longest chain of steps.
        widest: The most steps that can be under way at once, as far as the needs go.
    """

    workflow: str
    hash: str
    description: str
    params: dict[str, Any]
    missing_params: list[str]
    vars: list[str]
    missing_vars: list[str] | None
    secrets: list[str]
    steps: list[StepForecast]
    triggers: list[TriggerForecast]
    longest: list[str]
    widest: int
    queues: dict[str, int | None] = field(default_factory=dict)
    missing_secrets: list[str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as `segue plan --format json` prints it."""
        return asdict(self)


def forecast(
    plan: Plan,
    params: Mapping[str, Any],
    variables: Mapping[str, Any] | None,
    pollers: Mapping[str, int] | None,
    now: datetime,
    has_secret: Callable[[str], bool] | None = None,
) -> Forecast:
    """Return what a plan would do.

    Args:
        plan: What would run.
        params: Values of params; those that are neither here nor have a default are not known.
        variables: Variables of the service; None when no service is up.
        pollers: How many workers poll each queue; None when that is not known.
        now: What schedules are counted from.
        has_secret: Whether this machine has a secret of a name.
    """
    view = _View(plan, params, variables)
    expected = outlooks(plan, view.holds, failures=False)
    feared = outlooks(plan, view.holds, failures=True)
    steps = [view.step(step, expected[step.id], feared[step.id], expected) for step in plan.steps]
    names = names_under(plan, "vars")
    secrets = names_under(plan, "secrets")
    queues = {step.queue: None if pollers is None else pollers.get(step.queue, 0) for step in steps if step.queue}
    return Forecast(
        workflow=plan.workflow,
        hash=plan.content_hash,
        description=plan.description,
        params={name: view.params[name] for name in plan.params if name in view.params},
        missing_params=[name for name in plan.params if name not in view.params],
        vars=names,
        missing_vars=None if variables is None else [name for name in names if name not in variables],
        secrets=secrets,
        missing_secrets=None if has_secret is None else [name for name in secrets if not has_secret(name)],
        steps=steps,
        triggers=[*_triggers(plan, now)],
        longest=_longest(plan),
        widest=_widest(plan),
        queues=queues,
    )


class _View:
    """What is known of a plan's values before the run."""

    def __init__(self, plan: Plan, params: Mapping[str, Any], variables: Mapping[str, Any] | None) -> None:
        defaults = {name: schema["default"] for name, schema in plan.params.items() if "default" in schema}
        self.params = {**defaults, **params}
        self.vars = variables
        self.scope = {"params": self.params, "vars": dict(variables or {}), "workflow": {"name": plan.workflow}}

    def known(self, path: Path) -> bool:
        """Tell whether the value of a path is known."""
        if path[0] == "params":
            return len(path) > 1 and path[1] in self.params
        if path[0] == "vars":
            return len(path) > 1 and self.vars is not None and path[1] in self.vars
        return path[:2] == ("workflow", "name")

    def holds(self, step: Step, edge: Edge | None) -> bool | None:
        """Return whether the condition of an edge, or the step's `if`, holds."""
        text = step.condition if edge is None else edge.when
        return True if text is None else truth(text, self.scope, self.known)

    def step(self, step: Step, outlook: Outlook, feared: Outlook, all_of: Mapping[str, Outlook]) -> StepForecast:
        """Return the forecast of a step."""
        fate: Fate = "depends"
        if not outlook.can_start:
            fate = "skipped"
        elif outlook.verdicts == {"start"}:
            fate = "runs"
        return StepForecast(
            id=step.id,
            kind=step.kind,
            phase=step.phase,
            fate=fate,
            why=[*self.reasons(step, fate, outlook, feared, all_of)],
            queue=None if step.kind in INTERPRETER_KINDS else step.queue,
            needs=[
                Need(edge.step, edge.when, None if edge.when is None else self.holds(step, edge)) for edge in step.needs
            ],
            trigger_rule=step.trigger_rule,
            condition=step.condition,
            mapped=step.map is not None,
            items=self.items(step.map),
            description=step.description,
        )

    def reasons(
        self, step: Step, fate: Fate, outlook: Outlook, feared: Outlook, all_of: Mapping[str, Outlook]
    ) -> Iterator[str]:
        """Yield why a step has its fate."""
        if fate == "runs":
            return
        before = len(outlook.by_rule - {"start"})
        for edge in step.needs if before else ():
            state = all_of[edge.step]
            holds = self.holds(step, edge)
            if not state.can_start:
                yield f"{edge.step} is skipped"
            elif edge.when is not None and holds is False:
                yield f"{edge.when} on the edge from {edge.step} is false{self.seen(edge.when)}"
            elif edge.when is not None and holds is None:
                yield f"depends on {self.unknown(edge.when, edge.step)}"
            elif state.verdicts != {"start"}:
                yield f"depends on {edge.step}"
        if fate == "skipped" and "start" not in outlook.by_rule and feared.can_start:
            yield f"starts only when a need fails ({step.trigger_rule})"
        if step.condition is not None and "start" in outlook.by_rule:
            holds = self.holds(step, None)
            if holds is False:
                yield f"if {step.condition} is false{self.seen(step.condition)}"
            elif holds is None:
                yield f"depends on {self.unknown(step.condition, None)}"

    def seen(self, text: str) -> str:
        """Return the values that a condition saw, for people."""
        paths = [path for path in sorted(parse(text).references()) if self.known(path)]
        values = [
            f"{'.'.join(path)} is {_short(value_of('.'.join(path), self.scope, self.known)[1])}" for path in paths
        ]
        return f" ({', '.join(values)})" if values else ""

    def unknown(self, text: str, need: str | None) -> str:
        """Return what a condition needs that is not known."""
        paths = [path for path in sorted(parse(text).references()) if not self.known(path)]
        names = [".".join(("steps", need, *path) if path[0] == "output" and need else path) for path in paths]
        return ", ".join(names) or text

    def items(self, level: Map | None) -> int | None:
        """Return how many items a map has, if that is known."""
        size = 1 if level is not None else None
        while level is not None and size is not None:
            over = level.over
            if isinstance(over, str):
                try:
                    found, over = value_of(sole_expression(over) or "", self.scope, self.known)
                except ExpressionError:
                    found = False
                over = over if found else None
            size = size * len(over) if isinstance(over, list) else None
            level = level.inner
        return size


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else f"'{value}'"
    return text if len(text) <= 40 else text[:37] + "..."


def _triggers(plan: Plan, now: datetime) -> Iterator[TriggerForecast]:
    for trigger in plan.triggers:
        spec = trigger.spec
        if trigger.kind == "event":
            only = f" if {spec['if']}" if spec.get("if") else ""
            yield TriggerForecast("event", f"{spec['name']}{only}", trigger.params)
            continue
        rhythm = spec.get("cron") or _rhythm(spec.get("every") or {})
        times = [tick.isoformat() for tick in next_ticks(spec, now)]
        yield TriggerForecast("schedule", f"{rhythm} {spec.get('timezone', 'UTC')}", trigger.params, times)


def _rhythm(every: Mapping[str, float]) -> str:
    unit, amount = next(iter(every.items()), ("seconds", 0))
    return f"every {amount:g} {unit if amount != 1 else unit[:-1]}"


def _longest(plan: Plan) -> list[str]:
    chains: dict[str, list[str]] = {}
    for step in plan.steps:
        before = max((chains[edge.step] for edge in step.needs), key=len, default=[])
        chains[step.id] = [*before, step.id]
    return max(chains.values(), key=len, default=[])


def _widest(plan: Plan) -> int:
    layers: dict[str, int] = {}
    for step in plan.steps:
        layers[step.id] = 1 + max((layers[edge.step] for edge in step.needs), default=-1)
    held = list(layers.values())
    return max((held.count(layer) for layer in set(held)), default=0)
