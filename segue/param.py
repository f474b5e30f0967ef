"""Parameters of a workflow, as the Python spelling writes them.

Only builds JSON Schemas; the translator judges them.
"""

from __future__ import annotations

from typing import Any

from segue.values import plain

_TYPES = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    tuple: "array",
    dict: "object",
}


class Param(dict[str, Any]):
    """A parameter: a default and JSON Schema keywords, `Param(5, minimum=1)`.

    Without `type`, the default's type is the param's.
    """

    def __init__(self, default: Any = ..., **schema: Any) -> None:
        super().__init__(schema if default is ... else {**schema, "default": default})


def schema_of(name: str, value: Any) -> dict[str, Any]:
    """Return the JSON Schema of a param.

    Args:
        name: The param's name, for messages.
        value: A `Param`; a JSON Schema, which is an object with `type` or `enum`; or a plain default.
    """
    if isinstance(value, dict) and (isinstance(value, Param) or {"type", "enum"} & set(value)):
        schema = dict(value)
    else:
        schema = {"default": value}
    kind = _TYPES.get(type(schema.get("default")))
    if kind is not None and "type" not in schema and "enum" not in schema:
        schema["type"] = kind
    converted: dict[str, Any] = plain(schema, f"params[{name!r}]")
    return converted
