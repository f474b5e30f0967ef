"""What is known of a value before there is one: the kinds it may be of, and the parts it may have.

A type never claims more than is certain: what is not known may be anything. Types are compared and combined, never
stored, and nothing that runs depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

KINDS = ("null", "bool", "int", "double", "string", "list", "map", "timestamp", "duration", "file")
"""`file` is a reference to a stored file, which stands where a schema says `string`."""
NUMBERS = frozenset({"int", "double"})
MAX_JOINED_FIELDS = 200
"""Of the union of larger maps nothing is known."""

_NAMES = {
    "bool": "a bool",
    "int": "an int",
    "double": "a double",
    "string": "a string",
    "list": "a list",
    "map": "a map",
    "timestamp": "a timestamp",
    "duration": "a duration",
    "file": "a file",
    "null": "null",
}
_NO_FIELDS: Mapping[str, Type] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Type:
    """A set of possible values.

    Attributes:
        kinds: What the value may be.
        item: Of a list: its items; None when nothing is known of them.
        fields: Of a map: the keys that are known.
        rest: Of a map: the values of other keys; None when nothing is known of them.
        closed: Of a map: whether there can be no other key.
        texts: Of a string: all it can be, or None.
    """

    kinds: frozenset[str]
    item: Type | None = None
    fields: Mapping[str, Type] = field(default_factory=lambda: _NO_FIELDS)
    rest: Type | None = None
    closed: bool = False
    texts: tuple[str, ...] | None = None

    @property
    def known(self) -> bool:
        """Whether there is something that the value cannot be."""
        return len(self.kinds) < len(KINDS)

    def may_be(self, *kinds: str) -> bool:
        """Tell whether the value may be of one of some kinds."""
        return not self.kinds.isdisjoint(kinds)

    def part(self, name: str) -> Type | None:
        """Return what a map holds under a key, or None when it cannot have the key."""
        if name in self.fields:
            return self.fields[name]
        return None if self.closed else self.rest or ANY

    def or_null(self) -> Type:
        """Return the type of the value or null."""
        return self if "null" in self.kinds else replace(self, kinds=self.kinds | {"null"})

    def without_null(self) -> Type:
        """Return the type of the value where it is not null."""
        return replace(self, kinds=self.kinds - {"null"}) if self.kinds - {"null"} else self


def simple(*kinds: str) -> Type:
    """Return the type of a value without parts that are known."""
    return Type(frozenset(kinds))


def text(*texts: str) -> Type:
    """Return the type of a string that is one of some texts."""
    return Type(frozenset({"string"}), texts=tuple(dict.fromkeys(texts)))


def list_of(item: Type | None) -> Type:
    """Return the type of a list; None: of unknown items."""
    return Type(frozenset({"list"}), item=item)


def map_of(fields: Mapping[str, Type], rest: Type | None = None, closed: bool = False) -> Type:
    """Return the type of a map; `closed` when there are no keys but `fields`."""
    return Type(frozenset({"map"}), fields=fields, rest=rest, closed=closed)


ANY = Type(frozenset(KINDS))
NULL, BOOL, INT, DOUBLE, STRING = simple("null"), simple("bool"), simple("int"), simple("double"), simple("string")
NUMBER, TIMESTAMP, DURATION = simple("int", "double"), simple("timestamp"), simple("duration")


def union(types: Iterable[Type], spend: Callable[[], bool] = lambda: True) -> Type:
    """Return the type of a value that is of one of some types.

    Args:
        types: At least one.
        spend: Called for each step of the work; when it says no, nothing is known of the result.
    """
    result: Type | None = None
    for each in types:
        result = each if result is None else _joined(result, each, spend)
    return ANY if result is None else result


def _joined(left: Type, right: Type, spend: Callable[[], bool]) -> Type:
    if left is right:
        return left
    if left is ANY or right is ANY or not spend():
        return ANY
    both = {kind for kind in ("list", "map", "string") if kind in left.kinds and kind in right.kinds}
    one = left if "map" in left.kinds else right
    fields, rest, closed = one.fields, one.rest, one.closed
    if "map" in both:
        closed = left.closed and right.closed and len(left.fields) + len(right.fields) <= MAX_JOINED_FIELDS
        fields, rest = _joined_maps(left, right, closed, spend)
    item = left.item if "list" in left.kinds else right.item
    if "list" in both:
        item = None if left.item is None or right.item is None else _joined(left.item, right.item, spend)
    texts = left.texts if "string" in left.kinds else right.texts
    if "string" in both:
        known = left.texts is not None and right.texts is not None
        texts = tuple(dict.fromkeys((*(left.texts or ()), *(right.texts or ())))) if known else None
    return Type(left.kinds | right.kinds, item, fields, rest, closed, texts)


def _joined_maps(
    left: Type, right: Type, closed: bool, spend: Callable[[], bool]
) -> tuple[Mapping[str, Type], Type | None]:
    if len(left.fields) + len(right.fields) > MAX_JOINED_FIELDS:
        return _NO_FIELDS, ANY
    fields = {}
    for name in dict.fromkeys((*left.fields, *right.fields)):
        parts = [part for part in (left.part(name), right.part(name)) if part is not None]
        fields[name] = union(parts, spend)
    rests = [side.rest or ANY for side in (left, right) if not side.closed]
    return fields, None if closed else union(rests, spend)


def described(type_: Type) -> str:
    """Return what people call a type: `a number`, `a string or null`."""
    if not type_.known:
        return "anything"
    # A file stands where a string is expected; that it may be one is no news to anybody.
    kinds = [kind for kind in KINDS if kind in type_.kinds and (kind != "file" or "string" not in type_.kinds)]
    if set(kinds) >= NUMBERS:
        names = ["a number", *(_NAMES[kind] for kind in kinds if kind not in NUMBERS | {"null"})]
    else:
        names = [_NAMES[kind] for kind in kinds if kind != "null"]
    return " or ".join([*names, "null"] if "null" in kinds else names)


def notation(type_: Type, level: int = 0) -> str:
    """Return a type with its parts: `list<map{depth: number}>`; cut short where it is deep."""
    if not type_.known:
        return "any"
    if level > 4:
        return "..."
    kinds = [kind for kind in KINDS if kind in type_.kinds and (kind != "file" or "string" not in type_.kinds)]
    return "|".join(_kind_notation(kind, type_, level) for kind in kinds).replace("int|double", "number")


def _kind_notation(kind: str, type_: Type, level: int) -> str:
    if kind == "list" and type_.item is not None:
        return f"list<{notation(type_.item, level + 1)}>"
    if kind == "map" and (type_.fields or type_.rest or type_.closed):
        parts = [f"{name}: {notation(part, level + 1)}" for name, part in type_.fields.items()]
        if not type_.closed:
            parts.append(f"...: {notation(type_.rest, level + 1)}" if type_.rest else "...")
        return "map{" + ", ".join(parts) + "}"
    if kind == "string" and type_.texts is not None:
        return "string(" + ", ".join(type_.texts) + ")"
    return kind
