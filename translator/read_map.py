"""Reads `map`: one list, or a list of maps inside each other, the outermost first."""

from __future__ import annotations

import re
from math import prod
from typing import Any

from translator import keys
from translator.definition import COMMON_NAMES, SPECIAL_NAMES, Use
from translator.diagnostics import Code
from translator.embedded import read_template
from translator.fields import Fields, check_name, type_of
from translator.located import Node, Report
from translator.names import VARIABLE, VARIABLE_RULE
from workflows.expressions import ExpressionError, parse
from workflows.plan import MAX_MAP_ITEMS, MAX_PARALLEL_LIMIT, Map
from workflows.templates import OPENING, sole_expression

MAX_LEVELS = 3
DEFAULT_NAME = "item"


def read_map(found: Fields, uses: list[Use]) -> Map | None:
    """Return the map of a step.

    Args:
        found: The step.
        uses: Gets the expressions of the map.
    """
    node = found.get("map")
    if node is None:
        return None
    return _MapReader(found.what, uses, found.report).read(node)


class _MapReader:
    def __init__(self, step: str, uses: list[Use], report: Report) -> None:
        self.step = step
        self.uses = uses
        self.report = report
        self.names = COMMON_NAMES
        self.lengths: list[int] = []

    def read(self, node: Node) -> Map | None:
        nodes = node.items if isinstance(node.value, list) else [node]
        if not any(isinstance(each.value, dict) for each in nodes):
            hint = "write map: {over: [...]}" if nodes and node.items else 'such as {over: "${{ params.grid }}"}'
            message = f"map of {self.step} must be a mapping, or a list of them, but is {type_of(node)}"
            self.report.add(node, Code.WRONG_TYPE, message, hint)
            return None
        if len(nodes) > MAX_LEVELS:
            message = f'"map" has {len(nodes)} levels; at most {MAX_LEVELS} are possible'
            self.report.add(nodes[MAX_LEVELS], Code.LIMIT, message, "make one list of objects in a step before")
            return None
        maps = [self.level(each, inner=place > 0) for place, each in enumerate(nodes)]
        if len(maps) > 1 and prod(self.lengths) > MAX_MAP_ITEMS:
            message = f"the maps have {prod(self.lengths):,} items together; at most {MAX_MAP_ITEMS:,} can run"
            self.report.add(node, Code.LIMIT, message, "give each step of the map several items to work on")
        nested: Map | None = None
        for each in reversed(maps):
            nested = Map(each.over, each.name, each.limit, each.min_success, nested)
        return nested

    def level(self, node: Node, *, inner: bool) -> Map:
        what = f"{'inner ' if inner else ''}map of {self.step}"
        found = Fields(node, self.report, what, keys.INNER_MAP if inner else keys.MAP)
        over = self.over(found)
        name = found.text("as") or DEFAULT_NAME
        self.check_variable(name, found)
        self.names = self.names | {name}
        if inner:
            return Map(over, name)
        return Map(over, name, found.integer("limit", 1, MAX_PARALLEL_LIMIT), self.min_success(found))

    def check_variable(self, name: str, found: Fields) -> None:
        node = found.entries["as"].value if found.has("as") else found.at
        if name in self.names - COMMON_NAMES:
            message = f'the variable "{name}" is that of an outer map'
            self.report.add(node, Code.CONFLICT, message, "give each map a variable of its own: as: ...")
        elif check_name(node, name, VARIABLE, "a variable", VARIABLE_RULE, self.report) and _is_taken(name):
            message = f'"{name}" has a meaning of its own in expressions'
            self.report.add(node, Code.BAD_NAME, message, "such as: as: item")

    def over(self, found: Fields) -> Any:
        node = found.require("over", 'such as over: "${{ params.grid }}"')
        if node is None:
            return []
        if isinstance(node.value, list):
            self.lengths.append(len(node.items))
            if len(node.items) > MAX_MAP_ITEMS:
                message = f'"over" has {len(node.items):,} items; at most {MAX_MAP_ITEMS:,} can run'
                self.report.add(node, Code.LIMIT, message, "give each step of the map several items to work on")
        elif not isinstance(node.value, str) or not _is_sole(node.value.strip()):
            found.wrong("over", node, "a list, or one expression that gives a list", 'such as "${{ params.grid }}"')
            return []
        else:
            node = Node(node.value.strip(), node.position, node.raw.strip())
        return read_template(node, self.names, self.uses, self.report)

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


def _is_taken(name: str) -> bool:
    """Tell whether a name means something in expressions already: a root, a constant, a reserved word."""
    if name in COMMON_NAMES | SPECIAL_NAMES:
        return True
    try:
        return parse(name).references() != {(name,)}
    except ExpressionError:
        return True


def _is_sole(text: str) -> bool:
    try:
        return sole_expression(text) is not None
    except ExpressionError:
        return OPENING in text  # reported where the expressions are read
