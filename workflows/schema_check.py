"""One value against its JSON Schema, in our words.

The only module that imports jsonschema; `workflows.params` imports it when there is something to check.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from workflows.expressions import pattern_matches
from workflows.expressions.errors import ExpressionError
from workflows.params import JSON, MAX_PROBLEMS, ParamProblem, listed, shown


def problems_of(schema: dict[str, Any], value: JSON, path: str) -> list[ParamProblem]:
    """Return what is wrong with a value, at most `MAX_PROBLEMS`; `path` is put before each problem.

    Args:
        schema: A sound JSON Schema.
        value: JSON that can travel.
        path: Where the value is: `params.grid`.
    """
    try:
        return [_problem(error, path) for error in islice(_Validator(schema).iter_errors(value), MAX_PROBLEMS)]
    except ExpressionError as error:
        return [ParamProblem(path, f"cannot be checked: {error.message}")]


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
    value = shown(error.instance)
    match error.validator:
        case "type":
            return f"{value} is not {listed([wanted] if isinstance(wanted, str) else list(wanted))}"
        case "enum":
            return f"{value} is none of {', '.join(shown(item) for item in list(wanted)[:20])}"
        case "const":
            return f"{value} is not {shown(wanted)}"
        case "minimum":
            return f"{value} is less than {shown(wanted)}"
        case "maximum":
            return f"{value} is more than {shown(wanted)}"
        case "minLength" | "minItems" | "minProperties":
            return f"{value} is shorter than {shown(wanted)}"
        case "maxLength" | "maxItems" | "maxProperties":
            return f"{value} is longer than {shown(wanted)}"
        case "pattern":
            return f"{value} does not match the pattern {shown(wanted)}"
        case "uniqueItems":
            return f"{value} has the same item twice"
        case "required":
            missing = [name for name in wanted if name not in cast(Any, error.instance)]
            return f"{', '.join(shown(name) for name in missing[:5])} is missing"
        case "additionalProperties":
            instance, schema = cast(Any, error.instance), cast(Any, error.schema)
            unknown = [name for name in instance if name not in schema.get("properties", {})]
            return f"{', '.join(shown(name) for name in unknown[:5])} is not expected"
        case _:
            return f"{value} does not fit {error.validator}: {shown(wanted)}"
