"""Reads `container`, and what the named operators (`uses: sql`, `notify`, `ssh`) are given under `with`.

In the plan, a container's action and an operator's inputs have the keys that are written, without those left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from translator import keys
from translator.definition import StepDefinition, Use
from translator.diagnostics import Code, did_you_mean, one_of, shown
from translator.embedded import read_template, refuse_expressions
from translator.fields import Fields
from translator.located import Node, Report
from workflows.templates import OPENING

MAX_INLINE_ROWS = 10_000
FORMATS = ("parquet", "ndjson")
TEXT_FORMATS = ("text", "markdown", "html")
PULL = ("missing", "always", "never")
OUTPUTS = {"sql": ("count", "columns", "rows", "file"), "notify": ("sent",)}
"""The names in an operator's output, where it fixes them."""
_MAX_SCRIPT = 256 * 1024
_BIND = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
"""A parameter in a statement, as SQLAlchemy reads it."""


class OperatorReader:
    """Reads what one step's operator is given.

    Args:
        what: What the step is called in messages.
        names: What its expressions may speak of.
        uses: Gets its expressions.
        report: Gets the problems.
    """

    def __init__(self, what: str, names: frozenset[str], uses: list[Use], report: Report) -> None:
        self.what = what
        self.names = names
        self.uses = uses
        self.report = report

    def container(self, node: Node) -> dict[str, Any]:
        """Read `container`: an image, or a mapping."""
        if isinstance(node.value, str):
            if not node.value.strip():
                self.report.add(node, Code.BAD_VALUE, '"container" is an empty text', "give the name of an image")
            return {"image": read_template(node, self.names, self.uses, self.report)}
        found = Fields(node, self.report, f"container of {self.what}", keys.CONTAINER)
        found.require("image", 'such as image: "python:3.12-slim"')
        action = {key: self._text(found, key) for key in ("image", "entrypoint", "workdir")}
        action |= {"command": self._command(found), "pull": found.choice("pull", PULL)}
        return _given(action)

    def inputs(self, operator: str, step: Fields) -> dict[str, Any]:
        """Read `with` for a named operator."""
        node = step.get("with")
        if node is None:
            if not step.has("with"):
                message = f'{self.what} has no "with", where "{operator}" has its inputs'
                self.report.add(step.key("uses"), Code.MISSING_KEY, message, _EXAMPLES[operator])
            return {}
        known = {"sql": keys.SQL, "notify": keys.NOTIFY, "ssh": keys.SSH}[operator]
        found = Fields(node, self.report, f"with of {self.what}", known)
        read = {"sql": self._sql, "notify": self._notify, "ssh": self._ssh}[operator]
        return _given(read(found))

    def _sql(self, found: Fields) -> dict[str, Any]:
        self._one_of(found, "url", 'such as url: "postgresql://db.example.com/sales"')
        found.require("sql", 'such as sql: "SELECT * FROM runs WHERE id = :id"')
        values = {
            "url": self._address(found, "url", "://", "such as postgresql://host/database or sqlite:////srv/file.db"),
            "connection": self._connection(found),
            "sql": self._statements(found),
            "parameters": self._parameters(found),
            "inline": found.integer("inline", 0, MAX_INLINE_ROWS),
            "format": found.choice("format", FORMATS),
        }
        self._check_binds(found)
        return values

    def _notify(self, found: Fields) -> dict[str, Any]:
        self._one_of(found, "to", 'such as to: "mailto:data@example.com"')
        found.require("text", 'such as text: "Run ${{ run.id }} has failed"')
        return {
            "to": self._recipients(found),
            "connection": self._connection(found),
            "title": self._text(found, "title"),
            "text": self._text(found, "text"),
            "format": found.choice("format", TEXT_FORMATS),
        }

    def _ssh(self, found: Fields) -> dict[str, Any]:
        found.require("host", "such as host: gpu1.example.com")
        found.require("command", "such as command: ./train.sh")
        values: dict[str, Any] = {key: self._text(found, key) for key in ("host", "user", "key", "known_hosts")}
        node = found.get("port")
        values["port"] = self._text(found, "port") if self._has_expression(node) else found.integer("port", 1, 65_535)
        return values | {"command": self._script(found, "command", found.get("command"))}

    def _one_of(self, found: Fields, key: str, hint: str) -> None:
        """Report a missing address, and one that is given in two ways."""
        given = [each for each in (key, "connection") if found.has(each)]
        if not given and isinstance(found.at.value, dict):
            hint += "; or connection: NAME, whose URL the worker has"
            self.report.add(found.at, Code.MISSING_KEY, f'{found.what} has neither "{key}" nor "connection"', hint)
        elif len(given) > 1:
            message = f'"{key}" and "connection" do not go together'
            self.report.add(
                found.key("connection"), Code.CONFLICT, message, "a connection is a URL that the worker has"
            )

    def _connection(self, found: Fields) -> str | None:
        name, node = found.text("connection"), found.get("connection")
        if name is None or node is None or re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", name):
            return name
        hint = "the worker has its URL as SEGUE_CONNECTION_NAME: a letter, then letters, digits or _"
        self.report.add(node, Code.BAD_NAME, f'"{shown(name)}" cannot be the name of a connection', hint)
        return None

    def _recipients(self, found: Fields) -> Any:
        node = found.get("to")
        if node is None or not isinstance(node.value, list):
            return self._address(found, "to", ":", "such as mailto:data@example.com or slack://...")
        if not node.items:
            self.report.add(node, Code.BAD_VALUE, '"to" is an empty list')
        return [self._address_of(found, "to", item, ":", "such as mailto:data@example.com") for item in node.items]

    def _address(self, found: Fields, key: str, mark: str, hint: str) -> Any:
        node = found.get(key)
        return None if node is None else self._address_of(found, key, node, mark, hint)

    def _address_of(self, found: Fields, key: str, node: Node, mark: str, hint: str) -> Any:
        text = found.text_of(key, node)
        if text is not None and OPENING not in text and mark not in text:
            self.report.add(node, Code.BAD_VALUE, f'"{key}" is "{shown(text)}", which is not a URL', hint)
        return None if text is None else read_template(node, self.names, self.uses, self.report)

    def _text(self, found: Fields, key: str) -> Any:
        if found.text(key) is None:
            return None
        return read_template(found.entries[key].value, self.names, self.uses, self.report)

    def _command(self, found: Fields) -> Any:
        node = found.get("command")
        if node is None or not isinstance(node.value, list):
            return self._script(found, "command", node)
        if not node.items:
            self.report.add(node, Code.BAD_VALUE, '"command" is an empty list', "leave it out for the image's own")
        for item in node.items:
            if isinstance(item.value, list | dict) or item.value is None:
                found.wrong("command", item, "text or a number")
        return [read_template(item, self.names, self.uses, self.report) for item in node.items]

    def _script(self, found: Fields, key: str, node: Node | None) -> str | None:
        text = None if node is None else found.text_of(key, node)
        if node is None or text is None:
            return None
        message = "an expression in a script is an open door for whoever chooses the value"
        hint = 'pass it through the environment: env: {VALUE: "${{ ... }}"}, and write "$VALUE" in the script'
        refuse_expressions(node, Code.IN_SCRIPT, message, hint, self.report)
        if len(text) > _MAX_SCRIPT:
            self.report.add(node, Code.LIMIT, "the script is longer than 256 KiB", "put it into a file")
        return text.strip("\n")

    def _statements(self, found: Fields) -> Any:
        node = found.get("sql")
        if node is None or not isinstance(node.value, list):
            return self._statement(found, node)
        if not node.items:
            self.report.add(node, Code.BAD_VALUE, '"sql" is an empty list')
        return [self._statement(found, item) for item in node.items]

    def _statement(self, found: Fields, node: Node | None) -> str | None:
        text = None if node is None else found.text_of("sql", node)
        if node is None or text is None:
            return None
        message = "an expression in a statement is an open door for whoever chooses the value"
        hint = 'bind it: write :value in the statement, and parameters: {value: "${{ ... }}"}'
        refuse_expressions(node, Code.IN_SCRIPT, message, hint, self.report)
        if len(text) > _MAX_SCRIPT:
            self.report.add(node, Code.LIMIT, "the statement is longer than 256 KiB", "load data from a file instead")
        return text.strip()

    def _parameters(self, found: Fields) -> dict[str, Any] | None:
        values = {}
        for name, node in found.named("parameters", "names to values").items():
            values[name] = read_template(node, self.names, self.uses, self.report)
        return values or None

    def _check_binds(self, found: Fields) -> None:
        """Report parameters that no statement has, and those of a statement that have no value."""
        entries = found.entries["parameters"].value.mapping if found.has("parameters") else {}
        bound = {}
        for name, node, offset in _binds(found):
            bound[name] = True
            if name not in entries:
                hint = did_you_mean(name, entries, f"there are {one_of(entries)}" if entries else "")
                hint = (
                    hint
                    or f"add parameters: {{{shown(name)}: ...}}; where no parameter is meant, write \\:{shown(name)}"
                )
                message = f'the statement has the parameter "{shown(name)}", which has no value'
                self.report.add(node.inside(offset), Code.MISSING_KEY, message, hint)
        for name, entry in entries.items():
            if name not in bound:
                hint = did_you_mean(name, bound, f"write :{shown(name)} where its value belongs")
                self.report.add(entry.key, Code.BAD_NAME, f'no statement has the parameter "{shown(name)}"', hint)

    def _has_expression(self, node: Node | None) -> bool:
        return node is not None and isinstance(node.value, str) and OPENING in node.value


def read_operator(operator: str, step: StepDefinition) -> None:
    """Make a step one of a named operator."""
    step.kind = operator  # type: ignore[assignment]  # the operators are among the kinds: a test says so
    step.fixed_output = OUTPUTS.get(operator)


def _binds(found: Fields) -> Iterator[tuple[str, Node, int]]:
    node = found.entries["sql"].value if found.has("sql") else None
    for item in node.items or [node] if node is not None else []:
        if isinstance(item.value, str) and OPENING not in item.value:
            for match in _BIND.finditer(item.value):
                yield match[1], item, match.start()


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


_EXAMPLES = {
    "sql": 'such as with: {url: "sqlite:////srv/runs.db", sql: "SELECT * FROM runs"}',
    "notify": 'such as with: {to: "mailto:data@example.com", text: "It is done"}',
    "ssh": "such as with: {host: gpu1.example.com, command: ./train.sh}",
}
