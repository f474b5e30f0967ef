"""The narrowest type of a value, and whether a value is of a type: what inference is checked against."""

from __future__ import annotations

from workflows.expressions import Opaque
from workflows.expressions.types import ANY, Type, list_of, map_of, simple, text, union
from workflows.expressions.values import Duration, Timestamp, Value


def exactly(value: Value) -> Type:
    """Return the narrowest type of a value."""
    match value:
        case Opaque():
            return ANY
        case str():
            return text(value)
        case list():
            return list_of(union(map(exactly, value)) if value else None)
        case dict():
            return map_of({name: exactly(part) for name, part in value.items()}, closed=True)
    return simple(_KINDS[type(value)])


_KINDS = {type(None): "null", bool: "bool", int: "int", float: "double", Timestamp: "timestamp", Duration: "duration"}


def admits(type_: Type, value: Value) -> bool:
    """Tell whether a value is of a type."""
    match value:
        case Opaque():
            return not type_.known
        case str():
            return "string" in type_.kinds and (type_.texts is None or value in type_.texts)
        case list():
            return "list" in type_.kinds and all(type_.item is None or admits(type_.item, item) for item in value)
        case dict():
            parts = {name: type_.part(name) for name in value}
            inside = all(part is not None and admits(part, value[name]) for name, part in parts.items())
            return "map" in type_.kinds and inside
    return _KINDS[type(value)] in type_.kinds
