"""Checks of JSON Schemas that users write for params and outputs.

JSON Schema ignores keywords it does not know, so a typing error would silently check nothing: only the keywords listed
here are accepted. References are not among them, so a schema never asks the network for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from translator.diagnostics import Code, did_you_mean, one_of, shown
from translator.fields import type_of
from translator.located import Node, Report
from workflows.expressions import ExpressionError, pattern_matches
from workflows.params import check_value

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")

_ANYTHING = ("const", "default", "examples")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_TEXTS = ("title", "description", "format", "pattern")
_SCHEMAS = ("items", "additionalProperties", "not")
_LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
KEYWORDS = (
    *("type", "enum", "required", "properties", "uniqueItems", *_ANYTHING, *_TEXTS),
    *(*_NUMBERS, *_COUNTS, *_SCHEMAS, *_LISTS_OF_SCHEMAS),
)
_LATER = ("$ref", "$defs", "patternProperties", "if", "then", "else", "contains", "dependentRequired", "propertyNames")
_OTHER_NAMES = {"min": "minimum", "max": "maximum", "choices": "enum", "values": "enum", "regex": "pattern"}
_OTHER_TYPES = {
    "str": "string",
    "text": "string",
    "int": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
    "map": "object",
    "none": "null",
}


def check_schema(node: Node, what: str, report: Report) -> bool:
    """Report what is wrong with a schema; tell whether it can be used."""
    before = len(report.found) + report.omitted
    _Check(what, report).schema(node)
    return len(report.found) + report.omitted == before


def check_default(node: Node, what: str, report: Report) -> None:
    """Report a `default` that its own schema, which is sound, does not allow."""
    default = node.mapping.get("default")
    if default is not None:
        for problem in check_value(node.plain(), default.value.plain(), "default"):
            at = _inside(default.value, problem.path)
            report.add(at, Code.DEFAULT, f"the default of {what} does not fit: {problem.message}")


class _Check:
    """The check of one schema, called `what` in messages."""

    def __init__(self, what: str, report: Report) -> None:
        self.what = what
        self.report = report

    def add(self, at: Node, message: str, hint: str = "") -> None:
        self.report.add(at, Code.SCHEMA, f"{self.what} {message}", "" if self.report.full else hint)

    def near(self, name: str, known: Iterable[str], others: Mapping[str, str], otherwise: str) -> str:
        """Return a hint: what other tools call it, or the nearest name. Searching takes time, and is for shown ones."""
        if self.report.full or name in others:
            return f'did you mean "{others[name]}"?' if name in others else ""
        return did_you_mean(name, known, otherwise)

    def schema(self, node: Node) -> None:
        if isinstance(node.value, bool):
            return
        if not isinstance(node.value, dict):
            self.add(node, f"has {type_of(node)} in the place of a schema", "such as {type: string}")
        for name, entry in node.mapping.items():
            if name in KEYWORDS:
                self.keyword(name, entry.value)
            elif name in _LATER:
                self.report.add(entry.key, Code.NOT_SUPPORTED, f'"{name}" in a schema is not supported yet')
            else:
                hint = self.near(name, KEYWORDS, _OTHER_NAMES, f"there are {one_of(KEYWORDS, 100)}")
                self.add(entry.key, f'has an unknown keyword "{shown(name)}"', hint)

    def keyword(self, name: str, node: Node) -> None:
        """Check the value of a known keyword."""
        if name == "type":
            self.each(node, self.type) if isinstance(node.value, list) else self.type(node)
        elif name in _NUMBERS:
            if self.wants(name, node, isinstance(node.value, int | float), "a number") and name == "multipleOf":
                self.wants(name, node, isinstance(node.value, int | float) and node.value > 0, "more than zero")
        elif name in _COUNTS:
            self.wants(name, node, isinstance(node.value, int) and node.value >= 0, "a whole number, not negative")
        elif name in _TEXTS:
            if self.wants(name, node, isinstance(node.value, str), "text") and name == "pattern":
                self.pattern(node)
        elif name == "uniqueItems":
            self.wants(name, node, isinstance(node.value, bool), "true or false")
        elif name == "properties":
            if self.wants(name, node, isinstance(node.value, dict), "a mapping of names to schemas"):
                self.each(node, self.schema)
        elif name in _SCHEMAS:
            self.schema(node)
        elif name == "required":
            if self.wants(name, node, isinstance(node.value, list), "a list of texts"):
                self.each(node, lambda item: self.wants(name, item, isinstance(item.value, str), "a list of texts"))
        elif name == "enum" or name in _LISTS_OF_SCHEMAS:
            self.wants(name, node, isinstance(node.value, list) and bool(node.value), "a list, not empty")
            if name in _LISTS_OF_SCHEMAS:
                self.each(node, self.schema)

    def wants(self, name: str, node: Node, fits: bool, wanted: str) -> bool:
        fits = fits and not (isinstance(node.value, bool) and name != "uniqueItems")
        if not fits:
            self.add(node, f'has a "{name}" that must be {wanted}, but is {type_of(node)}')
        return fits

    def each(self, node: Node, check: Callable[[Node], object]) -> None:
        for part in node.items or [entry.value for entry in node.mapping.values()]:
            check(part)

    def type(self, node: Node) -> None:
        name = str(node.plain())
        if node.value not in TYPES:
            hint = self.near(name, TYPES, _OTHER_TYPES, f"the types are {one_of(TYPES)}")
            self.add(node, f'has the unknown type "{shown(name)}"', hint)

    def pattern(self, node: Node) -> None:
        try:
            pattern_matches(str(node.value), "")
        except ExpressionError as error:
            self.add(node, f"has a {error.message}", "patterns have the syntax of RE2")


def _inside(node: Node, path: str) -> Node:
    """Return the node that a path such as `default[0].depth` leads to; odd keys only make the place less exact."""
    words: Iterable[str] = path.replace("[", ".[").split(".")[1:]
    for word in words:
        number = int(word[1:-1]) if word.startswith("[") and word[1:-1].isdigit() else len(node.items)
        if number < len(node.items):
            node = node.items[number]
        elif word in node.mapping:
            node = node.mapping[word].value
    return node
