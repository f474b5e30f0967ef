"""A step's declared output: text given the types it asks for, values checked against its schemas.

Only the output's declaration is looked at here, never who made the value: a worker checks what a step gave, the testing
package what a mock gave. The interpreter never imports this module.
"""

from __future__ import annotations

from typing import Any

from workflows.messages import JSON, REFERENCE
from workflows.params import ParamsError, check_value, coerce_text

Declared = dict[str, dict[str, Any]]


class OutputProblem(ValueError):
    """An output that is not what is declared.

    Attributes:
        path: Where in it: `output.rows[3]`.
        problem: The rest of the sentence.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        self.problem = problem


def schemas_of(declared: Declared | None) -> Declared:
    """Return the schemas of the names that are declared with one."""
    return {name: entry["schema"] for name, entry in (declared or {}).items() if "schema" in entry}


def typed_text(values: dict[str, str], declared: Declared | None) -> dict[str, JSON]:
    """Return text values with the types that the declaration gives them; what is not declared stays text.

    Raises:
        OutputProblem: A text is not of its type.
    """
    schemas = schemas_of(declared)
    typed: dict[str, JSON] = dict(values)
    for name, text in values.items():
        if name in schemas:
            try:
                typed |= coerce_text(schemas, {name: text})
            except ParamsError as error:
                raise OutputProblem(f"output.{name}", error.errors[0].message) from None
    return typed


def check_declared(value: JSON, declared: Declared | None) -> JSON:
    """Return an output that has what is declared; a declared default fills in what is missing.

    Raises:
        OutputProblem: A declared name is missing or does not fit its schema.
    """
    schemas = schemas_of(declared)
    if not schemas:
        return value
    if not isinstance(value, dict) or REFERENCE in value:
        names = ", ".join(repr(name) for name in schemas)
        raise OutputProblem("output", f"must be an object with {names}, but is {type(value).__name__}")
    value = {name: schema["default"] for name, schema in schemas.items() if "default" in schema} | value
    for name, schema in schemas.items():
        if name not in value:
            raise OutputProblem(f"output.{name}", "is declared, but the step gave none")
        for problem in check_value(schema, _with_file_names(value[name]), f"output.{name}"):
            raise OutputProblem(problem.path, problem.message)
    return value


def _with_file_names(value: JSON) -> JSON:
    """Return the value with a file's name in its place, as JSON Schema knows no files: they are text to it."""
    if isinstance(value, list):
        return [_with_file_names(item) for item in value]
    if not isinstance(value, dict):
        return value
    if REFERENCE in value:
        return value.get("name") or value.get("key") or ""
    return {name: _with_file_names(item) for name, item in value.items()}
