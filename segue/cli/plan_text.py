"""A plan as people read it: a line per step, or a Mermaid flowchart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from segue.duration import seconds_text

_WAITING = ("workflow", "wait", "approve")
"""Kinds that take no place on a queue."""


def plan_lines(plan: dict[str, Any], plan_hash: str) -> Iterator[str]:
    """Yield a plan as text: the head, then every step with its queue, needs and conditions."""
    yield f"{plan['workflow']}  {plan_hash}"
    if plan["description"]:
        yield f"  {plan['description']}"
    for name, schema in plan["params"].items():
        default = f" = {json.dumps(schema['default'])}" if "default" in schema else ""
        yield f"  param {name}: {schema.get('type', 'any')}{default}"
    for trigger in plan["triggers"]:
        yield f"  {trigger['kind']} {trigger_text(trigger['spec'])}"
    if plan.get("concurrency"):
        limit = plan["concurrency"]
        yield f"  at most {limit['limit']} at once of {limit['key']}, else {limit['when_full']}"
    if plan.get("on_failure", "finish") != "finish":
        yield f"  on failure: {plan['on_failure']}"
    width = max((len(step["id"]) for step in plan["steps"]), default=0)
    for step in plan["steps"]:
        yield ""
        where = "" if step["kind"] in _WAITING else f" on {step['queue']}"
        last = "finally " if step.get("phase") == "finally" else ""
        yield f"{step['id']:<{width}}  {last}{step['kind']}{where}{_what(step)}"
        yield from (f"{'':<{width}}  {line}" for line in _details(step))


def trigger_text(spec: dict[str, Any]) -> str:
    """Return what starts a run: cron text, a rhythm with its beginning, or an event's name and condition."""
    if "every" in spec:
        months, seconds = spec["every"].get("months"), spec["every"].get("seconds", 0.0)
        rhythm = f"{months} month{'s' * (months != 1)}" if months else seconds_text(seconds)
        return f"every {rhythm} from {spec['start']}"
    condition = f" if {spec['if']}" if spec.get("if") else ""
    return f"{spec.get('cron') or spec.get('name') or ''}{condition}"


def _what(step: dict[str, Any]) -> str:
    action = step["action"]
    match step["kind"]:
        case "workflow":
            return f": {action['workflow']}" + (f" version {action['version']}" if action["version"] else "")
        case "wait":
            return f": {_waits_for(action)}"
        case "approve":
            by = f" by {', '.join(action['by'])}" if action["by"] else ""
            return f": {action['quorum']} yes{by}"
        case _:
            return _runs(step["kind"], action)


def _waits_for(action: dict[str, Any]) -> str:
    if "event" in action:
        return f"event {trigger_text(action['event'])}"
    if "until" in action:
        return f"until {action['until']}"
    length = action["for"]
    return length if isinstance(length, str) else seconds_text(length)


def _runs(kind: str, action: dict[str, Any]) -> str:
    if kind == "python":
        return f": {action['callable']}"
    if kind == "shell":
        first = str(action["script"]).strip().splitlines()[:1]
        return f": {first[0]}" if first else ""
    request = action.get("request") or action.get("submit")
    return f": {request.get('method', 'GET')} {request['url']}" if isinstance(request, dict) else ""


def _details(step: dict[str, Any]) -> Iterator[str]:
    for edge in step["needs"]:
        yield f"needs {edge['step']}" + (f" when {edge['when']}" if edge["when"] else "")
    if step["trigger_rule"] != "all_success":
        yield f"starts on {step['trigger_rule']}"
    if step["condition"]:
        yield f"if {step['condition']}"
    level = step["map"]
    while level:
        over = level["over"]
        yield f"for each {level['name']} in {over if isinstance(over, str) else json.dumps(over)}"
        level = level.get("inner")
    if step["retry"]["attempts"] > 1:
        yield f"up to {step['retry']['attempts']} attempts"
    if step.get("origin"):
        yield f"from {step['origin']['file']}, sha256 {step['origin']['sha256'][:12]}"


def mermaid_chart(plan: dict[str, Any]) -> Iterator[str]:
    """Yield a plan as a Mermaid flowchart."""
    yield "flowchart TD"
    names = {step["id"]: f"s{number}" for number, step in enumerate(plan["steps"])}
    for step in plan["steps"]:
        text = _quoted(step["id"] + (f" × {step['map']['name']}" if step["map"] else ""))
        yield f'  {names[step["id"]]}["{text}"]'
    for step in plan["steps"]:
        for edge in step["needs"]:
            label = f'|"{_quoted(edge["when"])}"|' if edge["when"] else ""
            yield f"  {names[edge['step']]} -->{label} {names[step['id']]}"


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
