"""A step as Python writes it: an operator with its arguments, and the arrows that lead to it."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from translator.writing.python_expressions import Names
from translator.writing.python_kinds import KindWriter, levels, unsaid
from translator.writing.python_layout import Group, Layout, Part, lay_out
from translator.writing.python_values import Values, text_literal

KINDS = {
    "run": "BashOperator",
    "python": "PythonOperator",
    "http": "HttpOperator",
    "container": "ContainerOperator",
    "uses": "UsesOperator",
    "workflow": "WorkflowOperator",
    "wait": "WaitOperator",
    "approve": "ApprovalOperator",
}
NOOP = "noop"
OPERATORS = {"sql": "SQLOperator", "notify": "NotifyOperator", "ssh": "SSHOperator"}
"""What `uses` names; what stands under `with` are their arguments."""
OPTIONS = {
    "description": "description",
    "trigger_rule": "trigger_rule",
    "if": "condition",
    "run": "bash_command",
    "python": "python_callable",
    "with": "op_kwargs",
    "env": "env",
    "queue": "queue",
    "priority": "priority",
    "resources": "resources",
    "output": "output",
    "requirements": "requirements",
    "isolation": "isolation",
    "cache": "cache",
    "artifacts": "artifacts",
}
"""Keys of a step, and the arguments that say the same."""
_ORDER = (
    *(
        "uses",
        "run",
        "python",
        "http",
        "container",
        "workflow",
        "wait",
        "approve",
        "with",
        "env",
        "queue",
        "priority",
        "resources",
        "retry",
        "timeout",
        "trigger_rule",
        "if",
        "output",
        "cache",
        "artifacts",
    ),
    *("requirements", "isolation", "description"),
)
NOT_VARIABLES = frozenset(
    {
        *("priority", "resources"),
        *("queue", "retries", "retry_delay", "retry_exponential_backoff", "max_retry_delay", "retry"),
        *("execution_timeout", "timeout", "trigger_rule", "condition", "output", "description", "dag", "limit"),
        *("bash_command", "env", "python_callable", "op_kwargs", "task_id", "min_success", "max_active_tis_per_dagrun"),
        *(
            "url",
            "method",
            "headers",
            "params",
            "json",
            "expect",
            "submit",
            "poll",
            "callback",
            "cancel",
            "endpoint",
            "data",
            "body",
        ),
        *(
            "over",
            "self",
            "cls",
            "positional",
            "arguments",
            "uses",
            "inputs",
            "workflow",
            "version",
            "duration",
            "until",
        ),
        *("event", "by", "quorum", "on_timeout", "form", "image", "command", "entrypoint", "workdir", "pull"),
        *("connection", "sql", "parameters", "inline", "format", "to", "title", "text", "host", "port", "user"),
        *("key", "known_hosts", "cache", "artifacts", "requirements", "isolation"),
    }
)
"""Names that `.expand(name=...)` cannot have, because an operator's argument is called so."""
_WITH_VALUES = {"run": ("env",), "python": ("with", "env"), "uses": ("with", "env"), "workflow": ("with",)}
_WITH_VALUES |= {"container": ("env",), "ssh": ("env",)}
_WITH_NAMES = {"uses": "inputs", "workflow": "params"}


@dataclass(slots=True)
class Written:
    """A step in Python.

    Attributes:
        lines: The statement that makes it, comments included.
        more: Statements behind it, for what no argument says.
    """

    lines: list[str]
    more: list[str] = field(default_factory=list)


