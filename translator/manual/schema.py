"""The JSON Schema of definitions in YAML, for editors: which keys there are, what they mean, what they may hold.

Made from the table of keys. It is of draft 7, which every editor's YAML language server reads. It knows less than the
translator: what it refuses is wrong, what it lets pass may still be.
"""

from __future__ import annotations

from typing import Any

from translator import keys
from translator.manual.entries import Entry, Group, Schema
from translator.manual.table import GROUPS
from translator.schemas import KEYWORDS, TYPES

DRAFT = "http://json-schema.org/draft-07/schema#"
_EXCLUSIVE = {
    "STEP": keys.STEP_KINDS,
    "TRIGGER": ("schedule", "event"),
    "WAIT": ("for", "until", "event"),
}
"""Of these keys, a mapping has exactly one."""


def definition_schema() -> dict[str, Any]:
    """Return the JSON Schema of a definition."""
    groups = {group.name: group for group in GROUPS}
    top = _group(groups.pop("WORKFLOW"))
    return {
        "$schema": DRAFT,
        "title": "A Segue workflow",
        **top,
        "$defs": {name.lower(): _group(group) for name, group in groups.items()} | {"json_schema": _json_schema()},
    }


def known(group: Group) -> list[Entry]:
    """Return the entries of a group that this release reads."""
    return [entry for entry in group.entries if entry.key in getattr(keys, group.name).known]


def _group(group: Group) -> Schema:
    entries = known(group)
    schema: Schema = {
        "description": group.about,
        "type": "object",
        "properties": {entry.key: _entry(entry) for entry in entries},
        "additionalProperties": False,
    }
    if group.required:
        schema["required"] = list(group.required)
    if group.name == "STEP":
        schema["allOf"] = [_inputs_of(operator) for operator in keys.OPERATORS]
    if group.name in _EXCLUSIVE:
        schema["oneOf"] = [{"required": [key]} for key in _EXCLUSIVE[group.name]]
    return schema


def _inputs_of(operator: str) -> Schema:
    """Return what holds for `with` where `uses` names an operator."""
    uses: Schema = {"properties": {"uses": {"const": operator}}, "required": ["uses"]}
    inputs: Schema = {"properties": {"with": {"$ref": f"#/$defs/{operator}"}}, "required": ["with"]}
    return {"if": uses, "then": inputs}


def _entry(entry: Entry) -> Schema:
    meaning = f"{entry.meaning}\n\nDefault: {entry.default}" if entry.default else entry.meaning
    described = {"description": meaning}
    # In draft 7, what stands beside a reference is not looked at.
    return {**described, "allOf": [entry.schema]} if "$ref" in entry.schema else {**entry.schema, **described}


def _json_schema() -> Schema:
    """Return the schema of the schemas that params have: the keywords that the translator knows."""
    types = {"enum": list(TYPES)}
    inner: Schema = {"anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/json_schema"}]}
    properties: Schema = {keyword: {} for keyword in KEYWORDS}
    properties |= {
        "type": {"anyOf": [types, {"type": "array", "items": types}]},
        "properties": {"type": "object", "additionalProperties": inner},
        "items": inner,
        "description": {"type": "string"},
    }
    return {
        "description": "A JSON Schema.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
