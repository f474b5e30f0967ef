"""Reads one step: its kind, its keys, and the expressions in them. Other steps are not looked at."""

from __future__ import annotations

import keyword
import re
from typing import Any, get_args

from translator import keys
from translator.definition import COMMON_NAMES, EDGE_NAMES, SPECIAL_NAMES, NeedDefinition, StepDefinition
from translator.diagnostics import Code, one_of, shown
from translator.embedded import read_condition, read_template, refuse_expressions
from translator.fields import Fields, check_name, type_of
from translator.located import Node, Report
from translator.read_http import HttpReader
from translator.read_options import read_env, read_queue, read_retry, read_timeout
from translator.schemas import TYPES, check_schema
from workflows.expressions import ExpressionError, parse
from workflows.plan import MAX_MAP_ITEMS, MAX_PARALLEL_LIMIT, Map, TriggerRule
from workflows.templates import OPENING, sole_expression

STEP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
STEP_NAME_RULE = "a letter, then at most 62 letters, digits, _ or -"
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
VARIABLE_RULE = "a letter or _, then at most 62 letters, digits or _"
TRIGGER_RULES: tuple[TriggerRule, ...] = get_args(TriggerRule)

_CALLABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*")
_MAX_SCRIPT = 256 * 1024
_KIND_HINT = "a step has one of run (shell), python, http, or uses: noop"


def read_step(name: str, key: Node, node: Node, index: int, report: Report) -> StepDefinition:
    """Read a step.

    Args:
        name: Its id.
        key: Where the id is written.
        node: Its mapping.
        index: Its place among the steps as written.
        report: Gets the problems.
    """
    check_name(key, name, STEP_NAME, "a step", STEP_NAME_RULE, report)
    return _StepReader(name, key, node, index, report).read()


