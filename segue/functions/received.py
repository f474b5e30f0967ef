"""Arguments of a step as its process gets them, JSON, to what the function's annotations name.

A dataclass that one step returns is an object when it travels; the step that takes it gets a dataclass again. What no
annotation names stays JSON. Never refuses a value: the function sees what came.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any


def received(function: Callable[..., Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function's arguments with the types that it names."""
    hints = hints_of(function)
    return {name: converted(value, hints.get(name, Any)) for name, value in inputs.items()}


def hints_of(thing: Any) -> dict[str, Any]:
    """Return the annotations of a function or class that can be evaluated; the others are left out."""
    try:
        return typing.get_type_hints(thing, include_extras=True)
    except Exception:  # an annotation may be any expression, and name what is imported for type checkers alone
        namespace = getattr(thing, "__globals__", None) or vars(sys.modules[thing.__module__])
        found = {}
        for name, hint in getattr(thing, "__annotations__", {}).items():
            try:
                found[name] = eval(hint, dict(namespace)) if isinstance(hint, str) else hint
            except Exception:
                continue
        return found


def converted(value: Any, hint: Any) -> Any:
    """Return a JSON value as the type that an annotation names, when that is a dataclass, an enum or a tuple."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return converted(value, inner[0])
    if origin in (typing.Union, types.UnionType):
        return next((new for each in inner if (new := converted(value, each)) is not value), value)
    if isinstance(value, dict):
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return _instance(value, hint)
        if isinstance(origin, type) and issubclass(origin, Mapping) and len(inner) == 2:
            return {key: converted(each, inner[1]) for key, each in value.items()}
        return value
    if isinstance(value, list):
        return _listed(value, hint, origin, inner)
    if isinstance(hint, type) and issubclass(hint, enum.Enum) and not isinstance(value, enum.Enum):
        return next((member for member in hint if member.value == value), value)
    return value


def _instance(value: dict[str, Any], hint: Any) -> Any:
    fields = {each.name for each in dataclasses.fields(hint) if each.init}
    if not set(value) <= fields:
        return value
    hints = hints_of(hint)
    try:
        return hint(**{name: converted(each, hints.get(name, Any)) for name, each in value.items()})
    except (TypeError, ValueError):
        return value


def _listed(value: list[Any], hint: Any, origin: Any, inner: tuple[Any, ...]) -> Any:
    if origin is tuple or hint is tuple:
        if len(inner) == len(value) and Ellipsis not in inner:
            return tuple(converted(each, one) for each, one in zip(value, inner, strict=True))
        return tuple(converted(each, inner[0] if inner else Any) for each in value)
    if origin is None or not inner:
        return value
    items = [converted(each, inner[0]) for each in value]
    # A value that stays as it was is told by its identity, all the way up.
    return value if all(new is old for new, old in zip(items, value, strict=True)) else items
