"""Checks of JSON Schemas that users write for params and outputs.

JSON Schema ignores keywords it does not know, so a typing error would silently check nothing: only the keywords listed
here are accepted. References are not among them, so a schema never asks the network for anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from jsonschema import Draft202012Validator

from translator.diagnostics import Code, did_you_mean, one_of, shown
from translator.fields import type_of
from translator.located import Node, Report
from workflows.expressions import ExpressionError, pattern_matches
from workflows.params import check_value

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
KEYWORDS = (
    *("type", "enum", "const", "default", "title", "description", "examples", "format"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "pattern"),
    *("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    *("properties", "required", "additionalProperties", "minProperties", "maxProperties"),
    *("anyOf", "oneOf", "allOf", "not"),
)
_LATER = ("$ref", "$defs", "patternProperties", "if", "then", "else", "contains", "dependentRequired", "propertyNames")
_OTHER_NAMES = {"min": "minimum", "max": "maximum", "choices": "enum", "values": "enum", "regex": "pattern"}
_OTHER_TYPES = {"str": "string", "int": "integer", "float": "number", "double": "number", "bool": "boolean"} | {
    "list": "array",
    "dict": "object",
    "map": "object",
}


def check_schema(node: Node, what: str, report: Report) -> bool:
    """Report what is wrong with a schema; tell whether it can be used."""
    before = len(report.found) + report.omitted
    _check_keywords(node, what, report)
    if len(report.found) + report.omitted > before:
        return False
    schema = node.plain()
    for error in cast(Any, Draft202012Validator(Draft202012Validator.META_SCHEMA)).iter_errors(schema):
        at = _at(node, error.absolute_path)
        keyword = next((str(part) for part in reversed(error.absolute_path) if isinstance(part, str)), "")
        report.add(at, Code.SCHEMA, f'{what} is no JSON Schema: "{keyword}" cannot be {shown(str(at.plain()))}')
    return len(report.found) + report.omitted == before


def check_default(node: Node, what: str, report: Report) -> None:
    """Report a `default` that its own schema, which is sound, does not allow."""
    default = node.mapping.get("default")
    if default is not None:
        for problem in check_value(node.plain(), default.value.plain(), "default"):
            at = default.value if problem.path == "default" else _at(default.value, _parts(problem.path))
            report.add(at, Code.DEFAULT, f"the default of {what} does not fit: {problem.message}")


def _check_keywords(node: Node, what: str, report: Report) -> None:
    for name, entry in node.mapping.items():
        value = entry.value
        if name not in KEYWORDS:
            _unknown(name, entry.key, what, report)
        elif name == "type":
            for item in value.items or [value]:
                _check_type(item, what, report)
        elif name == "pattern" and isinstance(value.value, str):
            _check_pattern(value, value.value, what, report)
        elif name == "properties":
            for inner in value.mapping.values():
                _check_nested(inner.value, what, report)
        elif name in ("items", "additionalProperties", "not"):
            _check_nested(value, what, report)
        elif name in ("anyOf", "oneOf", "allOf", "prefixItems"):
            for item in value.items:
                _check_nested(item, what, report)


def _check_nested(node: Node, what: str, report: Report) -> None:
    if not isinstance(node.value, dict | bool):
        message = f"a schema in {what} must be a mapping, but is {type_of(node)}"
        report.add(node, Code.SCHEMA, message, "such as {type: string}")
    _check_keywords(node, what, report)


def _unknown(name: str, key: Node, what: str, report: Report) -> None:
    if name in _LATER:
        report.add(key, Code.NOT_SUPPORTED, f'"{name}" in a schema is not supported yet')
        return
    hint = "" if report.full else did_you_mean(name, KEYWORDS, f"there are {one_of(KEYWORDS, 100)}")
    if name in _OTHER_NAMES:
        hint = f'did you mean "{_OTHER_NAMES[name]}"?'
    report.add(key, Code.SCHEMA, f'{what} has an unknown keyword "{shown(name)}"', hint)


def _check_type(node: Node, what: str, report: Report) -> None:
    if node.value in TYPES:
        return
    name = str(node.value)
    hint = did_you_mean(name, TYPES, f"the types are {one_of(TYPES)}")
    if name in _OTHER_TYPES:
        hint = f'did you mean "{_OTHER_TYPES[name]}"?'
    report.add(node, Code.SCHEMA, f'{what} has the unknown type "{shown(name)}"', hint)


def _check_pattern(node: Node, pattern: str, what: str, report: Report) -> None:
    try:
        pattern_matches(pattern, "")
    except ExpressionError as error:
        report.add(node, Code.SCHEMA, f"{what}: {error.message}", "patterns have the syntax of RE2")


def _at(node: Node, path: Iterable[str | int]) -> Node:
    for part in path:
        if isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        elif isinstance(part, str) and part in node.mapping:
            node = node.mapping[part].value
        else:
            break
    return node


def _parts(path: str) -> list[str | int]:
    """Split `default[0].depth` into the steps from the default on; odd keys only make the place less exact."""
    words = path.replace("[", ".[").split(".")[1:]
    return [int(word[1:-1]) if word[:1] == "[" and word[1:-1].isdigit() else word for word in words]
