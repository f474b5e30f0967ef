"""What may leave a step as its output: strict JSON, and references to objects.

NaN, lone surrogates, NUL characters, odd keys and bottomless nesting pass Temporal's converter and break a browser or a
database much later. Here they fail the step that made them, with the place in the value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from activities.errors import StepFailed
from workflows.messages import JSON, REFERENCE

MAX_DEPTH = 200
MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
"""An output document is read whole by the worker; what is larger belongs in a file."""

Marker = dict[str, Any]


def invalid(path: str, problem: str) -> StepFailed:
    """Return the failure of a step whose output has a problem at `path` (`output.rows[3]`)."""
    return StepFailed("OutputInvalid", f"{path} {problem}", {"path": path}, retryable=False)


def encode(value: JSON) -> bytes:
    """Return the compact UTF-8 JSON of a checked value.

    Raises:
        StepFailed: It has more than `MAX_DOCUMENT_BYTES`.
    """
    try:
        data = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:  # an integer of more than 4,300 digits
        raise invalid("output", f"is not JSON: {error}") from None
    return check_size(data)


def check_size(data: bytes) -> bytes:
    """Return an output document if it is not too large.

    Raises:
        StepFailed: It has more than `MAX_DOCUMENT_BYTES`.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise invalid("output", f"has {len(data):,} bytes of JSON; above {MAX_DOCUMENT_BYTES:,}, return a file")
    return data


def decode(data: bytes | str, path: str = "output") -> JSON:
    """Return the value of a JSON text that may hold anything.

    Raises:
        StepFailed: It is not strict JSON.
    """
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except RecursionError:
        raise invalid(path, f"is nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        raise invalid(path, f"is not JSON: {error}") from None


def checked(value: JSON, path: str = "output", replace: Callable[[Marker, str], JSON] | None = None) -> JSON:
    """Return `value` when everything in it may be an output.

    Args:
        value: A JSON value.
        path: What to call it in messages.
        replace: Gets each object with the key `$segue` and its path, and returns what to put there; None refuses them.

    Raises:
        StepFailed: `OutputInvalid`, naming the place.
    """
    return _checked(value, path, replace, 0)


def _checked(value: JSON, path: str, replace: Callable[[Marker, str], JSON] | None, depth: int) -> JSON:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _checked_text(value, path)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise invalid(path, f"is {value}, which JSON cannot express")
        return value
    if depth >= MAX_DEPTH:
        raise invalid(path[:200], f"is nested more than {MAX_DEPTH} deep")
    if isinstance(value, list):
        return [_checked(item, f"{path}[{place}]", replace, depth + 1) for place, item in enumerate(value)]
    if isinstance(value, dict):
        if REFERENCE in value:
            if replace is None:
                raise invalid(path, f"has the key {REFERENCE}, which is kept for Segue's own references")
            return replace(value, path)
        return {
            _checked_key(name, path): _checked(item, f"{path}.{name}", replace, depth + 1)
            for name, item in value.items()
        }
    raise invalid(path, f"is a {type(value).__name__}, which JSON cannot express")


def _checked_key(name: Any, path: str) -> str:
    if not isinstance(name, str):
        raise invalid(path, f"has the key {name!r}; JSON allows only text")
    return _checked_text(name, path)


def _checked_text(text: str, path: str) -> str:
    if "\0" in text:
        raise invalid(path, "has a NUL character, which databases refuse")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise invalid(path, f"is not valid text: {error.reason} at character {error.start}") from None
    return text


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
