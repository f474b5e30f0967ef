"""Reads `triggers`: schedules and events, with the params of the runs they start."""

from __future__ import annotations

import re
import zoneinfo
from typing import Any, Literal

from translator import keys
from translator.cron import cron_problem
from translator.definition import EVENT_NAMES, TriggerDefinition
from translator.diagnostics import Code, did_you_mean, shown
from translator.embedded import read_template, refuse_expressions
from translator.fields import Fields, check_name
from translator.located import Node, Report
from workflows.plan import Trigger

OVERLAPS = ("skip", "allow", "queue", "cancel_oldest")
DEFAULT_CATCHUP_SECONDS = 600.0
"""A restart of the service must not lose a run; an outage of a day must not start a hundred."""
MAX_TRIGGERS = 50

_EVENT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,199}")
_EVENT_RULE = "a letter, then letters, digits, . _ / or -"
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
        return _definition("event", _event(event, what, report), found)
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
    later = any(found.has(key) for key in keys.SCHEDULE.later)
    cron = found.text("cron") if later else _required_cron(found)
    if cron is not None:
        problem = cron_problem(cron)
        if problem is not None:
            hint = "five fields: minute hour day month weekday, such as 0 6 * * MON"
            report.add(found.entries["cron"].value, Code.CRON, f'"cron" is "{shown(cron)}": {problem}', hint)
    catchup = found.duration("catchup", least=0.0)
    return {
        "cron": " ".join((cron or "").split()),
        "timezone": _timezone(found, report),
        "overlap": found.choice("overlap", OVERLAPS) or "skip",
        "catchup": DEFAULT_CATCHUP_SECONDS if catchup is None else catchup,
    }


def _required_cron(found: Fields) -> str | None:
    found.require("cron", 'such as cron: "0 6 * * MON"')
    return found.text("cron")


def _timezone(found: Fields, report: Report) -> str:
    name = found.text("timezone")
    if name is None:
        return "UTC"
    # A machine without time zone data knows no zone: then only the form can be checked, and Temporal knows the rest.
    known = zoneinfo.available_timezones()
    if not _ZONE.fullmatch(name) or (known and name not in known):
        hint = did_you_mean(name, known, "an IANA name, such as Europe/Paris")
        report.add(found.entries["timezone"].value, Code.TIMEZONE, f'"{shown(name)}" is not a time zone', hint)
    return name


def _event(node: Node, what: str, report: Report) -> dict[str, Any]:
    found = Fields(node, report, f"event of {what}", keys.EVENT)
    found.require("name", "such as name: dataset.published")
    name = found.text("name")
    if name is not None:
        check_name(found.entries["name"].value, name, _EVENT_NAME, "an event", _EVENT_RULE, report)
    return {"name": name or ""}
