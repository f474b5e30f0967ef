"""Params of a run against their JSON Schemas: defaults filled in, every problem found.

Patterns run on our own automaton, so that no schema and no value can make a check hang; a schema can refer to nothing
outside itself. Used where a run is asked for; the interpreter never imports this module.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias, cast

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from workflows.expressions import pattern_matches
from workflows.expressions.errors import ExpressionError
from workflows.messages import REFERENCE

JSON: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict with text keys."""

MAX_DEPTH = 64
"""Levels of a param's value."""
MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class ParamProblem:
    """One thing that is wrong with the params.

    Attributes:
        path: Where: `params.grid[0].depth`.
        message: What, with the offending value and what is allowed.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ParamsError(ValueError):
    """Params that do not fit; `errors` has every problem, at most `MAX_PROBLEMS`."""

    def __init__(self, errors: list[ParamProblem]) -> None:
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = errors


def check_params(
    schemas: dict[str, dict[str, Any]], given: dict[str, JSON], what: str = "a param of this workflow"
) -> dict[str, JSON]:
    """Return the params of a run: what is given, and the defaults of the rest, in the order of the schemas.

    Args:
        schemas: Param name to JSON Schema; one without `default` must be given.
        given: Param name to value.
        what: What an unknown name is not, in the message.

    Raises:
        ParamsError: A name is unknown, a value is missing, or a value does not fit its schema.
    """
    problems = [_unknown(name, schemas, what) for name in given if name not in schemas]
    params: dict[str, JSON] = {}
    for name, schema in schemas.items():
        if name in given:
            params[name] = given[name]
            problems.extend(check_value(schema, given[name], f"params.{name}"))
        elif "default" in schema:
            params[name] = schema["default"]
        else:
            problems.append(ParamProblem(f"params.{name}", f"is required{_wanted(schema)}"))
    if problems:
        raise ParamsError(problems[:MAX_PROBLEMS])
    return params


def check_value(schema: dict[str, Any], value: JSON, path: str) -> list[ParamProblem]:
    """Return what is wrong with one value; `path` is put before each problem."""
    problem = _not_json(value)
    if problem is not None:
        return [ParamProblem(path, problem)]
    try:
        return [_problem(error, path) for error in islice(_Validator(schema).iter_errors(value), MAX_PROBLEMS)]
    except ExpressionError as error:
        return [ParamProblem(path, f"cannot be checked: {error.message}")]


def coerce_text(schemas: dict[str, dict[str, Any]], given: dict[str, str]) -> dict[str, JSON]:
    """Turn text from a command line into values of the types that the schemas ask for.

    A param that may be text stays text, but for `null` where that is allowed; `true`, `5`, `[1, 2]` become what they
    look like where that is allowed. Lists and objects are JSON. Unknown names are left to `check_params`.

    Raises:
        ParamsError: A text is none of the types asked for.
    """
    values: dict[str, JSON] = {}
    problems = []
    for name, text in given.items():
        types = _types(schemas.get(name, {"type": "string"}))
        try:
            values[name] = _from_text(text, types)
        except ValueError as error:
            why = f": {error}" if error.args else ""
            message = f"{_shown(text)} is not {_listed(types)}{why}{_beyond_type(schemas[name])}"
            problems.append(ParamProblem(f"params.{name}", message))
    if problems:
        raise ParamsError(problems)
    return values


def _from_text(text: str, types: list[str]) -> JSON:
    if types == ["string"]:
        return text
    problem = ""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        value = _BOOLEANS.get(text, text) if "boolean" in types else text
        problem = _json_problem(text, error)
    if not types or any(_Validator.TYPE_CHECKER.is_type(value, name) for name in types):
        return value
    if "string" in types:
        return text
    raise ValueError(problem) if problem else ValueError()


def _beyond_type(schema: dict[str, Any]) -> str:
    """Return what else a schema asks for, to be said with what is wrong."""
    asked = {key: value for key, value in schema.items() if key not in _FOR_PEOPLE}
    return f" (its schema is {_shown(asked)})" if set(asked) - {"type"} else ""


_FOR_PEOPLE = ("default", "description", "title", "examples")
_BOOLEANS = {"True": True, "TRUE": True, "False": False, "FALSE": False}


def _json_problem(text: str, error: Exception) -> str:
    """Say why a text that begins as JSON is none; what never was meant as JSON needs no explanation."""
    if not text.lstrip().startswith(("[", "{")):
        return ""
    if isinstance(error, json.JSONDecodeError):
        quotes = "; text in it stands in double quotes" if "'" in text or error.msg.startswith("Expecting") else ""
        return f"{error.msg} at character {error.pos + 1}{quotes}"
    return "it is nested too deep" if isinstance(error, RecursionError) else "JSON has no NaN and no Infinity"


def _refuse(constant: str) -> JSON:
    raise ValueError(constant)


def _types(schema: dict[str, Any]) -> list[str]:
    """Return the types a schema allows; an empty list is any."""
    types = schema.get("type", [])
    if types:
        return [types] if isinstance(types, str) else list(types)
    given = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(given, list):
        return list(dict.fromkeys(_type_of(item) for item in given))
    for key in ("anyOf", "oneOf"):
        found = [_types(each) for each in schema.get(key, ()) if isinstance(each, dict)]
        if found and all(found):
            return list(dict.fromkeys(name for names in found for name in names))
    return []


def _type_of(value: JSON) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _pattern(validator: Any, pattern: str, instance: JSON, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not pattern_matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _unique(validator: Any, unique: bool, instance: JSON, schema: Any) -> Iterator[ValidationError]:
    # The validator's own way compares each item with each other when they cannot be sorted.
    if unique and isinstance(instance, list):
        texts = {json.dumps(item, sort_keys=True) for item in instance}
        if len(texts) < len(instance):
            yield ValidationError("items are not unique")


_Validator = cast(Any, extend)(
    Draft202012Validator, {"pattern": _pattern, "uniqueItems": _unique}
)  # jsonschema leaves it untyped


def _problem(error: ValidationError, path: str) -> ParamProblem:
    for part in error.absolute_path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return ParamProblem(path[:200], _message(error))


def _message(error: ValidationError) -> str:
    """Say what is wrong in our words; the validator's own text repeats the whole value."""
    wanted: Any = error.validator_value
    value = _shown(error.instance)
    match error.validator:
        case "type":
            return f"{value} is not {_listed([wanted] if isinstance(wanted, str) else list(wanted))}"
        case "enum":
            return f"{value} is none of {', '.join(_shown(item) for item in list(wanted)[:20])}"
        case "const":
            return f"{value} is not {_shown(wanted)}"
        case "minimum":
            return f"{value} is less than {_shown(wanted)}"
        case "maximum":
            return f"{value} is more than {_shown(wanted)}"
        case "minLength" | "minItems" | "minProperties":
            return f"{value} is shorter than {_shown(wanted)}"
        case "maxLength" | "maxItems" | "maxProperties":
            return f"{value} is longer than {_shown(wanted)}"
        case "pattern":
            return f"{value} does not match the pattern {_shown(wanted)}"
        case "uniqueItems":
            return f"{value} has the same item twice"
        case "required":
            missing = [name for name in wanted if name not in cast(Any, error.instance)]
            return f"{', '.join(_shown(name) for name in missing[:5])} is missing"
        case "additionalProperties":
            instance, schema = cast(Any, error.instance), cast(Any, error.schema)
            unknown = [name for name in instance if name not in schema.get("properties", {})]
            return f"{', '.join(_shown(name) for name in unknown[:5])} is not expected"
        case _:
            return f"{value} does not fit {error.validator}: {_shown(wanted)}"


