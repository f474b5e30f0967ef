"""Reads a whole definition: the keys at its top, and through `read_step` its steps."""

from __future__ import annotations

import re
from typing import Any, get_args

from translator import keys
from translator.definition import COMMON_NAMES, SECRETS, START_NAMES, Defaults, OnFailure, WhenFull, WorkflowDefinition
from translator.diagnostics import Code, shown
from translator.embedded import read_template, refuse_expressions
from translator.fields import Fields, check_name, type_of
from translator.located import Entry, Node, Report
from translator.names import VARIABLE, VARIABLE_RULE, WORKFLOW_NAME, WORKFLOW_NAME_RULE
from translator.read_environment import is_inside, outside, read_isolation, read_python, read_requirements
from translator.read_options import read_env, read_queue, read_retry, read_timeout
from translator.read_resources import read_priority, read_resources
from translator.read_reuse import read_cache
from translator.read_step import read_step
from translator.read_triggers import read_triggers
from translator.schemas import TYPES, check_default, check_schema
from translator.shared_steps import SharedFiles
from workflows.plan import MAX_PARALLEL_LIMIT, MAX_PLAN_STEPS, MAX_WAITING_STEPS, Concurrency

ON_FAILURE: tuple[OnFailure, ...] = get_args(OnFailure)
WHEN_FULL: tuple[WhenFull, ...] = get_args(WhenFull)
MAX_RUNS = 1_000

LANGUAGE = 1
MAX_PARAMS = 200
MAX_LABELS = 50


def read_workflow(node: Node, report: Report, shared: SharedFiles) -> WorkflowDefinition:
    """Read a definition; what is wrong goes to the report and is left out."""
    found = Fields(node, report, "the workflow", keys.WORKFLOW)
    definition = WorkflowDefinition()
    _language(found, report)
    definition.name = _name(found, report)
    definition.description = found.text("description")
    definition.labels = _labels(found, report)
    definition.params = _params(found, report)
    definition.triggers = read_triggers(found, report)
    definition.concurrency = _concurrency(found, definition, report)
    definition.max_parallel = found.integer("max_parallel", 1, MAX_PARALLEL_LIMIT)
    definition.timeout = found.duration("timeout", least=1.0)
    definition.on_failure = found.choice("on_failure", ON_FAILURE)
    definition.defaults = _defaults(found, report)
    _code(found, definition, report)
    _steps(found, definition, report, shared)
    if found.has("output"):
        names = COMMON_NAMES
        definition.output = read_template(found.entries["output"].value, names, definition.uses, report)
    return definition


def _language(found: Fields, report: Report) -> None:
    node = found.require("segue", "the first line is `segue: 1`, the version of the language")
    if node is not None and (type(node.value) is not int or node.value != LANGUAGE):
        given = shown(node.raw or str(node.plain()))
        message = f'"segue" is the version of the language: the number {LANGUAGE}, not {given}'
        report.add(node, Code.BAD_VALUE, message, f"write segue: {LANGUAGE}")


def _name(found: Fields, report: Report) -> str:
    found.require("name", "such as name: train-digits")
    name = found.text("name")
    if name is None:
        return ""
    better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63]
    rule = WORKFLOW_NAME_RULE + (f'; such as "{better}"' if WORKFLOW_NAME.fullmatch(better) else "")
    check_name(found.entries["name"].value, name, WORKFLOW_NAME, "a workflow", rule, report)
    return name


def _labels(found: Fields, report: Report) -> dict[str, str]:
    labels = {}
    nodes = found.named("labels", "names to texts")
    if len(nodes) > MAX_LABELS:
        report.add(found.key("labels"), Code.LIMIT, f"there are {len(nodes)} labels; at most {MAX_LABELS} are possible")
    for name, node in nodes.items():
        text = found.text_of(f"labels.{shown(name)}", node)
        message = "labels are fixed: they cannot hold expressions"
        if text is not None and not refuse_expressions(node, Code.NOT_HERE, message, "", report):
            labels[name] = text
    return labels


def _params(found: Fields, report: Report) -> dict[str, dict[str, Any]]:
    params: dict[str, dict[str, Any]] = {}
    nodes = found.named("params", "names to schemas")
    if len(nodes) > MAX_PARAMS:
        report.add(found.key("params"), Code.LIMIT, f"there are {len(nodes)} params; at most {MAX_PARAMS} are possible")
    for name, node in nodes.items():
        what = f'param "{shown(name)}"'
        key = found.entries["params"].value.mapping[name].key
        check_name(key, name, VARIABLE, "a param", VARIABLE_RULE, report)
        params[name] = {}
        if not isinstance(node.value, dict):
            hint = f"write {name}: {{type: {node.value}}}" if node.value in TYPES else _default_hint(name, node)
            report.add(node, Code.WRONG_TYPE, f"{what} must be a JSON Schema, but is {type_of(node)}", hint)
        elif _is_fixed(node, what, report) and check_schema(node, what, report):
            check_default(node, what, report)
            params[name] = node.plain()
    return params


