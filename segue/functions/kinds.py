"""What is known of a value before the workflow runs: from annotations, and from how an expression is built.

Where nothing is known, an expression has to mean what Python means whatever the value is. An annotation is believed;
for truth alone it is not, where a value of another type would be taken for something it is not without a sign.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from segue.functions.received import hints_of

Name = Literal["any", "null", "bool", "int", "float", "str", "list", "dict", "object", "enum"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a value.

    Attributes:
        name: Its type; `any` when it may be one of several. `object` is a dataclass, `dict` an object with keys.
        checked: Nothing else can be there: a schema was checked, or the expression gives nothing else.
        item: Of a list's items, or of a dict's values: an annotation or a kind.
        cls: The dataclass, TypedDict or Enum.
    """

    name: Name = "any"
    checked: bool = False
    item: Any = Any
    cls: Any = None

    @property
    def number(self) -> bool:
        """Whether it is an int or a float, and no bool."""
        return self.name in ("int", "float")

    def field(self, name: str) -> Kind | None:
        """Return the kind of a dataclass's field or a TypedDict's key; None when there is no such field."""
        hints = hints_of(self.cls)
        if dataclasses.is_dataclass(self.cls):
            known = {each.name for each in dataclasses.fields(self.cls)}
            return kind_of(hints.get(name, Any), self.checked) if name in known else None
        return kind_of(hints[name], self.checked) if name in hints else None

    def inside(self) -> Kind:
        """Return the kind of an item of a list, or of a value of a dict."""
        return kind_of(self.item, self.checked)


ANY = Kind()
NULL = Kind("null", True)
BOOL = Kind("bool", True)
INT = Kind("int", True)
FLOAT = Kind("float", True)
STR = Kind("str", True)
LIST = Kind("list", True)
DICT = Kind("dict", True)

_PLAIN: dict[Any, Name] = {bool: "bool", int: "int", float: "float", str: "str", list: "list", dict: "dict"}
_PLAIN |= {tuple: "list", type(None): "null", None: "null"}


def kind_of(hint: Any, checked: bool = False) -> Kind:
    """Return what an annotation says of a value; `checked` when a schema made from it was checked."""
    if isinstance(hint, Kind):
        return hint
    if hint in (Any, object):
        return ANY
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return kind_of(inner[0], checked)
    if origin is Literal:
        names = {kind_of_value(value).name for value in inner}
        return Kind(names.pop(), checked) if len(names) == 1 else ANY
    if origin in (typing.Union, types.UnionType):
        return ANY
    base = origin or hint
    if isinstance(base, typing.Hashable) and base in _PLAIN:
        item = inner[-1] if _PLAIN[base] == "dict" and len(inner) == 2 else _item_of(base, inner)
        return Kind(_PLAIN[base], checked, item)
    if not isinstance(base, type):
        return ANY
    if typing.is_typeddict(base):
        return Kind("dict", checked, Any, base)
    if dataclasses.is_dataclass(base):
        return Kind("object", checked, Any, base)
    if issubclass(base, enum.Enum):
        return Kind("enum", checked, Any, base)
    if issubclass(base, Mapping):
        return Kind("dict", checked, inner[1] if len(inner) == 2 else Any)
    if issubclass(base, Sequence) and not issubclass(base, str | bytes | bytearray | memoryview | range):
        return Kind("list", checked, inner[0] if inner else Any)
    return ANY


def _item_of(base: Any, inner: tuple[Any, ...]) -> Any:
    if not inner or base is dict:
        return Any
    several = base is tuple and Ellipsis not in inner and len(set(map(repr, inner))) > 1
    return Any if several else inner[0]


def kind_of_value(value: Any) -> Kind:
    """Return the kind of a plain value."""
    name = _PLAIN.get(type(value), "any")
    return Kind(name, name != "any")


def joined(one: Kind, other: Kind) -> Kind:
    """Return what is known of a value that is one of two."""
    if one.name != other.name:
        return ANY
    same = one.item == other.item and one.cls is other.cls
    item, cls = (one.item, one.cls) if same else (Any, None)
    return Kind(one.name if same or one.name != "object" else "any", one.checked and other.checked, item, cls)
