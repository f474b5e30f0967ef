"""Expressions as Python writes them: `params.grid`, `(train.output.n > 1) & (params.x == 2)`.

Only what Python's operators build again exactly is written with them; anything else keeps its text. Which that is is
fixed by `segue.expression`: what Python would compute itself, reflect or refuse has no such spelling.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from workflows.expressions import ExpressionError, parse
from workflows.expressions.tree import (
    Binary,
    Call,
    Has,
    Index,
    ListOf,
    Literal,
    Member,
    Method,
    Name,
    Node,
    Unary,
)

ROOTS = ("params", "vars", "secrets", "run", "workflow", "event", "response", "submit", "callback")
_OPERATORS = {
    "&&": "&",
    "||": "|",
    **{each: each for each in ("==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%")},
}
_RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
# How tightly Python's operators bind, loosest first: there, & and | bind more tightly than comparisons.
_RELATION, _OR, _AND, _SUM, _PRODUCT, _UNARY, _PRIMARY = range(7)
_LEVELS = {"|": _OR, "&": _AND, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "%": _PRODUCT}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TAKEN = frozenset({"in_", "true", "false", "null", "in"})
"""Attributes that an expression object has itself, and names that the language reserves."""


class NoSpelling(Exception):
    """Python's operators cannot say it."""


@dataclass(slots=True)
class Names:
    """What the names of an expression are called in Python.

    Attributes:
        steps: Id to the variable of each step that has been made already.
        item: The variable of the map whose item `item` is.
        output: For the condition of an edge: the variable of the step it starts from, and its id.
        used: Gets the names that must be imported.
    """

    steps: Mapping[str, str]
    item: str | None = None
    output: tuple[str, str] | None = None
    used: set[str] = field(default_factory=set)


def python_expression(text: str, names: Names) -> str | None:
    """Return an expression in Python, or None when only its text can say it."""
    try:
        tree = parse(text).tree
        used: set[str] = set()
        written = _Writer(Names(names.steps, names.item, names.output, used)).top(tree)
    except (ExpressionError, NoSpelling):
        return None
    names.used |= used
    return written


class _Writer:
    def __init__(self, names: Names) -> None:
        self.names = names

    def top(self, node: Node) -> str:
        if isinstance(node, Literal | ListOf):
            raise NoSpelling  # Python would take it for a plain value
        return self.text(node)[0]

    def text(self, node: Node) -> tuple[str, int]:
        """Return Python text, and how tightly it binds."""
        match node:
            case Name():
                return self.root(node), _PRIMARY
            case Member(Member(Name("steps"), step, False) | Index(Name("steps"), Literal(str() as step)), name, False):
                return self.step(node, step, name), _PRIMARY
            case Member(inner, name, False):
                return f"{self.base(inner)}{self.field(name)}", _PRIMARY
            case Index(inner, Literal(str() as key)):
                if _NAME.match(key) and key not in _TAKEN - {"in_"}:
                    raise NoSpelling  # Python writes it with a dot
                return f"{self.base(inner)}[{self.literal(key)}]", _PRIMARY
            case Index(inner, key):
                return f"{self.base(inner)}[{self.text(key)[0]}]", _PRIMARY
            case Literal(value):
                return self.literal(value), _UNARY if str(value).startswith("-") else _PRIMARY
            case ListOf(items):
                return f"[{', '.join(self.text(item)[0] for item in items)}]", _PRIMARY
            case Has(path):
                self.names.used.add("has")
                return f"has({self.text(path)[0]})", _PRIMARY
            case Call("size", (argument,)):
                if isinstance(argument, Literal | ListOf):
                    raise NoSpelling
                self.names.used.add("size")
                return f"size({self.text(argument)[0]})", _PRIMARY
            case Method(inner, name, arguments):
                return f"{self.base(inner)}.{name}({', '.join(self.text(each)[0] for each in arguments)})", _PRIMARY
            case Unary(operator, operand) if not isinstance(operand, Literal | ListOf):
                sign = "~" if operator == "!" else operator
                return f"{sign}{self.part(operand, _UNARY)}", _UNARY
            case Binary("in", left, right) if not isinstance(left, Literal | ListOf):
                return f"{self.base(left)}.in_({self.text(right)[0]})", _PRIMARY
            case Binary(operator, left, right) if operator in _OPERATORS:
                return self.binary(_OPERATORS[operator], left, right)
        raise NoSpelling

    def binary(self, operator: str, left: Node, right: Node) -> tuple[str, int]:
        plain = isinstance(left, Literal | ListOf)
        # Python turns `1 < x` round, formats text with `%`, and computes with two plain values itself.
        if plain and (operator in _RELATIONS or isinstance(right, Literal | ListOf) or operator == "%"):
            raise NoSpelling
        if plain and not (isinstance(left, Literal) and type(left.value) in (int, float, str)):
            raise NoSpelling
        level = _RELATION if operator in _RELATIONS else _LEVELS[operator]
        # A comparison beside a comparison would be a chain, and beside `&` must stand in parentheses.
        needed = _OR if operator in _RELATIONS else level
        return f"{self.part(left, needed)} {operator} {self.part(right, level + 1)}", level

    def part(self, node: Node, level: int) -> str:
        text, binds = self.text(node)
        return text if binds >= level else f"({text})"

    def base(self, node: Node) -> str:
        """Return what a field, index or method is of: an expression, never a plain value."""
        if isinstance(node, Literal | ListOf):
            raise NoSpelling
        return self.part(node, _PRIMARY)

    def root(self, node: Name) -> str:
        name = node.name
        if name == "output" and self.names.output is not None:
            return f"{self.names.output[0]}.output"
        if name == self.names.item:
            self.names.used.add("item")
            return "item"
        if name in ROOTS:
            self.names.used.add(name)
            return name
        raise NoSpelling

    def step(self, node: Member, step: str, name: str) -> str:
        named = isinstance(node.object, Member)
        as_name = bool(_NAME.match(step)) and step not in _TAKEN - {"in_"}
        if step not in self.names.steps or name not in ("output", "status") or named != as_name:
            raise NoSpelling
        if self.names.output is not None and self.names.output[1] == step and name == "output":
            raise NoSpelling  # on its own edge it would become `output`
        return f"{self.names.steps[step]}.{name}"

    def field(self, name: str) -> str:
        if keyword.iskeyword(name) or name in _TAKEN or name.startswith("_"):
            if name in _TAKEN - {"in_"}:
                raise NoSpelling
            return f'["{name}"]'
        return f".{name}"

    def literal(self, value: bool | int | float | str | None) -> str:
        if not isinstance(value, str):
            return repr(value)
        if not value.isprintable() or "\\" in value or '"' in value:
            raise NoSpelling
        return f'"{value}"'