class _StepReader:
    def __init__(self, name: str, key: Node, node: Node, index: int, report: Report) -> None:
        self.report = report
        self.what = f'step "{shown(name)}"'
        self.found = Fields(node, report, self.what, keys.STEP)
        self.step = StepDefinition(name, key, index)
        self.names = COMMON_NAMES

    def read(self) -> StepDefinition:
        step, found = self.step, self.found
        step.map = self.map()
        if step.map is not None:
            self.names = COMMON_NAMES | {step.map.name}
        output_names = self.kind()
        step.needs = self.needs()
        step.trigger_rule = found.choice("trigger_rule", TRIGGER_RULES)
        node = found.get("if")
        if node is not None:
            step.condition = read_condition(node, "if", COMMON_NAMES, step.uses, self.report)
        step.inputs = self.inputs()
        step.env = self.env()
        step.queue = read_queue(found)
        step.retry = read_retry(found, self.what)
        step.timeout = read_timeout(found, self.what)
        step.output = self.output(output_names)
        step.description = found.text("description")
        return step

    def kind(self) -> frozenset[str]:
        """Read the operator; return what the step's output may speak of."""
        found, step = self.found, self.step
        given = [key for key in keys.STEP_KINDS if found.has(key)]
        if len(given) > 1:
            message = f"{self.what} has {len(given)} kinds: {one_of(given)}"
            self.report.add(found.key(given[1]), Code.KIND, message, "make two steps of it, or remove one")
        if not given:
            later = any(found.has(key) for key in keys.LATER_KINDS)
            if isinstance(found.at.value, dict) and not later:
                self.report.add(step.at, Code.KIND, f"{self.what} does nothing", _KIND_HINT)
            return frozenset()
        match given[0]:
            case "run":
                step.kind, step.action = "shell", {"script": self.script()}
            case "python":
                step.kind, step.action = "python", {"callable": self.callable()}
            case "http":
                step.kind = "http"
                node = found.get("http")
                if node is not None:
                    reader = HttpReader(self.what, self.names, step.uses, self.report)
                    step.action, names = reader.action(node)
                    return names
            case _:
                self.uses()
        return frozenset()

    def script(self) -> str:
        text, node = self.found.text("run"), self.found.get("run")
        if text is None or node is None:
            return ""
        expression = _first_expression(text)
        refuse_expressions(
            node,
            Code.IN_SCRIPT,
            "an expression in a script is an open door for whoever chooses the value",
            f'pass it through the environment: env: {{VALUE: "{expression}"}}, and write "$VALUE" in the script',
            self.report,
        )
        if len(text) > _MAX_SCRIPT:
            self.report.add(node, Code.LIMIT, "the script is longer than 256 KiB", "put it into a file of the bundle")
        # Where YAML and Python differ in the blank lines around a script, its meaning does not.
        return text.strip("\n")

    def callable(self) -> str:
        text, node = self.found.text("python"), self.found.get("python")
        if text is None or node is None:
            return ""
        if _CALLABLE.fullmatch(text):
            return text
        hint = "write module:function, such as pipeline.train:train"
        if text.endswith(".py") or "/" in text:
            hint = "a module, not a file: " + hint
        elif ":" not in text and text.count(".") > 1:
            hint = f'did you mean "{":".join(text.rsplit(".", 1))}"?'
        self.report.add(node, Code.CALLABLE, f'"python" is "{shown(text)}", which names no function', hint)
        return ""

    def uses(self) -> None:
        text, node = self.found.text("uses"), self.found.get("uses")
        if text is not None and node is not None and text != "noop":
            message = f'"uses: {shown(text)}" is not supported yet'
            self.report.add(node, Code.NOT_SUPPORTED, message, "the only operator that can be used by name is noop")

    def needs(self) -> list[NeedDefinition]:
        node = self.found.get("needs")
        if node is None:
            return []
        if isinstance(node.value, dict):
            return [self.edge(name, entry.key, entry.value) for name, entry in node.mapping.items()]
        if not isinstance(node.value, str | list):
            self.found.wrong("needs", node, "a step, a list of steps, or a mapping of steps to conditions")
            return []
        needs: dict[str, NeedDefinition] = {}
        for item in node.items if isinstance(node.value, list) else [node]:
            name = self.found.text_of("needs", item)
            if name in needs:
                self.report.add(item, Code.CONFLICT, f'{self.what} needs "{shown(name)}" twice')
            elif name is not None:
                needs[name] = NeedDefinition(name, item)
        return list(needs.values())

    def edge(self, name: str, key: Node, node: Node) -> NeedDefinition:
        if node.value is None:
            return NeedDefinition(name, key)
        condition = read_condition(node, f"needs.{shown(name)}", EDGE_NAMES, self.step.uses, self.report, name)
        return NeedDefinition(name, key, condition)

    def inputs(self) -> dict[str, Any]:
        if self.found.has("with") and self.step.kind in ("shell", "http"):
            ways = {"shell": "a script gets its values through env", "http": "put the values into the request"}
            message = f'"with" has no meaning for {self.what}'
            self.report.add(self.found.key("with"), Code.CONFLICT, message, ways[self.step.kind])
            return {}
        inputs = {}
        for name, node in self.found.named("with", "names to values").items():
            if self.step.kind == "python" and (not name.isidentifier() or keyword.iskeyword(name)):
                message = f'"{shown(name)}" cannot be the name of an argument'
                self.report.add(self.entry_key("with", name), Code.BAD_NAME, message, "arguments are passed by name")
            inputs[name] = read_template(node, self.names, self.step.uses, self.report)
        return inputs

    def env(self) -> dict[str, Any]:
        if self.found.has("env") and self.step.kind in ("http", "noop"):
            self.report.add(self.found.key("env"), Code.CONFLICT, f'"env" has no meaning for {self.what}')
            return {}
        env, uses = read_env(self.found, self.names)
        self.step.uses += [use for of_name in uses.values() for use in of_name]
        return env

    def entry_key(self, key: str, name: str) -> Node:
        return self.found.entries[key].value.mapping[name].key

    def map(self) -> Map | None:
        node = self.found.get("map")
        if node is None:
            return None
        found = Fields(node, self.report, f"map of {self.what}", keys.MAP)
        name = found.text("as") or "item"
        if found.has("as") and check_name(
            found.entries["as"].value, name, VARIABLE, "a variable", VARIABLE_RULE, self.report
        ):
            self.check_variable(name, found.entries["as"].value)
        limit = found.integer("limit", 1, MAX_PARALLEL_LIMIT)
        return Map(self.over(found), name, limit, self.min_success(found))

    def check_variable(self, name: str, node: Node) -> None:
        taken = name in COMMON_NAMES | SPECIAL_NAMES
        try:
            taken = taken or parse(name).references() != {(name,)}
        except ExpressionError:
            taken = True
        if taken:
            self.report.add(
                node, Code.BAD_NAME, f'"{name}" has a meaning of its own in expressions', "such as: as: item"
            )

    def over(self, found: Fields) -> Any:
        node = found.require("over", 'such as over: "${{ params.grid }}"')
        if node is None:
            return []
        if isinstance(node.value, list):
            if len(node.items) > MAX_MAP_ITEMS:
                message = f'"over" has {len(node.items):,} items; at most {MAX_MAP_ITEMS:,} can run'
                self.report.add(node, Code.LIMIT, message, "give each step of the map several items to work on")
        elif not isinstance(node.value, str) or not _is_sole(node.value.strip()):
            found.wrong("over", node, "a list, or one expression that gives a list", 'such as "${{ params.grid }}"')
            return []
        else:
            node = Node(node.value.strip(), node.position, node.raw.strip())
        return read_template(node, COMMON_NAMES, self.step.uses, self.report)

    def min_success(self, found: Fields) -> dict[str, float] | None:
        node = found.get("min_success")
        if node is None:
            return None
        if type(node.value) is int and node.value >= 0:
            return {"count": float(node.value)}
        match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%", node.value) if isinstance(node.value, str) else None
        if match is not None and float(match[1]) <= 100:
            return {"percent": float(match[1])}
        self.report.add(node, Code.BAD_VALUE, '"min_success" must be a number of items, or a share', "such as 3 or 80%")
        return None

    def output(self, names: frozenset[str]) -> dict[str, dict[str, Any]] | None:
        found = self.found
        declared: dict[str, dict[str, Any]] = {}
        if not found.has("output"):
            return None
        for name, node in found.named("output", "names to schemas").items():
            check_name(self.entry_key("output", name), name, VARIABLE, "an output", VARIABLE_RULE, self.report)
            if self.step.kind == "http":
                declared[name] = {"value": self.computed(name, node, names)}
            elif isinstance(node.value, dict):
                check_schema(node, f'output "{shown(name)}"', self.report)
                declared[name] = {"schema": node.plain()}
            else:
                hint = f"write {{type: {node.value}}}" if node.value in TYPES else "such as {type: number}"
                if isinstance(node.value, str) and OPENING in node.value:
                    hint = "only an http step computes its output; other steps give one, and can declare its type here"
                message = f'output "{shown(name)}" must be a JSON Schema, but is {type_of(node)}'
                self.report.add(node, Code.WRONG_TYPE, message, hint)
        return declared

    def computed(self, name: str, node: Node, names: frozenset[str]) -> Any:
        if isinstance(node.value, dict | list):
            message = f'output "{shown(name)}" of an http step must be an expression, but is {type_of(node)}'
            self.report.add(node, Code.WRONG_TYPE, message, 'such as "${{ response.json.id }}"')
        return read_template(node, names, self.step.uses, self.report)


def _first_expression(text: str) -> str:
    start = text.find(OPENING)
    end = text.find("}}", start)
    return shown(text[start : end + 2], 60) if end >= 0 else OPENING + " ... }}"


def _is_sole(text: str) -> bool:
    try:
        return sole_expression(text) is not None
    except ExpressionError:
        return OPENING in text
