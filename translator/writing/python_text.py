"""Writes a definition as Python with operators: a variable for each step, arrows, expressions as Python reads them."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Any

from translator.writing.python_arrows import arrow_lines
from translator.writing.python_expressions import ROOTS, Names
from translator.writing.python_layout import WIDTH, Group, Layout, Part, lay_out
from translator.writing.python_steps import StepWriter, options, plain
from translator.writing.python_values import Values, text_literal
from translator.writing.source import Source
from translator.writing.yaml_text import ordered

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
_IMPORTED = frozenset({*ROOTS, "item", "expr", "has", "size", "cron", "chain", "dag"})
_INDENT = "    "


def write_python(source: Source) -> str:
    """Return a definition as a Python file."""
    return _Writer(source).text()


class _Writer:
    def __init__(self, source: Source) -> None:
        self.definition = ordered(source.definition, "WORKFLOW")
        self.comments = source.comments
        self.comments.settle(self.definition)
        self.used: set[str] = {"DAG"}
        self.more: list[str] = []
        self.variables = variables_of([*self.definition.get("steps", {}), *self.definition.get("finally", {})])

    def text(self) -> str:
        steps = self.steps("steps")
        arrows = arrow_lines(self.definition["steps"], self.variables, "/steps", self.values(self.variables))
        output = [*self.output()]
        head = self.head()
        body = [*self.more, *steps]
        if arrows:
            body += ["", *(_INDENT + line for line in arrows)]
        body += output
        while body and not body[0]:
            body.pop(0)
        lines = [*self.comments.head, *([""] if self.comments.head[-1:] not in ([], [""]) else [])]
        end = [f"{_INDENT}{line}".rstrip() for line in self.comments.end]
        return "\n".join([*lines, *self.imports(), "", head, *body, *end]) + "\n"

    def values(self, steps: Mapping[str, str], item: str | None = None) -> Values:
        """Return what writes values in which the expressions may speak of these steps."""
        return Values(self.comments, Names(steps, item, None, self.used))

    def imports(self) -> list[str]:
        names = sorted(self.used - {""}, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
        single = f"from segue import {', '.join(names)}"
        return [single] if len(single) <= WIDTH else ["from segue import (", *(f"{_INDENT}{n}," for n in names), ")"]

    def head(self) -> str:
        above, beside = self.comments.take("/name")
        parts = [Part("", text_literal(self.definition["name"]), [line for line in above if line], beside)]
        parts += [part for key in self.definition for part in self.argument(key, self.definition[key])]
        leftover = [line for pointer in ("/segue", "/steps", "/output") for line in self.comments.take_under(pointer)]
        self.comments.head += leftover
        return f"with DAG{lay_out(Group('(', parts, ')'), '', len('with DAG'), len(' as dag:'))} as dag:"

    def argument(self, key: str, value: Any) -> Iterator[Part]:
        """Yield the arguments of DAG for a key at the top of the definition."""
        at, values = f"/{key}", self.values({})
        if key in ("description", "labels", "max_parallel", "timeout"):
            yield self.part(key, values.value(value, at), at)
        elif key == "params" and value:
            said = {name: schema for name, schema in value.items() if _can_say(schema)}
            self.more += [
                f"{_INDENT}dag.params[{text_literal(name)}] = {lay_out(plain(schema), _INDENT, 40)}"
                for name, schema in value.items()
                if name not in said
            ]
            yield self.part(key, self.params(said, values), at)
        elif key == "triggers" and value:
            yield self.part(key, Group("[", [self.trigger(each, n) for n, each in enumerate(value)], "]"), at)
        elif key == "defaults":
            parts = [self.quoted(part) for part in self.defaults(value, values)]
            yield self.part("default_args", Group("{", parts, "}"), at)
        elif key == "code":
            for name in value:
                listed = [value[name]] if name == "include" and isinstance(value[name], str) else value[name]
                yield self.part(name, values.value(listed, f"/code/{name}"), f"/code/{name}", at)

    def part(self, name: str, value: Layout, *pointers: str) -> Part:
        above: list[str] = []
        beside = ""
        for pointer in reversed(pointers):
            lines, behind = self.comments.take(pointer)
            above += [line for line in lines if line] + ([beside] if beside and behind else [])
            beside = behind or beside
        return Part(f"{name}=", value, above, beside)

    def quoted(self, part: Part) -> Part:
        """Turn an argument into an entry of a dict."""
        return Part(f'"{part.head[:-1]}": ', part.value, part.above, part.beside)

    def defaults(self, defaults: dict[str, Any], values: Values) -> Iterator[Part]:
        for key, value in defaults.items():
            if key in ("retry", "timeout"):
                yield from options(values, {key: value}, "/defaults")
            else:
                yield self.part(key, values.value(value, f"/defaults/{key}"), f"/defaults/{key}")

    def params(self, params: dict[str, Any], values: Values) -> Layout:
        parts = []
        for name, schema in params.items():
            at = f"/params/{name}"
            part = values.pair(name, None, "/params")
            part.value = self.param(schema, values, at)
            part.above += self.comments.take_under(at)
            parts.append(part)
        return Group("{", parts, "}")

    def param(self, schema: dict[str, Any], values: Values, at: str) -> Layout:
        default = schema.get("default")
        told = isinstance(default, dict) and {"type", "enum"} & set(default)
        if {*schema} == {"type", "default"} and _TYPES.get(type(default)) == schema["type"] and not told:
            return values.value(default, f"{at}/default")
        self.used.add("Param")
        parts = [Part("", values.value(default, f"{at}/default"))] if "default" in schema else []
        for name, value in schema.items():
            if name != "default":
                head = f'**{{"{name}": ' if keyword.iskeyword(name) else f"{name}="
                layout = values.value(value, f"{at}/{name}")
                parts.append(Part(head, _closed(layout) if keyword.iskeyword(name) else layout))
        return Group("Param(", parts, ")")

    def trigger(self, trigger: dict[str, Any], index: int) -> Part:
        at = f"/triggers/{index}"
        kind = "schedule" if "schedule" in trigger else "event"
        spec, values = trigger[kind], self.values({})
        first = "cron" if kind == "schedule" else "name"
        self.used.add("cron" if kind == "schedule" else "event")
        above, beside = self.comments.take(at)
        text = str(spec[first])
        # The blank keeps a preset such as @daily from being replaced by the five fields it stands for.
        parts = [Part("", text_literal(text + " " if text.startswith("@") else text))]
        parts += [
            self.part(key, values.value(value, f"{at}/{kind}/{key}"), f"{at}/{kind}/{key}")
            for key, value in spec.items()
            if key != first
        ]
        if "params" in trigger:
            parts.append(self.part("params", values.value(trigger["params"], f"{at}/params"), f"{at}/params"))
        above += self.comments.take_under(at)
        function = "cron" if kind == "schedule" else "event"
        return Part("", Group(f"{function}(", parts, ")"), [line for line in above if line], beside)

    def steps(self, key: str) -> list[str]:
        """Return the statements that make the steps."""
        lines: list[str] = []
        made: dict[str, str] = {}
        for name, step in self.definition.get(key, {}).items():
            mapped = step.get("map")
            item = mapped.get("as", "item") if isinstance(mapped, dict) else None
            inner = ordered(step, "STEP")
            writer = StepWriter(name, self.variables[name], inner, f"/{key}/{name}", self.values(made, item))
            needs = self.keep_needs(f"/{key}/{name}/needs")
            written = writer.write(_INDENT)
            self.comments.above.update(needs.above)
            self.comments.beside.update(needs.beside)
            lines += [*written.lines, *written.more]
            made = {**made, name: self.variables[name]}
        return lines

    def keep_needs(self, pointer: str) -> Any:
        """Take out the comments of a step's needs, which go with its arrows."""
        kept = type(self.comments)()
        for name in ("above", "beside"):
            held, into = getattr(self.comments, name), getattr(kept, name)
            for each in [*held]:
                if each == pointer or each.startswith(pointer + "/"):
                    into[each] = held.pop(each)
        return kept

    def output(self) -> Iterator[str]:
        if self.definition.get("output") is None:
            return
        above, beside = self.comments.take("/output")
        value = self.values(self.variables).value(self.definition["output"], "/output")
        head = f"{_INDENT}dag.output = "
        text = lay_out(value, _INDENT, len(head), len(beside))
        yield from (f"{_INDENT}{line}".rstrip() for line in above)
        yield f"{head}{text}{'  ' + beside if beside else ''}"


def variables_of(steps: list[str]) -> dict[str, str]:
    """Return a variable for each step: its id, unless that is no name or one that means something else here."""
    taken = {*_IMPORTED, *dir(builtins), *keyword.kwlist, *keyword.softkwlist}
    variables: dict[str, str] = {}
    own = [name for name in steps if name.isidentifier() and name not in taken and name != "_"]
    variables = {name: name for name in own}
    taken |= set(own)
    for name in steps:
        if name in variables:
            continue
        better = re.sub(r"\W", "_", name)
        while better in taken:
            better += "_"
        variables[name] = better
        taken.add(better)
    return {name: variables[name] for name in steps}


def _can_say(schema: Any) -> bool:
    """Tell whether `Param` says exactly this schema: to a default it adds the type that is left out."""
    if not isinstance(schema, dict):
        return False
    return "type" in schema or "enum" in schema or _TYPES.get(type(schema.get("default"))) is None


def _closed(layout: Layout) -> Layout:
    if isinstance(layout, str):
        return layout + "}"
    layout.closing += "}"
    return layout
