"""A plan as people read it: what is given, then every step with what becomes of it and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from segue.cli.sizes import amounts
from segue.duration import seconds_text

SHOWN_TICKS = 10
_FATES = {"runs": "runs", "skipped": "is skipped", "depends": "runs or is skipped"}
JSON = dict[str, Any]


def plan_lines(plan: JSON, forecast: JSON) -> Iterator[str]:
    """Yield a plan and its forecast as text."""
    yield f"{plan['workflow']}  {forecast['hash']}"
    if plan["description"]:
        yield f"  {plan['description']}"
    yield from (f"  {line}" for line in _given(plan, forecast))
    told = {step["id"]: step for step in forecast["steps"]}
    width = max((len(step["id"]) for step in plan["steps"]), default=0)
    phase = "main"
    for step in plan["steps"]:
        if step["phase"] != phase:
            phase = step["phase"]
            yield from ("", "finally, however the run ends:")
        where = f" on {step['queue']}" if told[step["id"]]["queue"] else ""
        yield ""
        yield f"{step['id']:<{width}}  {step['kind']}{where}{_what(step)}"
        yield from (f"{'':<{width}}  {line}" for line in (*_fate(told[step["id"]]), *_details(step)))
    yield ""
    yield from _summary(forecast)


def _given(plan: JSON, forecast: JSON) -> Iterator[str]:
    for name, schema in plan["params"].items():
        kind = schema.get("type", "any")
        kind = " or ".join(kind) if isinstance(kind, list) else kind
        value = " = " + _short(forecast["params"][name]) if name in forecast["params"] else ", must be given"
        yield f"param {name}: {kind}{value}"
    missing = forecast["missing_vars"]
    for name in forecast["vars"]:
        known = ", no service is asked" if missing is None else ", not set on the service" if name in missing else ""
        yield f"var {name}{known}"
    missing = forecast["missing_secrets"] or []
    for name in forecast["secrets"]:
        yield f"secret {name}" + (", missing here (workers resolve them)" if name in missing else "")
    if plan["code"]["python"] is not None:
        yield f"python {plan['code']['python']}"
    if plan["code"]["requirements"] is not None:
        yield f"environment of {_packages(plan['code']['requirements'])}"
    for compiled, trigger in zip(plan["triggers"], forecast["triggers"], strict=True):
        spec = compiled["spec"]
        zone = f" {spec['timezone']}" if "timezone" in spec else ""
        params = f" with {_short(trigger['params'])}" if trigger["params"] else ""
        yield f"{trigger['kind']} {trigger_text(spec)}{zone}{params}"
        yield from (f"  next {tick}" for tick in trigger["next"][:SHOWN_TICKS])
    if plan.get("concurrency"):
        limit = plan["concurrency"]
        yield f"at most {limit['limit']} at once of {limit['key']}, else {limit['when_full']}"
    if plan.get("on_failure", "finish") != "finish":
        yield f"on failure: {plan['on_failure']}"


def _fate(told: JSON) -> Iterator[str]:
    size = "" if not told["mapped"] else "" if told["items"] is None else f", {told['items']} items"
    yield _FATES[told["fate"]] + (size if told["fate"] != "skipped" else "") + (":" if told["why"] else "")
    yield from (f"  {reason}" for reason in told["why"])


def trigger_text(spec: JSON) -> str:
    """Return what starts a run: cron text, a rhythm with its beginning, or an event's name and condition."""
    if "every" in spec:
        months, seconds = spec["every"].get("months"), spec["every"].get("seconds", 0.0)
        rhythm = f"{months} month{'s' * (months != 1)}" if months else seconds_text(seconds)
        return f"every {rhythm} from {spec['start']}"
    condition = f" if {spec['if']}" if spec.get("if") else ""
    return f"{spec.get('cron') or spec.get('name') or ''}{condition}"


def _what(step: JSON) -> str:
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


def _waits_for(action: JSON) -> str:
    if "event" in action:
        return f"event {trigger_text(action['event'])}"
    if "until" in action:
        return f"until {action['until']}"
    length = action["for"]
    return length if isinstance(length, str) else seconds_text(length)


def _runs(kind: str, action: JSON) -> str:
    if kind == "python":
        return f": {action['callable']}"
    if kind == "shell":
        first = str(action["script"]).strip().splitlines()[:1]
        return f": {first[0]}" if first else ""
    if kind == "container":
        return f": {action['image']}"
    request = action.get("request") or action.get("submit")
    return f": {request.get('method', 'GET')} {request['url']}" if isinstance(request, dict) else ""


def _details(step: JSON) -> Iterator[str]:
    for edge in step["needs"]:
        yield f"needs {edge['step']}" + (f" when {edge['when']}" if edge["when"] else "")
    if step["trigger_rule"] != "all_success":
        yield f"starts on {step['trigger_rule']}"
    if step["condition"]:
        yield f"if {step['condition']}"
    level = step["map"]
    while level:
        over = level["over"]
        yield f"for each {level['name']} in {over if isinstance(over, str) else _short(over)}{_bounds(level)}"
        level = level.get("inner")
    if step["requirements"] is not None:
        yield f"in an environment of {_packages(step['requirements'])}"
    if step["isolation"]["kind"] == "sandbox":
        yield "in a sandbox" + ("" if step["isolation"]["network"] else " without network")
    if step["retry"]["attempts"] > 1:
        yield f"up to {step['retry']['attempts']} attempts"
    if step.get("priority"):
        yield f"priority {step['priority']}"
    if step.get("resources"):
        yield f"occupies {amounts(step['resources'])}"
    if step.get("cache") is not None:
        ttl = step["cache"].get("ttl")
        yield "reuses an output of the same inputs" + (f" for {seconds_text(ttl)}" if ttl else "")
    if step.get("artifacts"):
        yield f"keeps {', '.join(step['artifacts'])}"
    if step.get("origin"):
        yield f"from {step['origin']['file']}, sha256 {step['origin']['sha256'][:12]}"


def _packages(requirements: Any) -> str:
    if isinstance(requirements, str):
        return requirements
    return ", ".join(requirements[:8]) + (" ..." if len(requirements) > 8 else "") or "no packages"


def _bounds(level: JSON) -> str:
    """Return what a map says of its items: how many at once, and how many have to succeed."""
    least = level.get("min_success") or {}
    needed = [f"{least['count']:g}"] if "count" in least else [f"{least['percent']:g}%"] if "percent" in least else []
    parts = [f"{level['limit']} at once"] if level.get("limit") else []
    return "".join(f", {part}" for part in [*parts, *(f"{many} must succeed" for many in needed)])


def _summary(forecast: JSON) -> Iterator[str]:
    steps = forecast["steps"]
    fates = [step["fate"] for step in steps]
    parts = [f"{fates.count(fate)} {text}" for fate, text in _COUNTED.items() if fate in fates]
    yield f"{len(steps)} steps: {', '.join(parts)}"
    chain = forecast["longest"]
    shown = chain if len(chain) <= 8 else [*chain[:4], "...", *chain[-3:]]
    yield f"longest chain: {' > '.join(shown)} ({len(chain)} steps); at most {forecast['widest']} side by side"
    for queue, workers in forecast["queues"].items():
        if workers is not None:
            who = "nobody serves it" if workers == 0 else f"{workers} worker{'s' * (workers != 1)}"
            yield f"queue {queue}: {who}"


_COUNTED = {"runs": "run", "skipped": "are skipped", "depends": "depend on what is known only then"}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
