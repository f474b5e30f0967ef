"""Reads the kinds that no worker runs: `workflow` (another workflow as a step), `wait` and `approve`."""

from __future__ import annotations

import re
from typing import Any

from translator import keys
from translator.definition import StepDefinition, Use
from translator.diagnostics import Code, one_of, shown
from translator.embedded import read_condition, read_template, refuse_expressions
from translator.fields import MAX_DURATION, Fields, check_name
from translator.located import Node, Report
from translator.names import EVENT_NAME, EVENT_RULE, VARIABLE, VARIABLE_RULE, WORKFLOW_NAME, WORKFLOW_NAME_RULE
from translator.schemas import check_default, check_schema
from translator.times import read_time, time_problem
from workflows.templates import OPENING

MAX_QUORUM = 100
MAX_FORM = 50
ON_TIMEOUT = ("reject", "approve", "fail")
DECISION = ("approved", "by")
"""What every approval's output says; a form cannot ask for it."""

_APPROVER = re.compile(r"\S(?:.{0,198}\S)?")
_VERSIONS = 2**31 - 1


def read_call(node: Node, step: StepDefinition, what: str, report: Report) -> dict[str, Any]:
    """Read `workflow`: a name, or a name and a version."""
    step.called_at = node
    if isinstance(node.value, str):
        name, version = node.value, None
    else:
        found = Fields(node, report, f"workflow of {what}", keys.CALL)
        at = found.require("name", "such as name: train-digits")
        name, version = found.text("name") or "", found.integer("version", 1, _VERSIONS)
        if not name or at is None:
            return {"workflow": "", "version": version}
        step.called_at = at
    message = "which workflow runs must be known before the run"
    if not refuse_expressions(step.called_at, Code.NOT_HERE, message, "put an `if` on one step for each", report):
        check_name(step.called_at, name, WORKFLOW_NAME, "a workflow", WORKFLOW_NAME_RULE, report)
    return {"workflow": name, "version": version}


class WaitReader:
    """Reads the `wait` of one step.

    Args:
        step: What the step is called in messages.
        names: What its expressions may speak of.
        event_names: What the condition on an arriving event may speak of.
        uses: Gets its expressions.
        report: Gets the problems.
    """

    def __init__(
        self, step: str, names: frozenset[str], event_names: frozenset[str], uses: list[Use], report: Report
    ) -> None:
        self.step = step
        self.names = names
        self.event_names = event_names
        self.uses = uses
        self.report = report

    def action(self, node: Node) -> dict[str, Any]:
        """Return the plan's action."""
        found = Fields(node, self.report, f"wait of {self.step}", keys.WAIT)
        given = [key for key in keys.WAIT.known if found.has(key)]
        if len(given) > 1:
            message = f'"{given[0]}" and "{given[1]}" do not go together'
            hint = "one step waits for one thing: make two steps of it"
            self.report.add(found.key(given[1]), Code.CONFLICT, message, hint)
        elif not given and isinstance(node.value, dict):
            hint = "for: 10m, until: a time, or event: {name: ...}"
            self.report.add(node, Code.MISSING_KEY, f"wait of {self.step} does not say for what", hint)
        value = found.get(given[0]) if given else None
        if value is None:
            return {}
        match given[0]:
            case "for":
                return {"for": self._length(found, value)}
            case "until":
                return {"until": self._until(found, value)}
            case _:
                return {"event": self._event(value)}

    def _length(self, found: Fields, node: Node) -> Any:
        if isinstance(node.value, str) and OPENING in node.value:
            return read_template(node, self.names, self.uses, self.report)
        return found.duration_of("for", node)

    def _until(self, found: Fields, node: Node) -> str:
        text = found.text_of("until", node)
        if text is None:
            return ""
        if OPENING in text:
            return str(read_template(node, self.names, self.uses, self.report))
        problem = time_problem(text)
        if problem is not None:
            hint = "such as 2026-01-31T18:00:00Z, or an expression that gives such a text"
            self.report.add(node, Code.TIME, f'"until" is "{shown(text)}": {problem}', hint)
        return read_time(text) or ""

    def _event(self, node: Node) -> dict[str, Any]:
        found = Fields(node, self.report, f"event of {self.step}", keys.WAIT_EVENT)
        at = found.require("name", "such as name: dataset.published")
        name = None if at is None else found.text_of("name", at)
        if at is not None and name is not None and OPENING not in name:
            check_name(at, name, EVENT_NAME, "an event", EVENT_RULE, self.report)
        condition, node_if = None, found.get("if")
        if node_if is not None:
            condition = read_condition(node_if, "if", self.event_names, self.uses, self.report, arriving=True)
        template = read_template(at, self.names, self.uses, self.report) if at is not None and name else ""
        return {"name": template, "if": condition}


