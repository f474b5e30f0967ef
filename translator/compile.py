"""From the definition to the plan: defaults filled in, references made needs, steps in plan order.

Reads no file and asks no network. Whatever is wrong with a definition is reported, all at once; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from translator.definition import Defaults, StepDefinition, WorkflowDefinition
from translator.diagnostics import Code as DiagnosticCode
from translator.diagnostics import shown
from translator.located import Node, Report
from translator.order import plan_order
from translator.read_reuse import cache_of, check_caches
from translator.read_waits import NO_BOUND
from translator.read_workflow import read_workflow
from translator.references import References
from translator.shared_steps import SharedFiles
from translator.trigger_params import check_trigger_params
from translator.type_checks import TypeChecks
from workflows.packing import sizes
from workflows.plan import (
    CODE_KINDS,
    ENV_KINDS,
    INTERPRETER_KINDS,
    MACHINE_KINDS,
    USUAL_RETRY,
    USUAL_TIMEOUT,
    Code,
    Edge,
    Plan,
    Retry,
    Step,
    Timeout,
)

DEFAULT_TIMEOUT = 86_400.0
"""Seconds that a run may take when its definition does not say, beside those that its steps wait by the clock."""
_T = TypeVar("_T", Retry, Timeout)
MAX_PLAN_BYTES = 4 * 1024 * 1024
MAX_PACKED_PLAN_BYTES = 768 * 1024
"""A run's request carries its plan, packed, and travels as one message; how far the run is must fit beside it."""


def compile_tree(node: Node, report: Report, files: Mapping[str, str]) -> Plan:
    """Compile a located tree.

    Args:
        node: The definition.
        report: Gets the problems.
        files: The texts of the files with shared steps, by path.

    Raises:
        DefinitionError: Something is wrong; it has every problem.
    """
    definition = read_workflow(node, report, SharedFiles(files, report))
    wrong = References(definition, report).check()
    TypeChecks(definition, report, wrong).check()
    for trigger in definition.triggers:
        check_trigger_params(trigger, definition.params, report)
    _check_calls(definition, report)
    for at, message, hint in check_caches(definition):
        report.add(at, DiagnosticCode.SECRET, message, hint)
    order = [*_order("main", definition, report), *_order("finally", definition, report)]
    report.check()
    plan = _plan(definition, order)
    _check_size(plan, node, report)
    return plan


def _order(phase: str, definition: WorkflowDefinition, report: Report) -> list[StepDefinition]:
    return plan_order({name: step for name, step in definition.steps.items() if step.phase == phase}, report)


def _check_calls(definition: WorkflowDefinition, report: Report) -> None:
    """Report steps that run the workflow that they belong to; what others run is known only when they are deployed."""
    for step in definition.steps.values():
        if step.called_at is not None and step.action.get("workflow") == definition.name != "":
            message = f'step "{shown(step.id)}" runs the workflow "{shown(definition.name)}", which it belongs to'
            report.add(step.called_at, DiagnosticCode.CYCLE, message, "a workflow that runs itself never ends")


def _plan(definition: WorkflowDefinition, order: list[StepDefinition]) -> Plan:
    places = {step.id: place for place, step in enumerate(order)}
    return Plan(
        workflow=definition.name,
        steps=tuple(_step(step, definition, places) for step in order),
        description=(definition.description or "").strip(),
        labels=definition.labels,
        params=definition.params,
        triggers=tuple(trigger.trigger for trigger in definition.triggers),
        code=Code(**_given(include=definition.include, requirements=definition.requirements, python=definition.python)),
        output=definition.output,
        timeout=definition.timeout or DEFAULT_TIMEOUT + sum(_waits(step) for step in order),
        concurrency=definition.concurrency,
        **_given(max_parallel=definition.max_parallel, on_failure=definition.on_failure),
    )


def _step(step: StepDefinition, definition: WorkflowDefinition, places: dict[str, int]) -> Step:
    defaults = definition.defaults
    needs = sorted(step.needs, key=lambda need: places[need.step])
    inherited = defaults.env if step.kind in ENV_KINDS else {}
    needed = defaults.resources if step.kind in MACHINE_KINDS else {}
    cache = cache_of(step, defaults)
    if step.kind in INTERPRETER_KINDS:
        # Defaults are for what workers run: a day's wait must not end with everybody's half hour.
        defaults = Defaults(timeout={"run": NO_BOUND})
    return Step(
        id=step.id,
        kind=step.kind,
        action=step.action,
        needs=tuple(Edge(need.step, need.when) for need in needs),
        condition=step.condition,
        inputs=step.inputs,
        env={**inherited, **step.env},
        map=step.map,
        retry=_with(USUAL_RETRY, {**defaults.retry, **step.retry}),
        timeout=_with(USUAL_TIMEOUT, {**defaults.timeout, **step.timeout}),
        output=step.output,
        description=(step.description or "").strip(),
        phase=step.phase,
        origin=step.origin,
        priority=step.priority or defaults.priority,
        resources={**needed, **step.resources},
        requirements=_requirements(step, definition),
        artifacts=step.artifacts,
        cache=cache,
        **_given(
            queue=step.queue or defaults.queue,
            trigger_rule=step.trigger_rule,
            isolation=step.isolation or (defaults.isolation if step.kind in CODE_KINDS else None),
        ),
    )


def _requirements(step: StepDefinition, definition: WorkflowDefinition) -> str | tuple[str, ...] | None:
    """Return what a step's environment is made from, where that is not what the workflow's is."""
    found = step.requirements
    if found is None and step.kind in CODE_KINDS:
        found = definition.defaults.requirements
    return None if found == definition.requirements else found


def _with(default: _T, fields: dict[str, Any]) -> _T:
    """Return the default, with some of its fields changed; the default itself when there are none."""
    return replace(default, **fields) if fields else default


def _waits(step: StepDefinition) -> float:
    """Return how long a step waits for the clock or for a person, as far as that is written down."""
    seconds = step.action.get("for" if step.kind == "wait" else "timeout") if step.kind in ("wait", "approve") else None
    return seconds if isinstance(seconds, float) else 0.0


def _given(**values: Any) -> dict[str, Any]:
    """Return what the definition gives; the plan's own defaults hold for the rest."""
    return {name: value for name, value in values.items() if value is not None}


def _check_size(plan: Plan, node: Node, report: Report) -> None:
    size, small = sizes(plan.compact())
    if size > MAX_PLAN_BYTES or small > MAX_PACKED_PLAN_BYTES:
        found, most = (size, MAX_PLAN_BYTES) if size > MAX_PLAN_BYTES else (small, MAX_PACKED_PLAN_BYTES)
        packing = "" if size > MAX_PLAN_BYTES else " when packed"
        message = f"the plan takes {found:,} bytes{packing}; at most {most:,} are possible"
        report.add(node, DiagnosticCode.LIMIT, message, "put scripts and data into files of the bundle")
        report.check()
