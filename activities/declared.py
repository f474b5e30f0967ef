"""A step's declared output: text given the types it asks for, values checked against its schemas.

Only the output's declaration is looked at here, never who made the value.
"""

from __future__ import annotations

from typing import Any

from activities.values import Marker, checked, invalid
from workflows.messages import JSON, REFERENCE

Declared = dict[str, dict[str, Any]]


def typed_text(values: dict[str, str], declared: Declared | None) -> dict[str, JSON]:
    """Return text values with the types that the declaration gives them; what is not declared stays text.

    Raises:
        StepFailed: `OutputInvalid`: a text is not of its type.
    """
    schemas = _schemas(declared)
    if not schemas:
        return dict(values)
    # jsonschema takes 60 ms to import, which a step without declared output need not pay.
    from workflows.params import ParamsError, coerce_text

    typed: dict[str, JSON] = dict(values)
    for name, text in values.items():
        if name in schemas:
            try:
                typed |= coerce_text(schemas, {name: text})
            except ParamsError as error:
                raise invalid(f"output.{name}", error.errors[0].message) from None
    return typed


def check_declared(value: JSON, declared: Declared | None) -> JSON:
    """Return an output that has what is declared; a declared default fills in what is missing.

    Raises:
        StepFailed: `OutputInvalid`: a declared name is missing or does not fit its schema.
    """
    schemas = _schemas(declared)
    if not schemas:
        return value
    from workflows.params import check_value

    if not isinstance(value, dict) or REFERENCE in value:
        raise invalid("output", f"must be an object with {_listed(schemas)}, but is {type(value).__name__}")
    defaults = {name: schema["default"] for name, schema in schemas.items() if "default" in schema}
    value = defaults | value
    for name, schema in schemas.items():
        if name not in value:
            raise invalid(f"output.{name}", "is declared, but the step gave none")
        for problem in check_value(schema, checked(value[name], name, _file_name), f"output.{name}"):
            raise invalid(problem.path, problem.message)
    return value


def _schemas(declared: Declared | None) -> Declared:
    return {name: entry["schema"] for name, entry in (declared or {}).items() if "schema" in entry}


def _file_name(marker: Marker, path: str) -> JSON:
    """A file is text to a schema: JSON Schema knows no files."""
    return marker.get("name") or marker.get("key") or ""


def _listed(schemas: Declared) -> str:
    return ", ".join(repr(name) for name in schemas)
