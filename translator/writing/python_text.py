"""Writes a definition as Python with operators: a variable for each step, arrows, expressions as Python reads them."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Any

from translator.writing.python_arrows import arrow_lines
from translator.writing.python_expressions import ROOTS, Names
from translator.writing.python_kinds import KindWriter, levels, unsaid
from translator.writing.python_layout import WIDTH, Group, Layout, Part, lay_out
from translator.writing.python_steps import StepWriter, options, plain
from translator.writing.python_values import Values, text_literal
from translator.writing.source import Source
from translator.writing.yaml_text import ordered

_IMPORTED = frozenset({*ROOTS, "item", "expr", "has", "size", "cron", "every", "chain", "dag"})
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
        arrows = self.arrows("steps")
        last = self.steps("finally", steps=True)
        last_arrows = self.arrows("finally") if last else []
        output = [*self.output()]
        head = self.head()
        body = [*self.more, *steps, *arrows]
        if last:
            self.used.add("Finally")
            body += ["", f"{_INDENT}with Finally():", *(_INDENT + line if line else "" for line in last + last_arrows)]
            output = ["", *output] if output else []
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
        if key == "concurrency" and value == {}:
            value = {"limit": 1}  # an empty one would count as none
        if key in ("description", "labels", "concurrency", "max_parallel", "timeout", "on_failure"):
            yield self.part(key, values.value(value, at), at)
        elif key == "params" and value:
            missing = unsaid(value)
            said = {name: schema for name, schema in value.items() if name not in missing}
            self.more += [
                f"{_INDENT}dag.params[{text_literal(name)}] = {lay_out(plain(schema), _INDENT, 40)}"
                for name, schema in missing.items()
            ]
            yield self.part(key, KindWriter(values).schemas(said, at), at)
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

    def trigger(self, trigger: dict[str, Any], index: int) -> Part:
        at = f"/triggers/{index}"
        kind = "schedule" if "schedule" in trigger else "event"
        spec, values = trigger[kind], self.values({})
        first = "name" if kind == "event" else "cron" if "cron" in spec else "every"
        function = "event" if kind == "event" else first
        self.used.add(function)
        above, beside = self.comments.take(at)
        text = str(spec[first])
        # The blank keeps a preset such as @daily from being replaced by the five fields it stands for.
        parts = [Part("", text_literal(text + " " if text.startswith("@") else text))]
        for key, value in spec.items():
            inner = f"{at}/{kind}/{key}"
            if key == "if":
                condition = values.condition(value)
                parts += [self.part("condition", condition, inner)] if condition is not None else []
            elif key != first:
                parts.append(self.part(key, values.value(value, inner), inner))
        if "params" in trigger:
            parts.append(self.part("params", values.value(trigger["params"], f"{at}/params"), f"{at}/params"))
        above += self.comments.take_under(at)
        return Part("", Group(f"{function}(", parts, ")"), [line for line in above if line], beside)

    def arrows(self, key: str) -> list[str]:
        """Return the statements that join steps, with an empty line before them."""
        steps = self.definition[key]
        lines = arrow_lines(steps, self.variables, f"/{key}", self.values(self.variables))
        return ["", *(_INDENT + line for line in lines)] if lines else []

    def steps(self, key: str, *, steps: bool = False) -> list[str]:
        """Return the statements that make the steps; `steps`: those under `steps` have been made already."""
        lines: list[str] = []
        made = {name: self.variables[name] for name in self.definition["steps"]} if steps else {}
        for name, step in self.definition.get(key, {}).items():
            mapped = step.get("map")
            item = levels(mapped)[-1].get("as", "item") if mapped else None
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
