"""JSON Schemas to the types of expressions: what is known of a value that fits a schema.

Only keywords that say something certain count; a schema says nothing about what it does not mention.
"""

from __future__ import annotations

from typing import Any

from workflows.expressions.types import ANY, Type, simple, text, union
from workflows.templates import OPENING

_KINDS = {
    "string": ("string",),
    # JSON does not tell 1 from 1.0: a whole number may arrive as either.
    "integer": ("int", "double"),
    "number": ("int", "double"),
    "boolean": ("bool",),
    "array": ("list",),
    "object": ("map",),
    "null": ("null",),
}
_MAX_ALTERNATIVES = 20


def type_of_schema(schema: Any, files: bool = False) -> Type:
    """Return the type of a value that fits a schema.

    Args:
        schema: A JSON Schema; what is wrong in it has been reported, and says nothing here.
        files: Whether a stored file may stand where the schema asks for a string, as in the output of a step.
    """
    if not isinstance(schema, dict):
        return ANY
    kinds = _kinds(schema)
    if kinds is None:
        return _alternatives(schema, files)
    if files and "string" in kinds:
        kinds = kinds | {"file"}
    properties, additional = schema.get("properties"), schema.get("additionalProperties", True)
    properties = properties if isinstance(properties, dict) else {}
    return Type(
        kinds,
        item=type_of_schema(schema["items"], files) if "items" in schema and "prefixItems" not in schema else None,
        fields={name: type_of_schema(part, files) for name, part in properties.items()},
        rest=type_of_schema(additional, files) if isinstance(additional, dict) else None,
        closed=additional is False,
        texts=_texts(schema),
    )


def type_of_json(value: Any) -> Type:
    """Return the type of a JSON value as it stands in a definition; text with expressions may become anything."""
    match value:
        case str():
            return text(value) if OPENING not in value else ANY
        case list():
            return Type(frozenset({"list"}), item=union(map(type_of_json, value)) if len(value) <= 1_000 else None)
        case dict():
            fields = {name: type_of_json(part) for name, part in value.items()}
            return Type(frozenset({"map"}), fields=fields, closed=True)
        case bool():
            return simple("bool")
        case int() | float():
            return simple("int", "double")
        case _:
            return simple("null")


def _kinds(schema: dict[str, Any]) -> frozenset[str] | None:
    """Return the kinds that `type`, `enum` and `const` leave; None when they leave all."""
    found: frozenset[str] | None = None
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not names or not all(isinstance(name, str) and name in _KINDS for name in names):
            return None
        found = frozenset(kind for name in names for kind in _KINDS[name])
    values = _values(schema)
    if values is not None:
        listed = frozenset(kind for value in values for kind in type_of_json(value).kinds)
        found = listed if found is None else found & listed or found
    return found


def _values(schema: dict[str, Any]) -> list[Any] | None:
    """Return all the values that `enum` or `const` allow, if they allow only some."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return values if isinstance(values, list) and values else None


def _texts(schema: dict[str, Any]) -> tuple[str, ...] | None:
    values = _values(schema)
    return None if values is None else tuple(value for value in values if isinstance(value, str))


def _alternatives(schema: dict[str, Any], files: bool) -> Type:
    for keyword in ("anyOf", "oneOf"):
        parts = schema.get(keyword)
        if isinstance(parts, list) and 0 < len(parts) <= _MAX_ALTERNATIVES:
            return union(type_of_schema(part, files) for part in parts)
    return ANY
