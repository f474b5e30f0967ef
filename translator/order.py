"""Puts steps in plan order: every step after all it needs, and otherwise as written. Cycles have no order."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush

from translator.definition import NeedDefinition, StepDefinition
from translator.diagnostics import Code, shown
from translator.located import Report

MAX_CYCLES = 10
_MAX_SHOWN = 12


def plan_order(steps: Mapping[str, StepDefinition], report: Report) -> list[StepDefinition]:
    """Return the steps in plan order; a cycle is reported, and its steps are left out.

    Of several steps that could be next, the one written first is.
    """
    listed = list(steps.values())
    waiting = {step.id: {need.step for need in step.needs if need.step in steps} for step in listed}
    users: dict[str, list[StepDefinition]] = {step.id: [] for step in listed}
    for step in listed:
        for need in waiting[step.id]:
            users[need].append(step)
    places = {step.id: place for place, step in enumerate(listed)}
    ready = [places[step.id] for step in listed if not waiting[step.id]]
    heapify(ready)
    order = []
    while ready:
        step = listed[heappop(ready)]
        order.append(step)
        for user in users[step.id]:
            waiting[user.id].discard(step.id)
            if not waiting[user.id]:
                heappush(ready, places[user.id])
    placed = {step.id for step in order}
    _report_cycles({step.id: step for step in listed if step.id not in placed}, report)
    return order


def _report_cycles(left: dict[str, StepDefinition], report: Report) -> None:
    """Report cycles that share no step, until none is left or enough have been shown."""
    for _ in range(MAX_CYCLES):
        cycle = _find_cycle(left)
        if not cycle:
            return
        _report_cycle(cycle, report)
        for need in cycle:
            left.pop(need.step)


def _find_cycle(left: dict[str, StepDefinition]) -> list[NeedDefinition]:
    """Return the needs along a cycle among some steps, or an empty list; each step is looked at once."""
    done: set[str] = set()
    for start in left.values():
        path: list[NeedDefinition] = []
        on_path = {start.id: 0}
        rows = [iter(start.needs)] if start.id not in done else []
        while rows:
            need = next(rows[-1], None)
            if need is None:
                rows.pop()
                finished = path.pop().step if path else start.id
                done.add(finished)
                on_path.pop(finished, None)
            elif need.step in on_path:
                return [*path[on_path[need.step] :], need]
            elif need.step in left and need.step not in done:
                path.append(need)
                on_path[need.step] = len(path)
                rows.append(iter(left[need.step].needs))
    return []


def _report_cycle(cycle: list[NeedDefinition], report: Report) -> None:
    names = [cycle[-1].step, *(need.step for need in cycle)]
    if len(names) == 2:
        message = f'step "{shown(names[0])}" needs itself'
        report.add(cycle[0].at, Code.CYCLE, message, "a step starts when what it needs has ended")
        return
    quoted = [f'"{shown(name)}"' for name in names]
    if len(quoted) > _MAX_SHOWN:
        quoted = [*quoted[: _MAX_SHOWN - 2], "...", quoted[-1]]
    first = cycle[0].at
    lines = ", ".join(str(need.at.position.line) for need in cycle[:_MAX_SHOWN])
    message = f"these steps wait for each other: {' needs '.join(quoted)}"
    report.add(first, Code.CYCLE, message, f"the needs stand on lines {lines}; remove one of them")
