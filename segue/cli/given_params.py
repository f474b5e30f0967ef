"""The params of a run as the command line gives them: `-p key=value`, and a file of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from segue.cli.server_packages import forget_users_folders
from segue.errors import InvalidParams

Schemas = dict[str, dict[str, Any]]


def read_params(texts: Sequence[str], file: str | None, schemas: Schemas) -> dict[str, Any]:
    """Return params by name; those given as text become what their schema asks for.

    Args:
        texts: `key=value` each; they win over the file's.
        file: Path of a JSON object; `-` is stdin.
        schemas: The workflow's params.

    Raises:
        InvalidParams: Something cannot be read.
    """
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidParams(f"-p {text!r} is not key=value.")
        given[name] = value
    return {**(_from_file(file) if file is not None else {}), **coerce(given, schemas)}


def coerce(given: dict[str, str], schemas: Schemas) -> dict[str, Any]:
    """Turn text into values of the types that the schemas ask for.

    Raises:
        InvalidParams: A text is none of the types asked for.
    """
    forget_users_folders()
    try:
        from workflows.params import ParamsError, coerce_text
    except ImportError:  # a client without the server's packages
        return {name: _plainly(text, schemas.get(name, {"type": "string"})) for name, text in given.items()}
    try:
        return dict(coerce_text(schemas, given))
    except ParamsError as error:
        problems = [(problem.path, problem.message) for problem in error.errors]
        raise InvalidParams("The params do not fit the workflow.", problems) from None


def _plainly(text: str, schema: dict[str, Any]) -> Any:
    """Read text as JSON where the schema asks for more than text; the service checks the rest."""
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if wanted == ["string"] or (not wanted and "enum" in schema):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    # What may be text stays text, unless it is one of the other types as well.
    return value if "string" not in wanted or _JSON_TYPES.get(type(value)) in wanted else text


_JSON_TYPES = {
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    str: "string",
    type(None): "null",
}


def _from_file(file: str) -> dict[str, Any]:
    try:
        if file == "-":
            document = json.load(sys.stdin)
        else:
            with open(file, encoding="utf-8") as opened:  # noqa: PTH123  # a path from the command line, or a device
                document = json.load(opened)
    except OSError as error:
        raise InvalidParams(f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InvalidParams(f"{file} is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise InvalidParams(f"{file} holds no JSON object.")
    return document
