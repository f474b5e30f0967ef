"""What a run comes to once all its steps have ended: its state, its output and the first cause of a failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workflows.conditions import expression_error
from workflows.exchange import StopRequested
from workflows.expressions import ExpressionError
from workflows.graph import Graph
from workflows.messages import JSON, MAX_TASK_BYTES, RunState, StepError
from workflows.templates import references, render
from workflows.values import json_size, unwrap

_BROKEN = frozenset({"failed", "upstream_failed", "cancelled"})


@dataclass(slots=True)
class Outcome:
    """The end of a run, as its last transition says it."""

    state: RunState
    reason: str
    detail: dict[str, Any] = field(default_factory=dict)
    value: JSON = None
    error: StepError | None = None


def outcome(
    graph: Graph,
    steps: Sequence[str],
    errors: Mapping[int, StepError],
    scope: Mapping[str, JSON],
    stop: StopRequested | None,
) -> Outcome:
    """Let the leaves and the `finally` steps decide, unless the run was stopped.

    Args:
        graph: The plan.
        steps: Terminal state of each step.
        errors: Of the failed steps, in the order in which they failed.
        scope: What the run's output template sees.
        stop: Why the run was stopped, if it was.
    """
    if stop is not None and stop.why == "cancel":
        return Outcome("cancelled", stop.reason)
    if stop is not None and stop.why == "timeout":
        return Outcome("failed", stop.reason, error=StepError("Timeout", stop.reason))
    broken = [number for number in graph.deciding() if steps[number] in _BROKEN]
    if broken:
        return _failure(graph, steps, errors, broken)
    return _success(graph, steps, scope)


def _failure(graph: Graph, steps: Sequence[str], errors: Mapping[int, StepError], broken: list[int]) -> Outcome:
    detail = {"leaves": {graph.steps[leaf].id: steps[leaf] for leaf in broken[:20]}}
    cause = _first_cause(graph, steps, errors, broken)
    if cause is None:
        leaf = graph.steps[broken[0]].id
        reason = f"step {leaf} is {steps[broken[0]]}"
        return Outcome("failed", reason, detail, error=StepError("StepCancelled", reason, {"step": leaf}))
    name, error = graph.steps[cause].id, errors[cause]
    facts = {**error.detail, "step": name}
    message = f"step {name} failed: {error.message}"
    return Outcome("failed", f"step {name} failed: {error.type}", detail, error=StepError(error.type, message, facts))


def _first_cause(graph: Graph, steps: Sequence[str], errors: Mapping[int, StepError], broken: list[int]) -> int | None:
    """Return the step that failed first among those that the broken leaves lead back to."""
    causes: set[int] = set()
    seen, ahead = set(broken), list(broken)
    while ahead:
        number = ahead.pop()
        if number in errors:
            causes.add(number)
        for need in graph.needs[number]:
            if need.number not in seen and steps[need.number] in _BROKEN:
                seen.add(need.number)
                ahead.append(need.number)
    return next((number for number in errors if number in causes), None)


def _success(graph: Graph, steps: Sequence[str], scope: Mapping[str, JSON]) -> Outcome:
    states = {graph.steps[number].id: state for number, state in enumerate(steps)}
    value, missing, error = _output(graph.plan.output, scope, states)
    if error is not None:
        return Outcome("failed", f"the run's output cannot be computed: {error.message}", error=error)
    skipped = sum(state == "skipped" for state in steps)
    reason = f"{len(steps) - skipped} steps ended, {skipped} skipped" if skipped else f"{len(steps)} steps ended"
    if missing:
        reason += f"; null in the output, as its step did not succeed: {', '.join(missing)}"
    return Outcome("succeeded", reason, {"null_outputs": missing} if missing else {}, unwrap(value))


def _output(
    template: JSON, scope: Mapping[str, JSON], states: Mapping[str, str]
) -> tuple[JSON, list[str], StepError | None]:
    """Render the run's output, entry by entry: one that reads through a step that did not succeed is null."""
    if not isinstance(template, dict):
        value, missing, error = _output({"output": template}, scope, states) if template else ({}, [], None)
        return value.get("output") if isinstance(value, dict) else None, missing, error
    value, missing = {}, []
    for name, entry in template.items():
        try:
            value[name] = render(entry, scope)
        except ExpressionError as problem:
            if not _reads_unfinished(entry, states):
                return None, [], expression_error(problem, f"output.{name}")
            value[name] = None
            missing.append(name)
    return value, missing, _too_large(value)


def _reads_unfinished(template: JSON, states: Mapping[str, str]) -> bool:
    try:
        paths = references(template)
    except ExpressionError:
        return False
    return any(
        len(path) > 1 and path[0] == "steps" and states.get(path[1], "succeeded") != "succeeded" for path in paths
    )


def _too_large(value: JSON) -> StepError | None:
    size = json_size(unwrap(value))
    if size <= MAX_TASK_BYTES:
        return None
    return StepError("OutputInvalid", f"the run's output has {size:,} bytes; at most {MAX_TASK_BYTES:,} are kept")