def _is_fixed(node: Node, what: str, report: Report) -> bool:
    message = f"{what} is fixed: it cannot hold expressions"
    return not refuse_expressions(node, Code.NOT_HERE, message, "compute the value in a step", report)


def _default_hint(name: str, node: Node) -> str:
    types = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    kind = types.get(type(node.value))
    default = node.raw if node.raw else "..."
    return (
        f"write {name}: {{type: {kind}, default: {shown(default, 40)}}}"
        if kind
        else f"such as {name}: {{type: string}}"
    )


def _defaults(found: Fields, report: Report) -> Defaults:
    node = found.get("defaults")
    if node is None:
        return Defaults()
    fields = Fields(node, report, '"defaults"', keys.DEFAULTS)
    env, uses = read_env(fields, COMMON_NAMES | {SECRETS})
    queue, retry, timeout = read_queue(fields), read_retry(fields, '"defaults"'), read_timeout(fields, '"defaults"')
    requirements, isolation = read_requirements(fields), read_isolation(fields, '"defaults"')
    priority, resources = read_priority(fields), read_resources(fields, '"defaults"')
    cache = read_cache(fields, '"defaults"') or None
    return Defaults(queue, retry, timeout, env, uses, cache, priority, resources, requirements, isolation)


def _concurrency(found: Fields, definition: WorkflowDefinition, report: Report) -> Concurrency | None:
    node = found.get("concurrency")
    if node is None:
        return None
    if type(node.value) is int:
        hint = f"write {{limit: {node.value}}} for runs at once; steps at once are max_parallel"
        found.wrong("concurrency", node, "a mapping", hint)
        return None
    fields = Fields(node, report, '"concurrency"', keys.CONCURRENCY)
    # Without a key of their own, all runs of the workflow share one.
    key: Any = definition.name
    if fields.text("key") is not None:
        key = read_template(fields.entries["key"].value, START_NAMES, definition.uses, report)
    limit, when_full = fields.integer("limit", 1, MAX_RUNS), fields.choice("when_full", WHEN_FULL)
    return Concurrency(key, limit or 1, when_full or "queue")


def _code(found: Fields, definition: WorkflowDefinition, report: Report) -> None:
    node = found.get("code")
    if node is None:
        return
    fields = Fields(node, report, '"code"', keys.CODE)
    definition.include = fields.texts("include")
    definition.requirements = read_requirements(fields)
    definition.python = read_python(fields)
    if fields.has("include"):
        value = fields.entries["include"].value
        for path in value.items or [value]:
            if isinstance(path.value, str) and not is_inside(path.value):
                outside(path, path.value, report)


def _steps(found: Fields, definition: WorkflowDefinition, report: Report, shared: SharedFiles) -> None:
    found.require("steps", "such as steps: {hello: {run: echo hello}}")
    if found.has("steps") and found.entries["steps"].value.value == {}:
        report.add(found.key("steps"), Code.MISSING_KEY, "the workflow has no steps")
    steps, last = _entries(found, "steps"), _entries(found, "finally")
    if len(steps) + len(last) > MAX_PLAN_STEPS:
        message = f"the workflow has {len(steps) + len(last):,} steps; at most {MAX_PLAN_STEPS:,} are possible"
        report.add(found.key("steps"), Code.LIMIT, message, "a map runs one step for each item of a list")
        return
    for name, entry in steps.items():
        index = len(definition.steps)
        definition.steps[name] = read_step(name, entry.key, entry.value, index, report, shared)
    waiting = sum(step.kind in ("wait", "approve") for step in definition.steps.values())
    if waiting > MAX_WAITING_STEPS:
        message = f"{waiting:,} steps wait or ask for an approval; at most {MAX_WAITING_STEPS:,} are possible"
        report.add(found.key("steps"), Code.LIMIT, message, "call workflows that wait")
    for name, entry in last.items():
        if name in steps:
            line = steps[name].key.position.line
            message = f'the step "{shown(name)}" is already under steps, on line {line}'
            report.add(entry.key, Code.DUPLICATE_KEY, message, "ids are unique across steps and finally")
            continue
        index = len(definition.steps)
        definition.steps[name] = read_step(name, entry.key, entry.value, index, report, shared, "finally")


def _entries(found: Fields, key: str) -> dict[str, Entry]:
    nodes = found.named(key, "names to steps", "write each step as NAME: {...}, without a dash")
    return found.entries[key].value.mapping if nodes else {}
