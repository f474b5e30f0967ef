"""Our messages on Temporal's wire: the same JSON as its own converter reads, made and read faster and smaller.

Temporal's converter asks for the type hints of every message it reads and copies every message it writes: a third of a
busy worker's time. Here each type is looked at once. A field that has its default is not sent, since whoever reads it
fills it in. What is no message of ours goes the usual way, and so does anything that is no object.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any, Self

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    AdvancedJSONEncoder,
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    JSONTypeConverter,
    SerializationContext,
)

from workflows import messages
from workflows.packing import inflated

Build = Callable[[Any], Any]

PACKED_JSON = "json/zlib"
"""The encoding of a payload whose data is deflated JSON."""

MESSAGES: tuple[type, ...] = tuple(
    each for each in vars(messages).values() if isinstance(each, type) and dataclasses.is_dataclass(each)
)


class _Encoder(AdvancedJSONEncoder):
    def default(self, o: Any) -> Any:
        fields = _DEFAULTS.get(type(o))
        if fields is None:
            return super().default(o)
        return {name: value for name, default in fields if (value := getattr(o, name)) != default}


class _Reader(JSONTypeConverter):
    def to_typed_value(self, hint: type, value: Any) -> Any:
        build = _BUILDERS.get(hint) if isinstance(hint, type) else None
        return JSONTypeConverter.Unhandled if build is None else build(value)


class _PackedReader(EncodingPayloadConverter):
    """Reads JSON that is packed; whoever sends it packs it, since it knows whether that is worth it."""

    def __init__(self, plain: JSONPlainPayloadConverter) -> None:
        self._plain = plain

    @property
    def encoding(self) -> str:
        return PACKED_JSON

    def to_payload(self, value: Any) -> Payload | None:
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        return self._plain.from_payload(Payload(data=inflated(payload.data)), type_hint)


class PayloadConverter(CompositePayloadConverter):
    """Temporal's own converters, with ours in the place of the one for JSON, and one for packed JSON."""

    def __init__(self) -> None:
        ours = JSONPlainPayloadConverter(encoder=_Encoder, custom_type_converters=[_Reader()])
        usual = DefaultPayloadConverter.default_encoding_payload_converters
        changed = (ours if isinstance(each, JSONPlainPayloadConverter) else each for each in usual)
        super().__init__(*changed, _PackedReader(ours))


def _defaults(message: type) -> list[tuple[str, Any]]:
    return [(field.name, _default(field)) for field in dataclasses.fields(message)]


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _builder(message: type) -> Build:
    """Return the function that makes a message from its JSON object; it raises `TypeError` as Temporal's own would."""
    hints = typing.get_type_hints(message)
    checks = {field.name: _check(hints[field.name]) for field in dataclasses.fields(message)}

    def build(value: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError(f"{message.__name__} must be an object, but is {type(value).__name__}")
        return message(**{name: checks[name](item) for name, item in value.items() if name in checks})

    return build


def _check(hint: Any) -> Build:
    """Return the function that passes on a value of this type, and refuses others."""
    if hint is Any:
        return _same
    if hint in MESSAGES:
        return lambda value: _BUILDERS[hint](value)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType or origin is typing.Union:
        return _optional(_check(next(each for each in inner if each is not type(None))))
    if origin is list and inner[0] in MESSAGES:
        return lambda value: [_BUILDERS[inner[0]](each) for each in _of(list, value)]
    if origin is typing.Literal:
        return lambda value: _of(str, value)
    kinds = (int, float) if hint is float else origin or hint
    return lambda value: _of(kinds, value)


def _same(value: Any) -> Any:
    return value


def _optional(check: Build) -> Build:
    return lambda value: None if value is None else check(value)


def _of(kinds: Any, value: Any) -> Any:
    if not isinstance(value, kinds):
        raise TypeError(f"expected {kinds}, but got {type(value).__name__}")
    return value


_DEFAULTS = {message: _defaults(message) for message in MESSAGES}
_BUILDERS: dict[type, Build] = {}
_BUILDERS.update((message, _builder(message)) for message in MESSAGES)


@dataclasses.dataclass(frozen=True)
class _Converter(DataConverter):
    def with_context(self, context: SerializationContext) -> Self:
        # The same for every activity. Temporal asks six times for each payload of a workflow task, and its own way to
        # find out that nothing depends on the context is to ask each of the converters.
        return self


CONVERTER: DataConverter = _Converter(payload_converter_class=PayloadConverter)
"""For `Client.connect(data_converter=...)`; sides with and without it understand each other, but for packed reports."""
