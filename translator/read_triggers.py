"""Reads `triggers`: schedules and events, with the params of the runs they start."""

from __future__ import annotations

import functools
import re
import zoneinfo
from typing import Any, Literal

from translator import keys
from translator.cron import cron_problem
from translator.definition import EVENT_NAMES, TriggerDefinition, Use
from translator.diagnostics import Code, did_you_mean, shown
from translator.embedded import read_condition, read_template, refuse_expressions
from translator.fields import Fields, check_name
from translator.located import Node, Report
from translator.names import EVENT_NAME, EVENT_RULE
from translator.times import read_date, read_rhythm, read_time, time_problem
from workflows.plan import Trigger

OVERLAPS = ("skip", "allow", "queue", "cancel_oldest")
DEFAULT_CATCHUP_SECONDS = 600.0
"""A restart of the service must not lose a run; an outage of a day must not start a hundred."""
DEFAULT_START = "1970-01-01"
"""A Thursday, and the first of a month: without `start`, months begin on the first and days at midnight."""
MAX_TRIGGERS = 50

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")


def read_triggers(found: Fields, report: Report) -> list[TriggerDefinition]:
    """Read the list of triggers of a workflow."""
    node = found.get("triggers")
    if node is None:
        return []
    if not isinstance(node.value, list):
        found.wrong("triggers", node, "a list", "start each trigger with a dash: - schedule: ...")
        return []
    if len(node.items) > MAX_TRIGGERS:
        report.add(node, Code.LIMIT, f"there are {len(node.items)} triggers; at most {MAX_TRIGGERS} are possible")
        return []
    triggers = [_read_trigger(item, index, report) for index, item in enumerate(node.items)]
    return [trigger for trigger in triggers if trigger is not None]


def _read_trigger(node: Node, index: int, report: Report) -> TriggerDefinition | None:
    what = f"trigger {index + 1}"
    found = Fields(node, report, what, keys.TRIGGER)
    schedule, event = found.get("schedule"), found.get("event")
    if schedule is not None and event is not None:
        report.add(found.key("event"), Code.CONFLICT, f'{what} has both "schedule" and "event"', "make two of it")
    if schedule is not None:
        return _definition("schedule", _schedule(schedule, what, report), found)
    if event is not None:
        uses: list[Use] = []
        definition = _definition("event", _event(event, what, uses, report), found)
        definition.uses += uses
        return definition
    if set(found.entries) <= {"params"} and isinstance(node.value, dict):
        report.add(node, Code.MISSING_KEY, f'{what} has neither "schedule" nor "event"')
    return None


def _definition(kind: Literal["schedule", "event"], spec: dict[str, Any], found: Fields) -> TriggerDefinition:
    nodes = found.named("params", "params to values")
    entries = found.entries["params"].value.mapping if nodes else {}
    definition = TriggerDefinition(Trigger(kind, spec), found.at, entries)
    params = {name: read_template(node, EVENT_NAMES, definition.uses, found.report) for name, node in nodes.items()}
    if kind == "schedule":
        for node in nodes.values():
            message = "the params of a schedule are fixed: they cannot hold expressions"
            refuse_expressions(node, Code.NOT_HERE, message, "compute the value in a step", found.report)
        definition.uses.clear()
    definition.trigger = Trigger(kind, spec, params)
    return definition


def _schedule(node: Node, what: str, report: Report) -> dict[str, Any]:
    found = Fields(node, report, f"schedule of {what}", keys.SCHEDULE)
    if found.has("cron") and found.has("every"):
        hint = "cron names times of the day, every a rhythm: remove one"
        report.add(found.key("every"), Code.CONFLICT, '"cron" and "every" do not go together', hint)
    if not found.has("cron") and not found.has("every") and isinstance(node.value, dict):
        hint = 'such as cron: "0 6 * * MON", or every: 1 month'
        report.add(node, Code.MISSING_KEY, f'schedule of {what} has neither "cron" nor "every"', hint)
    times = _every(found, report) if found.has("every") else _cron(found, report)
    catchup = found.duration("catchup", least=0.0)
    return {
        **times,
        "timezone": _timezone(found, report),
        "overlap": found.choice("overlap", OVERLAPS) or "skip",
        "catchup": DEFAULT_CATCHUP_SECONDS if catchup is None else catchup,
    }


def _cron(found: Fields, report: Report) -> dict[str, Any]:
    cron = found.text("cron")
    problem = None if cron is None else cron_problem(cron)
    if problem is not None:
        hint = "five fields: minute hour day month weekday, such as 0 6 * * MON"
        report.add(found.entries["cron"].value, Code.CRON, f'"cron" is "{shown(cron or "")}": {problem}', hint)
    if found.has("start") and found.has("cron"):
        message = '"start" goes with "every": it is where the rhythm begins'
        report.add(found.key("start"), Code.CONFLICT, message, "cron text names its times itself: remove start")
    return {"cron": " ".join((cron or "").split())}


def _every(found: Fields, report: Report) -> dict[str, Any]:
    rhythm, node = None, found.get("every")
    text = None if node is None else found.text("every")
    if node is not None and text is not None:
        rhythm = read_rhythm(text)
        if rhythm is None:
            hint = "such as 1 month, 2 weeks or 36h; from a second to ten years"
            report.add(node, Code.EVERY, f'"every" is "{shown(text)}", which is no rhythm', hint)
    return {"every": rhythm or {}, "start": _start(found, report)}


def _start(found: Fields, report: Report) -> str:
    text = found.text("start")
    if text is None:
        return DEFAULT_START
    start = read_date(text) or read_time(text)
    if start is None:
        problem = time_problem(text) or "there is no such time"
        hint = "a date such as 2025-01-31, or a time such as 2025-01-31T06:00:00+01:00"
        report.add(found.entries["start"].value, Code.TIME, f'"start" is "{shown(text)}": {problem}', hint)
    return start or DEFAULT_START


def _timezone(found: Fields, report: Report) -> str:
    name = found.text("timezone")
    if name is None:
        return "UTC"
    # A machine without time zone data knows no zone: then only the form can be checked, and Temporal knows the rest.
    known = _zones()
    if not _ZONE.fullmatch(name) or (known and name not in known):
        hint = did_you_mean(name, known, "an IANA name, such as Europe/Paris")
        report.add(found.entries["timezone"].value, Code.TIMEZONE, f'"{shown(name)}" is not a time zone', hint)
    return name


@functools.cache
def _zones() -> frozenset[str]:
    """Return the names of the zones that this machine knows; finding them walks through a thousand files."""
    return frozenset(zoneinfo.available_timezones())


def _event(node: Node, what: str, uses: list[Use], report: Report) -> dict[str, Any]:
    found = Fields(node, report, f"event of {what}", keys.EVENT)
    found.require("name", "such as name: dataset.published")
    name = found.text("name")
    if name is not None:
        check_name(found.entries["name"].value, name, EVENT_NAME, "an event", EVENT_RULE, report)
    spec: dict[str, Any] = {"name": name or ""}
    condition = found.get("if")
    if condition is not None:
        text = read_condition(condition, "if", EVENT_NAMES, uses, report)
        spec |= {"if": text} if text is not None else {}
    debounce = found.duration("debounce")
    return spec if debounce is None else spec | {"debounce": debounce}
