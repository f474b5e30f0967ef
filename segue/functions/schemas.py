"""A workflow's params from its function's signature: annotations to JSON Schemas, defaults to JSON."""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from segue.codes import Code
from segue.functions.kinds import Kind, kind_of, kind_of_value
from segue.functions.meaning import Refused
from segue.functions.names import constant
from segue.functions.problems import Problems
from segue.functions.received import hints_of
from segue.param import schema_of

_TYPES: dict[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_HINT = "params are str, int, float, bool, list, dict, Literal, enums and dataclasses of those, and None"
MAX_LEVELS = 20


def params_of(
    function: Any, node: ast.FunctionDef, problems: Problems
) -> tuple[dict[str, dict[str, Any]], dict[str, Kind], dict[str, ast.AST]]:
    """Return the params of a workflow: their schemas, what is known of them, and where they stand.

    Args:
        function: The workflow's function.
        node: Its syntax tree.
        problems: Gets what is wrong.
    """
    hints = hints_of(function)
    arguments = node.args
    nodes = {each.arg: each for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
    schemas: dict[str, dict[str, Any]] = {}
    kinds: dict[str, Kind] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            at = arguments.vararg if parameter.kind is parameter.VAR_POSITIONAL else arguments.kwarg
            problem = Refused(f"a workflow's params are known by name, and *{name} is not", "", Code.ANNOTATION)
            problems.add(at or node, problem)
            continue
        annotated = parameter.annotation is not parameter.empty
        try:
            if annotated and name not in hints:
                raise Refused(f"the annotation of {name} cannot be read here", _HINT, Code.ANNOTATION)
            schemas[name] = _param(name, hints.get(name, Any), annotated, parameter.default)
        except Refused as problem:
            problem.code = Code.ANNOTATION
            problems.add(nodes[name], problem)
        kinds[name] = kind_of(hints[name], True) if name in hints else _of_default(parameter.default)
    return schemas, kinds, dict(nodes)


def _of_default(default: Any) -> Kind:
    # A schema is made of the default's type, so nothing else arrives.
    return kind_of_value(default) if type(default) in (str, bool, int, float, list, dict) else Kind()


def _param(name: str, hint: Any, annotated: bool, default: Any) -> dict[str, Any]:
    given = {} if default is inspect.Parameter.empty else {"default": constant(default, f"the default of {name}")}
    if not annotated:
        return schema_of(name, given["default"]) if given.get("default") is not None else given
    schema = schema_for(hint)
    return {**schema, **given}


def schema_for(hint: Any, level: int = 0) -> dict[str, Any]:
    """Return the JSON Schema of an annotation.

    Raises:
        Refused: JSON has no such type.
    """
    if level > MAX_LEVELS:
        raise Refused("the annotation has no end: a class holds itself", _HINT)
    if hint in (Any, object):
        return {}
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        more = [dict(each) for each in inner[1:] if isinstance(each, Mapping)]
        schema = schema_for(inner[0], level + 1)
        for each in more:
            schema |= each
        return schema
    if origin is Literal:
        return _enum([constant(value, "a Literal's value") for value in inner])
    if origin in (typing.Union, types.UnionType):
        return _union([schema_for(each, level + 1) for each in inner])
    base = origin or hint
    if base in _TYPES:
        return {"type": _TYPES[base]}
    if isinstance(base, type):
        return _class(base, inner, level)
    raise Refused(f"{_shown(hint)} is no type of a param", _HINT)


def _class(base: type, inner: tuple[Any, ...], level: int) -> dict[str, Any]:
    if issubclass(base, enum.Enum):
        return _enum([constant(member, base.__name__) for member in base])
    if typing.is_typeddict(base):
        required = [name for name in base.__annotations__ if name in getattr(base, "__required_keys__", ())]
        return _object(base, [*base.__annotations__], required, level)
    if dataclasses.is_dataclass(base):
        fields = [each for each in dataclasses.fields(base) if each.init]
        missing = dataclasses.MISSING
        required = [each.name for each in fields if each.default is missing and each.default_factory is missing]
        return _object(base, [each.name for each in fields], required, level)
    if issubclass(base, Mapping):
        values = schema_for(inner[1], level + 1) if len(inner) == 2 else {}
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    if issubclass(base, Sequence) and not issubclass(base, bytes | bytearray | memoryview | range):
        if issubclass(base, tuple) and inner and Ellipsis not in inner:
            items = [schema_for(each, level + 1) for each in inner]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        items_of = schema_for(inner[0], level + 1) if inner else {}
        return {"type": "array", **({"items": items_of} if items_of else {})}
    raise Refused(f"{_shown(base)} is no type of a param", _HINT)


def _object(base: type, names: list[str], required: list[str], level: int) -> dict[str, Any]:
    hints = hints_of(base)
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {name: schema_for(hints.get(name, Any), level + 1) for name in names}
    if required:
        schema["required"] = required
    schema["additionalProperties"] = False
    return schema


def _enum(values: list[Any]) -> dict[str, Any]:
    types_of = {_TYPES.get(type(value)) for value in values}
    kind = types_of.pop() if len(types_of) == 1 else None
    return {**({"type": kind} if kind else {}), "enum": values}


def _union(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    if {} in schemas:
        return {}
    if all(set(each) == {"type"} for each in schemas):
        return {"type": [each["type"] for each in schemas]}
    plain = [each for each in schemas if each != {"type": "null"}]
    if len(plain) == 1 and len(plain) < len(schemas) and "enum" not in plain[0]:
        return {**plain[0], "type": [plain[0]["type"], "null"]} if isinstance(plain[0].get("type"), str) else {}
    return {"anyOf": schemas}


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).removeprefix("typing.")