def read_approve(node: Node, step: StepDefinition, what: str, report: Report) -> dict[str, Any]:
    """Read `approve`: who decides, how many of them, by when, and what else they are asked."""
    found = Fields(node, report, f"approve of {what}", keys.APPROVE)
    by = _approvers(found, report)
    quorum = found.integer("quorum", 1, MAX_QUORUM) or 1
    timeout = found.duration("timeout", least=1.0)
    on_timeout = found.choice("on_timeout", ON_TIMEOUT)
    form = _form(found, what, report)
    people = [name for name in by if ":" not in name]
    if by and len(people) == len(by) < quorum:
        message = f'"quorum" is {quorum}, but "by" names {len(by)}'
        report.add(found.entries["quorum"].value, Code.CONFLICT, message, "name more people, or a role: role:releaser")
    if on_timeout is not None and not found.has("timeout"):
        message = '"on_timeout" says what happens after a "timeout", and there is none'
        report.add(found.key("on_timeout"), Code.CONFLICT, message, "add timeout: 48h")
    step.fixed_output = (*DECISION, *form)
    return {"by": by, "quorum": quorum, "timeout": timeout, "on_timeout": on_timeout or "reject", "form": form}


def _approvers(found: Fields, report: Report) -> list[str]:
    names: list[str] = []
    node = found.get("by")
    for item in [] if node is None else node.items or [node]:
        name = found.text_of("by", item) if isinstance(item.value, str) or item is not node else None
        if item is node and not isinstance(node.value, str):
            if node.value != []:
                found.wrong("by", node, "a name or a list of names", "such as [role:releaser]")
        elif name is not None and not refuse_expressions(
            item, Code.NOT_HERE, "who may decide is fixed: it cannot hold expressions", "name a role", report
        ):
            check_name(item, name, _APPROVER, "a person or role", "such as ada@example.com or role:releaser", report)
            if name in names:
                report.add(item, Code.CONFLICT, f'"by" names "{shown(name)}" twice')
            names.append(name)
    return names


def _form(found: Fields, what: str, report: Report) -> dict[str, dict[str, Any]]:
    form: dict[str, dict[str, Any]] = {}
    nodes = found.named("form", "names to schemas", "such as {rollout: {type: integer, default: 10}}")
    if len(nodes) > MAX_FORM:
        message = f"the form has {len(nodes)} fields; at most {MAX_FORM} are possible"
        report.add(found.key("form"), Code.LIMIT, message)
        return form
    for name, node in nodes.items():
        key = found.entries["form"].value.mapping[name].key
        field = f'form field "{shown(name)}"'
        if name in DECISION:
            message = f'"{name}" is in every approval\'s output already'
            report.add(key, Code.BAD_NAME, message, f"a form cannot ask for {one_of(DECISION)}")
        else:
            check_name(key, name, VARIABLE, "a form field", VARIABLE_RULE, report)
        form[name] = read_schema(node, field, f"write {name}: {{type: string}}", report)
    return form


def read_schema(node: Node, what: str, example: str, report: Report) -> dict[str, Any]:
    """Return a JSON Schema with its default checked; an empty one when something is wrong with it."""
    if not isinstance(node.value, dict):
        report.add(node, Code.WRONG_TYPE, f"{what} must be a JSON Schema", example)
        return {}
    message = f"{what} is fixed: it cannot hold expressions"
    if refuse_expressions(node, Code.NOT_HERE, message, "compute the value in a step", report):
        return {}
    if not check_schema(node, what, report):
        return {}
    check_default(node, what, report)
    return dict(node.plain())


NO_BOUND = MAX_DURATION
"""What bounds a step that only waits: nothing of its own; the run's `timeout` holds."""
