"""A plan as people read it: a line per step, or a Mermaid flowchart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def plan_lines(plan: dict[str, Any], plan_hash: str) -> Iterator[str]:
    """Yield a plan as text: the head, then every step with its queue, needs and conditions."""
    yield f"{plan['workflow']}  {plan_hash}"
    if plan["description"]:
        yield f"  {plan['description']}"
    for name, schema in plan["params"].items():
        default = f" = {json.dumps(schema['default'])}" if "default" in schema else ""
        yield f"  param {name}: {schema.get('type', 'any')}{default}"
    for trigger in plan["triggers"]:
        spec = trigger["spec"]
        yield f"  {trigger['kind']} {spec.get('cron') or spec.get('name')}"
    width = max((len(step["id"]) for step in plan["steps"]), default=0)
    for step in plan["steps"]:
        yield ""
        yield f"{step['id']:<{width}}  {step['kind']} on {step['queue']}{_what(step)}"
        yield from (f"{'':<{width}}  {line}" for line in _details(step))


def _what(step: dict[str, Any]) -> str:
    action = step["action"]
    if step["kind"] == "python":
        return f": {action['callable']}"
    if step["kind"] == "shell":
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
    if step["map"]:
        over = step["map"]["over"]
        yield f"for each {step['map']['name']} in {over if isinstance(over, str) else json.dumps(over)}"
    if step["retry"]["attempts"] > 1:
        yield f"up to {step['retry']['attempts']} attempts"


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