class StepWriter:
    """Writes one step.

    Args:
        name: Its id.
        variable: The variable that holds it.
        step: Its keys.
        pointer: Where it is in the definition.
        values: Writes its values.
    """

    def __init__(self, name: str, variable: str, step: dict[str, Any], pointer: str, values: Values) -> None:
        self.name = name
        self.variable = variable
        self.step = step
        self.pointer = pointer
        self.values = values
        self.comments = values.comments
        self.names = values.names
        self.left: dict[str, Any] = {}

    def write(self, indent: str) -> Written:
        """Return the statement, each of its lines with its indentation."""
        kind = next((each for each in KINDS if each in self.step), None)
        operator = KINDS.get(kind or "", "")
        if kind == "uses" and self.step["uses"] == NOOP:
            kind, operator = "noop", "EmptyOperator"
        elif kind == "uses" and self.step["uses"] in OPERATORS:
            kind, operator = self.step["uses"], OPERATORS[self.step["uses"]]
        self.names.used.add(operator)
        above, beside = self.comments.take(self.pointer)
        mapped = self.step.get("map")
        expanded = mapped is not None and self.can_expand(kind, mapped)
        # The first argument of this one is another.
        head = "task_id=" if kind == "uses" else ""
        parts = [] if self.variable == self.name else [Part(head, text_literal(self.name))]
        parts += [*self.arguments(kind)]
        head = f"{self.variable} = {operator}"
        call: Layout = Group("(", parts, ")", beside=beside)
        if expanded:
            call = self.expansion(parts, mapped, beside)
            head += ".partial"
        elif mapped is not None:
            self.left["map"] = mapped
        above += self.comments.take_under(self.pointer)
        body = head + lay_out(call, indent, len(indent) + len(head))
        # A comment beside a statement of one line stands behind it.
        if beside and isinstance(call, Group) and not any(part.above or part.beside for part in call.parts):
            call.beside = ""
            single = head + lay_out(call, indent, len(indent) + len(head), len(beside) + 2)
            body = f"{single}  {beside}" if "\n" not in single else body
        lines = [f"{indent}{line}".rstrip() for line in above]
        return Written([*lines, indent + body], [*self.rest(indent)])

    def arguments(self, kind: str | None) -> Iterator[Part]:
        """Yield the arguments in their order."""
        for key in _ORDER:
            if key not in self.step:
                continue
            value, at = self.step[key], f"{self.pointer}/{key}"
            if key == "http" and isinstance(value, dict):
                yield from self.http(value, at)
            elif key == "container" or (key == "with" and kind in OPERATORS):
                yield from self.mapping(value if isinstance(value, dict) else {"image": value}, at)
            elif key in ("workflow", "wait", "approve"):
                yield from self.without_worker(key, value, at)
            elif key == "uses" and kind == "uses":
                yield self.part("uses", self.values.value(value, at), at)
            elif key == "timeout" and kind == "approve":
                self.left[key] = value  # there, the argument is how long people have
            elif key in ("retry", "timeout"):
                yield from options(self.values, {key: value}, self.pointer)
            elif key in ("with", "env") and key not in _WITH_VALUES.get(kind or "", ()):
                self.left[key] = value
            elif key == "if":
                condition = self.values.condition(value)
                if condition is not None:
                    yield self.part("condition", condition, at)
            elif key in OPTIONS:
                name = _WITH_NAMES.get(kind or "", OPTIONS[key]) if key == "with" else OPTIONS[key]
                yield self.part(name, self.values.value(value, at), at)

    def without_worker(self, key: str, value: Any, at: str) -> Iterator[Part]:
        """Yield the arguments of a kind that no worker runs."""
        kind = KindWriter(self.values)
        if key == "workflow":
            yield from kind.workflow(value, at)
        elif key == "wait":
            yield from kind.wait(value, at, conditional="if" in self.step)
        else:
            self.left |= {f"approve/form/{name}": schema for name, schema in unsaid(value.get("form")).items()}
            yield from kind.approve(value, at)

    def mapping(self, given: dict[str, Any], at: str) -> Iterator[Part]:
        """Yield an argument for each key."""
        for name, value in given.items():
            yield self.part(name, self.values.value(value, f"{at}/{name}"), f"{at}/{name}")

    def http(self, http: dict[str, Any], at: str) -> Iterator[Part]:
        """Yield the arguments of `HttpOperator`."""
        for key, value in http.items():
            inner = f"{at}/{key}"
            if value is None:
                self.left[f"http/{key}"] = value  # as an argument, None is what was not given
            elif key == "poll" and isinstance(value, dict):
                yield self.part(key, self.poll(value, inner), inner)
            else:
                yield self.part(key, self.values.value(value, inner), inner)

    def poll(self, poll: dict[str, Any], at: str) -> Layout:
        """Return the dict of `poll`, whose conditions may be written without braces."""
        parts = []
        for key, value in poll.items():
            part = self.values.pair(key, value, at)
            if key in ("until", "fail_if") and isinstance(value, str):
                written = self.values.condition(value) or ""
                part.value = part.value if written.startswith('"') else written
            parts.append(part)
        return Group("{", parts, "}")

    def part(self, name: str, value: Layout, at: str) -> Part:
        """Return an argument with the comments of its key."""
        above, beside = self.comments.take(at)
        return Part(f"{name}=", value, [line for line in above if line], beside)

    def can_expand(self, kind: str | None, mapped: Any) -> bool:
        """Tell whether `.partial().expand()` says exactly this map."""
        names = [level.get("as", "item") for level in levels(mapped)]
        if len({*names}) < len(names):
            return False
        for name in names:
            if not name.isidentifier() or keyword.iskeyword(name) or name in NOT_VARIABLES or name.startswith("__"):
                return False
        # A Python step gets the items as arguments of those names.
        return kind != "python" or {*names} <= {*(self.step.get("with") or {})}

    def expansion(self, parts: list[Part], mapped: Any, beside: str) -> Layout:
        """Return the call of `partial` with the call of `expand` behind it."""
        at = f"{self.pointer}/map"
        places = [(each, f"{at}/{n}" if isinstance(mapped, list) else at) for n, each in enumerate(levels(mapped))]
        innermost = places[-1][0].get("as", "item")
        if "python" in self.step:
            parts = [*self.without_item(parts, innermost)]
        tail: Layout = ""
        for number, (level, place) in reversed([*enumerate(places)]):
            outer = places[number - 1][0].get("as", "item") if number else None
            values = Values(self.comments, Names(self.names.steps, outer, None, self.names.used))
            over = self.part(level.get("as", "item"), values.value(level.get("over"), f"{place}/over"), f"{place}/over")
            tail = Group(".expand(", [over], ")", tail)
        outermost, place = places[0]
        for key in ("limit", "min_success"):
            if key in outermost:
                parts.append(self.part(key, self.values.value(outermost[key], f"{place}/{key}"), f"{place}/{key}"))
        return Group("(", parts, ")", tail, beside)

    def without_item(self, parts: list[Part], name: str) -> Iterator[Part]:
        """Leave out the argument that `expand` gives by itself, where it stands last and so loses nothing."""
        for part in parts:
            group = part.value
            if part.head == "op_kwargs=" and isinstance(group, Group) and group.parts:
                last = group.parts[-1]
                if last.head == f'"{name}": ' and last.value == "item" and not last.above and not last.beside:
                    group.parts.pop()
                    if not group.parts:
                        continue
            yield part

    def rest(self, indent: str) -> Iterator[str]:
        """Yield statements for the keys that the operator has no argument for."""
        for path, value in self.left.items():
            keys = "".join(f"[{text_literal(each)}]" for each in path.split("/"))
            head = f"{self.variable}.keys{keys} = "
            yield f"{indent}{head}{lay_out(plain(value), indent, len(indent) + len(head))}"


