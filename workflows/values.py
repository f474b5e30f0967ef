"""Measuring, shortening and wrapping JSON values on their way through the interpreter.

Never changes what a value means: a shortened value is for people's eyes and is never computed with.
"""

from __future__ import annotations

import json

from workflows.expressions import Opaque
from workflows.messages import JSON, MAX_INLINE_BYTES, REFERENCE, StepError

MAX_BRIEF = 256


def json_size(value: JSON) -> int:
    """Return the bytes of a value as compact JSON, the smallest form in which it travels.

    Raises:
        ValueError: It is not JSON: not-a-number, a cycle, or nested deeper than Python's encoder goes.
    """
    if value is None:
        return 4
    try:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, RecursionError) as problem:
        raise ValueError(str(problem)) from None
    return len(text.encode("utf-8", "surrogatepass"))


def inline_problem(value: JSON, limit: int = MAX_INLINE_BYTES) -> StepError | None:
    """Return why an output may not be kept: state and history hold small values, the object store the others."""
    try:
        size = json_size(value)
    except ValueError as problem:
        return StepError("OutputInvalid", f"the output is not JSON: {problem}")
    if size <= limit:
        return None
    message = f"the output came inline with {size:,} bytes; above {limit:,} it must be a reference"
    return StepError("OutputInvalid", message, {"bytes": size})


def brief(value: JSON) -> JSON:
    """Return the value itself when it is small, else a text that shows its beginning and says its size."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = json.dumps(value, ensure_ascii=False, default=_shown)
    if len(text) > MAX_BRIEF:
        return f"{text[:MAX_BRIEF]}... ({len(text):,} characters)"
    return value if not _holds_opaque(value) else text


def wrap(value: JSON) -> JSON:
    """Make the reference to an output that stayed in the object store opaque to expressions."""
    if isinstance(value, dict) and value.get(REFERENCE) == "json":
        return Opaque(value)
    return value


def object_keys(value: JSON) -> list[str]:
    """Return the keys of the objects that a value refers to, each once, in the order of the value."""
    if isinstance(value, list):
        return list(dict.fromkeys(key for item in value for key in object_keys(item)))
    if not isinstance(value, dict):
        return []
    if REFERENCE in value:
        return [str(value["key"])] if "key" in value else []
    return object_keys([*value.values()])


def unwrap(value: JSON) -> JSON:
    """Return the value with every opaque reference as the JSON object that stands for it."""
    if isinstance(value, Opaque):
        return value.marker
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrap(item) for item in value]
    return value


def _shown(value: object) -> JSON:
    return value.marker if isinstance(value, Opaque) else repr(value)


def _holds_opaque(value: JSON) -> bool:
    if isinstance(value, dict):
        return any(_holds_opaque(item) for item in value.values())
    if isinstance(value, list):
        return any(_holds_opaque(item) for item in value)
    return isinstance(value, Opaque)
