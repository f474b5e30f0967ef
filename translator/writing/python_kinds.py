"""Arguments of steps that no worker runs, and params: what `WaitOperator`, `ApprovalOperator` and `Param` are given."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from typing import Any

from translator.writing.python_layout import Group, Layout, Part
from translator.writing.python_values import Values

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


class KindWriter:
    """Writes arguments.

    Args:
        values: Writes the values in them.
    """

    def __init__(self, values: Values) -> None:
        self.values = values

    def workflow(self, value: Any, at: str) -> Iterator[Part]:
        """Yield the arguments of `WorkflowOperator` but for the params."""
        if not isinstance(value, dict):
            yield self.part("workflow", value, at)
            return
        for key, inner in value.items():
            yield self.part("workflow" if key == "name" else key, inner, f"{at}/{key}")

    def wait(self, value: dict[str, Any], at: str, *, conditional: bool) -> Iterator[Part]:
        """Yield the arguments of `WaitOperator`; `conditional`: the step has a condition of its own."""
        for key, inner in value.items():
            if key == "event":
                yield self.event(inner, f"{at}/event", conditional)
            else:
                yield self.part("duration" if key == "for" else key, inner, f"{at}/{key}")

    def event(self, event: dict[str, Any], at: str, conditional: bool) -> Part:
        """Return the argument for the event that a step waits for."""
        condition = self.values.condition(event.get("if"))
        if condition is None and not conditional:
            return self.part("event", event["name"], f"{at}/name")
        self.values.names.used.add("event")
        parts = [Part("", self.values.value(event["name"], f"{at}/name"))]
        parts += [Part("condition=", condition)] if condition is not None else []
        return Part("event=", Group("event(", parts, ")"))

    def approve(self, value: dict[str, Any], at: str) -> Iterator[Part]:
        """Yield the arguments of `ApprovalOperator`."""
        for key, inner in value.items():
            if key != "form":
                yield self.part(key, inner, f"{at}/{key}")
                continue
            missing = unsaid(inner)
            said = {name: schema for name, schema in inner.items() if name not in missing}
            yield Part("form=", self.schemas(said, f"{at}/form"))

    def schemas(self, schemas: dict[str, Any], at: str) -> Layout:
        """Return a dict of params."""
        parts = []
        for name, schema in schemas.items():
            part = self.values.pair(name, None, at)
            part.value = self.param(schema, f"{at}/{name}")
            part.above += self.values.comments.take_under(f"{at}/{name}")
            parts.append(part)
        return Group("{", parts, "}")

    def param(self, schema: dict[str, Any], at: str) -> Layout:
        """Return one param: its default where that says it all, else `Param(...)`."""
        default = schema.get("default")
        told = isinstance(default, dict) and {"type", "enum"} & set(default)
        if {*schema} == {"type", "default"} and _TYPES.get(type(default)) == schema["type"] and not told:
            return self.values.value(default, f"{at}/default")
        self.values.names.used.add("Param")
        parts = [Part("", self.values.value(default, f"{at}/default"))] if "default" in schema else []
        for name, value in schema.items():
            if name != "default":
                layout = self.values.value(value, f"{at}/{name}")
                odd = keyword.iskeyword(name)
                parts.append(Part(f'**{{"{name}": ' if odd else f"{name}=", _closed(layout) if odd else layout))
        return Group("Param(", parts, ")")

    def part(self, name: str, value: Any, at: str) -> Part:
        """Return an argument with the comments of its key."""
        above, beside = self.values.comments.take(at)
        return Part(f"{name}=", self.values.value(value, at), [line for line in above if line], beside)


def levels(mapped: Any) -> list[dict[str, Any]]:
    """Return the maps of a step, the outermost first."""
    return list(mapped) if isinstance(mapped, list) else [mapped]


def unsaid(schemas: Any) -> dict[str, Any]:
    """Return the schemas that `Param` cannot say exactly: to a default it adds the type that is left out."""
    return {name: schema for name, schema in (schemas or {}).items() if not _can_say(schema)}


def _can_say(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    return "type" in schema or "enum" in schema or _TYPES.get(type(schema.get("default"))) is None


def _closed(layout: Layout) -> Layout:
    if isinstance(layout, str):
        return layout + "}"
    layout.closing += "}"
    return layout
