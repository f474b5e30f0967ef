"""The language's meaning, said a second time: slowly, and in other words than the core's.

Reads a case as it is written (`tests.simulator.cases`) and the states and outputs that were recorded; knows nothing of
the core's state. Understands the few expressions that cases are made of.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tests.simulator.cases import PARAMS
from tests.workflows.meaning import written_out
from workflows.messages import REFERENCE

TERMINAL = frozenset({"succeeded", "failed", "upstream_failed", "skipped", "cancelled"})
BROKEN = frozenset({"failed", "upstream_failed", "cancelled"})
OWN = frozenset({"wait", "approve"})
"""Kinds that take no place in the window."""
EAGER_ON = {
    "one_success": frozenset({"succeeded"}),
    "one_failed": BROKEN,
    "one_done": frozenset({"succeeded", "failed", "cancelled"}),
}

_READ = re.compile(r"steps\.(\w+)\.(output|status)(\.n)?")
_COMPARED = re.compile(r"(.+) > (\d+)|(.+) == '(\w+)'|(.+)")


class Broken(Exception):
    """An expression that has no value."""


class Known:
    """What expressions see: the states and the outputs of steps."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.outputs: dict[str, Any] = {}

    def read(self, path: str, output: Any) -> Any:
        """Return what a path leads to."""
        found = _read(path)
        if found is not None:
            name, what, deeper = found
            if what == "status":
                return self.states[name]
            value = self.outputs.get(name)
            return value if deeper is None else _part(value)
        if path == "output":
            return output
        if path in ("true", "false"):
            return path == "true"
        return PARAMS[path.removeprefix("params.")]

    def holds(self, text: str, output: Any = None) -> bool | None:
        """Say whether a condition is true; None: it is an error."""
        left, bound, path, wanted, plain = _compared(text)
        try:
            if wanted is not None:
                return bool(self.read(path, output) == wanted)
            if bound is None:
                return bool(self.read(plain, output))
            value = self.read(left, output)
        except Broken:
            return None
        return value > int(bound) if _is_number(value) else None

    def render(self, template: Any) -> Any:
        """Return the value of a template.

        Raises:
            Broken: It has none.
        """
        if not isinstance(template, str) or not template.startswith("${{"):
            return template
        return self.read(template[4:-3], None)


def _part(value: Any) -> Any:
    if not isinstance(value, dict) or REFERENCE in value or "n" not in value:
        raise Broken
    return value["n"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@lru_cache(maxsize=1024)
def _read(path: str) -> tuple[str | Any, ...] | None:
    found = _READ.fullmatch(path)
    return found.groups() if found else None


@lru_cache(maxsize=1024)
def _compared(text: str) -> tuple[str | Any, ...]:
    found = _COMPARED.fullmatch(text)
    assert found is not None
    return found.groups()


# Decisions.


def edges(step: Mapping[str, Any], known: Known) -> list[tuple[str | None, bool]]:
    """Return each edge's state (None: its need has not ended), and whether its condition is an error."""
    found: list[tuple[str | None, bool]] = []
    for need in step.get("needs", ()):
        state: str | None = known.states[need["step"]]
        if state not in TERMINAL:
            found.append((None, False))
        elif state == "succeeded" and "when" in need:
            holds = known.holds(need["when"], known.outputs.get(need["step"]))
            found.append(("succeeded" if holds else "skipped", holds is None))
        else:
            found.append((state, False))
    return found


def verdict(step: Mapping[str, Any], known: Known) -> str:
    """Return what becomes of a step that waits: `open`, `start`, or the state in which it ends without starting."""
    rule = step.get("trigger_rule", "all_success")
    found = edges(step, known)
    if found and rule != "always":
        states = [state for state, _ in found]
        early = rule in EAGER_ON and not EAGER_ON[rule].isdisjoint(states)
        if None in states:
            if not early:
                return "open"
        else:
            said = written_out(rule, states)  # type: ignore[arg-type]  # None is not among them
            if not early and any(broken for _, broken in found):
                return "failed"
            if said != "start":
                return said
    if "condition" in step:
        holds = known.holds(step["condition"])
        if not holds:
            return "failed" if holds is None else "skipped"
    return "start"


def can_begin(step: Mapping[str, Any], known: Known) -> bool:
    """Say whether what a step is given can be worked out."""
    try:
        for template in step.get("inputs", {}).values():
            known.render(template)
        if step["kind"] == "wait" and "for" in step["action"]:
            return _is_number(known.render(step["action"]["for"]))
    except Broken:
        return False
    return True


def items_of(step: Mapping[str, Any], known: Known) -> list[str] | None:
    """Return where the items of a map are, as `[1]` or `[1][0]`; None: its list is none."""
    try:
        found = known.render(step["map"]["over"])
    except Broken:
        return None
    if not isinstance(found, list):
        return None
    if "inner" not in step["map"]:
        return [f"[{number}]" for number in range(len(found))]
    inner = range(len(step["map"]["inner"]["over"]))
    return [f"[{number}][{other}]" for number in range(len(found)) for other in inner]


def output_of(step: Mapping[str, Any], values: list[Any]) -> list[Any]:
    """Return the output of a map, from those of its items."""
    if "inner" not in step["map"]:
        return values
    width = len(step["map"]["inner"]["over"])
    return [values[start : start + width] for start in range(0, len(values), width)]


def needed(step: Mapping[str, Any], count: int, skipped: int) -> int:
    """Return how many items of a map must succeed."""
    wanted = step["map"].get("min_success")
    counted = count - skipped
    if wanted is None:
        return counted
    if "count" in wanted:
        return min(int(wanted["count"]), counted) if skipped else int(wanted["count"])
    return math.ceil(counted * float(wanted["percent"]) / 100 - 1e-9)


# The end.


def ends_as(case_fields: Mapping[str, Any], steps: tuple[dict[str, Any], ...], known: Known, stop: str | None) -> str:
    """Return the state of a run all of whose steps have ended."""
    if stop == "cancel":
        return "cancelled"
    if stop == "timeout":
        return "failed"
    needed_by_others = {need["step"] for step in steps for need in step.get("needs", ()) if "phase" not in step}
    for step in steps:
        decides = "phase" in step or step["id"] not in needed_by_others
        if decides and known.states[step["id"]] in BROKEN:
            return "failed"
    for template in case_fields.get("output", {}).values():
        try:
            known.render(template)
        except Broken:
            name = _READ.search(template)
            if name is not None and known.states[name[1]] == "succeeded":
                return "failed"
    return "succeeded"


def causes(steps: tuple[dict[str, Any], ...], known: Known) -> set[str]:
    """Return the failed steps that the broken leaves and `finally` steps lead back to."""
    needs = {step["id"]: [need["step"] for need in step.get("needs", ())] for step in steps}
    inner = {name for step in steps if "phase" not in step for name in needs[step["id"]]}
    ahead = [s["id"] for s in steps if ("phase" in s or s["id"] not in inner) and known.states[s["id"]] in BROKEN]
    seen = set(ahead)
    while ahead:
        for name in needs[ahead.pop()]:
            if name not in seen and known.states[name] in BROKEN:
                seen.add(name)
                ahead.append(name)
    return {name for name in seen if known.states[name] == "failed"}