def plain(value: Any) -> Layout:
    """Return a value as literals alone, its expressions as text."""
    if isinstance(value, dict):
        return Group("{", [Part(f"{text_literal(name)}: ", plain(inner)) for name, inner in value.items()], "}")
    if isinstance(value, list):
        return Group("[", [Part("", plain(inner)) for inner in value], "]")
    return text_literal(value) if isinstance(value, str) else repr(value)


def options(values: Values, keys: dict[str, Any], pointer: str) -> Iterator[Part]:
    """Yield the arguments for `retry` and `timeout`, under Airflow's names where those say it."""
    retry, timeout = keys.get("retry"), keys.get("timeout")
    names = {"attempts": "retries", "delay": "retry_delay", "max_delay": "max_retry_delay"}
    if isinstance(retry, dict) and retry and set(retry) <= set(names):
        for key, value in retry.items():
            above, beside = values.comments.take(f"{pointer}/retry/{key}")
            written = str(value - 1) if key == "attempts" else values.value(value, f"{pointer}/retry/{key}")
            yield Part(f"{names[key]}=", written, [line for line in above if line], beside)
    elif retry is not None:
        yield _option(values, "retry", retry, pointer)
    if timeout is not None:
        name = "execution_timeout" if isinstance(timeout, str) else "timeout"
        yield _option(values, name, timeout, f"{pointer}", "timeout")


def _option(values: Values, name: str, value: Any, pointer: str, key: str = "") -> Part:
    at = f"{pointer}/{key or name}"
    above, beside = values.comments.take(at)
    return Part(f"{name}=", values.value(value, at), [line for line in above if line], beside)