def _unknown(name: str, schemas: dict[str, dict[str, Any]], what: str) -> ParamProblem:
    close = difflib.get_close_matches(name[:64], schemas, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else f"; there are {', '.join(list(schemas)[:20]) or 'none'}"
    return ParamProblem(f"params.{name[:64]}", f"is not {what}{hint}")


def _wanted(schema: dict[str, Any]) -> str:
    types = _types(schema)
    return f" ({_listed(types)})" if types else ""


def _listed(types: list[str]) -> str:
    names = {"null": "null"} | {name: f"an {name}" for name in ("integer", "array", "object")}
    return " or ".join(names.get(name, f"a {name}") for name in types)


def _shown(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _not_json(value: JSON) -> str | None:
    """Say why a value cannot travel: it would break the browser, PostgreSQL or a worker later."""
    pending = [(value, 1)]
    while pending:
        item, level = pending.pop()
        if level > MAX_DEPTH:
            return f"has more than {MAX_DEPTH} levels"
        if isinstance(item, dict):
            if REFERENCE in item:
                return f'has the key "{REFERENCE}", which is reserved'
            pending.extend((key, level) for key in item)
            pending.extend((part, level + 1) for part in item.values())
        elif isinstance(item, list):
            pending.extend((part, level + 1) for part in item)
        elif isinstance(item, float) and item - item != 0:
            return "holds a number that JSON does not have (infinite, or not a number)"
        elif isinstance(item, int) and abs(item) >= 2**63:
            return "holds an integer that does not fit in 64 bits"
        elif isinstance(item, str) and _UNSTORABLE.search(item):
            return "holds NUL or half of a surrogate pair"
    return None


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
