"""Dataclasses as JSON: with all of their fields, or without those that have their default."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any


def plain(value: Any) -> Any:
    """Return a value as JSON, with all fields of the dataclasses in it."""
    known = _defaults(type(value))
    if known is not None:
        return {name: plain(getattr(value, name)) for name, _ in known}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return value


def given(value: Any) -> Any:
    """Return the dataclasses in a value as objects without the fields that have their default."""
    kind = type(value)
    if kind is str or kind is dict:  # which hold no dataclasses, and are most of what there is
        return value
    known = _defaults(kind)
    if known is None:
        return [given(each) for each in value] if isinstance(value, tuple | list) else value
    changed = {}
    for name, default in known:
        held = getattr(value, name)
        if held is not default and held != default:
            changed[name] = held if type(held) is str else given(held)
    return changed


def _defaults(kind: Any) -> tuple[tuple[str, Any], ...] | None:
    """Return the fields of a dataclass with their defaults; None: it is none."""
    if kind not in _KNOWN:
        _KNOWN[kind] = tuple((each.name, _default(each)) for each in fields(kind)) if is_dataclass(kind) else None
    return _KNOWN[kind]


_KNOWN: dict[type, tuple[tuple[str, Any], ...] | None] = {}


def _default(each: Field[Any]) -> Any:
    return each.default_factory() if each.default_factory is not MISSING else each.default


def with_tuples(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a document with tuples for the lists under these names."""
    return document | {name: tuple(document[name]) for name in names if isinstance(document.get(name), list)}
