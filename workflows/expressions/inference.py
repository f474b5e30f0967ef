"""The type of an expression, and what in it cannot be right whatever the values turn out to be.

Only certainties are problems: an operand is refused when none of the kinds it may be of is taken. What is unknown
stays unknown, and after a problem nothing more is said of the same part. Bounded work; nothing is ever raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal as OneOf

from workflows.expressions.errors import Fault
from workflows.expressions.expression import Expression
from workflows.expressions.functions import FUNCTIONS
from workflows.expressions.patterns import compile_pattern
from workflows.expressions.signatures import ARITHMETIC, FUNCTION_TYPES, METHOD_TYPES, ORDERED
from workflows.expressions.tree import (
    Binary,
    Call,
    Conditional,
    Has,
    Index,
    ListOf,
    Literal,
    Macro,
    MapOf,
    Member,
    Method,
    Name,
    Node,
    Unary,
)
from workflows.expressions.types import (
    ANY,
    BOOL,
    NULL,
    NUMBERS,
    STRING,
    Type,
    described,
    list_of,
    map_of,
    simple,
    text,
    union,
)
from workflows.expressions.unparse import unparse
from workflows.expressions.values import Budget

MAX_WORK = 20_000
"""Steps of one look at one expression."""
MAX_PROBLEMS = 20

_KIND_OF = {type(None): "null", bool: "bool", int: "int", float: "double"}


@dataclass(frozen=True, slots=True)
class TypeProblem:
    """Something that cannot be right.

    Attributes:
        kind: `operand`: an operator or function does not take it. `never`: a comparison with one answer only.
            `field`: a key that is not there.
        offset: Where, as an index into the expression's source.
        hint: The way out, where one is known.
        name: For a wrong name: the name, and in `choices` what it could be.
    """

    kind: OneOf["operand", "never", "field"]
    message: str
    offset: int
    hint: str = ""
    name: str = ""
    choices: tuple[str, ...] = ()


def infer(expression: Expression, scope: Mapping[str, Type]) -> tuple[Type, list[TypeProblem]]:
    """Return the type of an expression's value, and what cannot be right in it.

    Args:
        expression: What to look at.
        scope: Root name to type; a root that is not there may be anything.
    """
    inference = Inference(scope)
    found = inference.of(expression.tree)
    return found, inference.problems[:MAX_PROBLEMS]


class Inference:
    """One look at one expression.

    Args:
        scope: Root name to type.
        work: Steps it may take; what they do not suffice for stays unknown.
    """

    def __init__(self, scope: Mapping[str, Type], work: int = MAX_WORK) -> None:
        self.scope = dict(scope)
        self.problems: list[TypeProblem] = []
        self.work = work

    def spend(self) -> bool:
        """Take one step; tell whether there was one left."""
        self.work -= 1
        return self.work > 0

    def of(self, node: Node) -> Type:
        """Return the type of a part."""
        if not self.spend():
            return ANY
        match node:
            case Literal(str() as value):
                return text(value)
            case Literal(value):
                return simple(_KIND_OF[type(value)])
            case Name(name):
                return self.scope.get(name, ANY)
            case ListOf(items):
                return list_of(union([self.of(item) for item in items], self.spend) if items else None)
            case MapOf():
                return self._map(node)
            case Member():
                return self._member(node, self.of(node.object))
            case Index():
                return self._index(node)
            case Has(path):
                self.of(path)
                return BOOL
            case Unary():
                return self._unary(node)
            case Binary():
                return self._binary(node)
            case Conditional(test, then, otherwise):
                self._wants_bool(self.of(test), test, '"?"', node.at)
                return union([self.of(then), self.of(otherwise)], self.spend)
            case Call():
                return self._call(node)
            case Method():
                return self._method(node)
            case Macro():
                return self._macro(node)

    def _report(
        self,
        kind: OneOf["operand", "never", "field"],
        at: int,
        message: str,
        hint: str = "",
        name: str = "",
        choices: tuple[str, ...] = (),
    ) -> Type:
        """Add a problem; what has one may be anything, so that it is not reported again further out."""
        self.problems.append(TypeProblem(kind, message, at, hint, name, choices))
        return ANY

    def _map(self, node: MapOf) -> Type:
        fields, closed = {}, True
        for key_node, value_node in node.entries:
            key, value = self.of(key_node), self.of(value_node)
            if not key.may_be("string"):
                self._report("operand", key_node.at, f"a map's keys are strings, not {described(key)}")
                closed = False
            elif isinstance(key_node, Literal) and isinstance(key_node.value, str):
                fields[key_node.value] = value
            else:
                closed = False
        return map_of(fields, closed=closed)

    def _member(self, node: Member, of: Type) -> Type:
        behind = node.at + (2 if node.optional else 1)
        found = self._key(node.name, of, node.object, behind)
        return found.or_null() if node.optional else found

    def _key(self, name: str, of: Type, node: Node, at: int) -> Type:
        if of.may_be("file"):
            return ANY
        if not of.may_be("map"):
            if of.kinds == {"null"}:
                return NULL
            hint = ""
            if of.may_be("list"):
                hint = f"an item of it has an index, such as [0].{name}; all of them: .map(x, x.{name})"
            return self._report("operand", at, f'{_shown(node)} is {described(of)}: it has no key "{name[:60]}"', hint)
        part = of.part(name)
        if part is None:
            message = f'{_shown(node)} has no key "{name[:60]}"'
            return self._report("field", at, message, name=name, choices=tuple(of.fields))
        return part

    def _index(self, node: Index) -> Type:
        of, key = self.of(node.object), self.of(node.key)
        if not of.may_be("list", "map", "null", "file"):
            hint = ".split('') makes a list of a string" if of.may_be("string") else ""
            return self._report("operand", node.at, f"{_shown(node.object)} is {described(of)}: it has no items", hint)
        of_list, of_map = of.may_be("list"), of.may_be("map", "file", "null")
        if not ((of_list and key.may_be(*NUMBERS)) or (of_map and key.may_be("string"))):
            if of_list:
                message = f"a list's index is an int, not {described(key)}"
            else:
                message = f"a map's keys are strings, not {described(key)}"
            return self._report("operand", node.key.at, message)
        if isinstance(node.key, Literal) and isinstance(node.key.value, str):
            return self._key(node.key.value, of, node.object, node.key.at)
        if of_list and not (of_map and key.may_be("string")):
            return of.item or ANY
        return ANY

    def _unary(self, node: Unary) -> Type:
        of = self.of(node.operand)
        if node.operator == "!":
            self._wants_bool(of, node.operand, '"!"', node.at)
            return BOOL
        kinds = of.kinds & {*NUMBERS, "duration"}
        if not kinds:
            return self._report("operand", node.at, f'"-" takes a number, not {described(of)}')
        return simple(*kinds)

    def _wants_bool(self, of: Type, node: Node, what: str, at: int) -> None:
        if not of.may_be("bool"):
            self._report(
                "operand", at, f"{what} takes a bool, and {_shown(node)} is {described(of)}", _bool_hint(of, node)
            )

    def _binary(self, node: Binary) -> Type:
        left, right = self.of(node.left), self.of(node.right)
        match node.operator:
            case "&&" | "||":
                for of, side in ((left, node.left), (right, node.right)):
                    self._wants_bool(of, side, f'"{node.operator}"', node.at)
                return BOOL
            case "==" | "!=":
                self._equality(node, left, right)
                return BOOL
            case "in":
                self._membership(node, left, right)
                return BOOL
            case "<" | "<=" | ">" | ">=":
                if not any((a, b) in ORDERED for a in left.kinds for b in right.kinds):
                    message = f'"{node.operator}" does not compare {described(left)} with {described(right)}'
                    self._report("operand", node.at, message, _conversion_hint(left, right))
                return BOOL
        return self._arithmetic(node, left, right)

    def _arithmetic(self, node: Binary, left: Type, right: Type) -> Type:
        rows = ARITHMETIC[node.operator]
        given = {rows[a, b] for a in left.kinds for b in right.kinds if (a, b) in rows}
        if not given:
            hint = ""
            if node.operator == "+" and left.may_be("string") != right.may_be("string"):
                hint = "string() makes a string of a value"
            elif left.may_be("string") or right.may_be("string"):
                hint = "int() or double() makes a number of a string"
            message = f'"{node.operator}" does not take {described(left)} and {described(right)}'
            return self._report("operand", node.at, message, hint)
        if given == {"list"}:
            known = left.item is not None and right.item is not None
            return list_of(union([left.item or ANY, right.item or ANY], self.spend) if known else None)
        return simple(*given)

    def _equality(self, node: Binary, left: Type, right: Type) -> None:
        answer = "false" if node.operator == "==" else "true"
        if not _comparable(left, right):
            message = f"{described(left)} and {described(right)} are never equal, so this is always {answer}"
            self._report("never", node.at, message, _conversion_hint(left, right))
            return
        for of, other, other_node in ((left, right, node.right), (right, left, node.left)):
            self._one_of(of, other, node.left if of is left else node.right, other_node, f"always {answer}")

    def _one_of(self, of: Type, other: Type, of_node: Node, other_node: Node, outcome: str) -> None:
        """Report a text that is compared with something that is never it."""
        if isinstance(other_node, Literal) and isinstance(other_node.value, str) and not isinstance(of_node, Literal):
            value = other_node.value
            if of.texts is not None and value not in of.texts and not (of.kinds & other.kinds) - {"string"}:
                message = f'{_shown(of_node)} is never "{value[:60]}", so this is {outcome}'
                self._report("never", other_node.at, message, name=value, choices=of.texts)

    def _membership(self, node: Binary, left: Type, right: Type) -> None:
        if not right.may_be("list", "map", "file"):
            hint = "for a part of a string there is contains()" if right.may_be("string") else ""
            message = f'"in" looks into a list or a map, not into {described(right)}'
            self._report("operand", node.at, message, hint)
        elif right.kinds - {"null"} == {"list"}:
            if right.item is not None and not _comparable(left, right.item):
                message = f"{described(left)} is never in a list in which each item is {described(right.item)}"
                self._report("never", node.at, message, _conversion_hint(left, right.item))
            elif isinstance(node.right, ListOf):
                for item in node.right.items:
                    self._one_of(left, STRING, node.left, item, "in vain")
            elif right.item is not None:
                self._one_of(right.item, left, node.right, node.left, "always false")
        elif right.kinds - {"null"} == {"map"} and not left.may_be("string"):
            self._report("never", node.at, f"a map's keys are strings: {described(left)} is never among them")

    def _call(self, node: Call) -> Type:
        kinds, gives = FUNCTION_TYPES[node.function]
        argument = node.arguments[0]
        of = self.of(argument)
        if not of.may_be(*kinds):
            takes = described(simple(*(kind for kind in kinds if kind != "file")))
            return self._report("operand", node.at, f"{node.function}() takes {takes}, not {described(of)}")
        if isinstance(argument, Literal):
            try:
                FUNCTIONS[node.function].apply(Budget(), argument.value)
            except Fault as fault:
                return self._report("operand", argument.at, fault.message)
        return gives

    def _method(self, node: Method) -> Type:
        kinds, gives = METHOD_TYPES[node.name]
        for part, kind in zip((node.object, *node.arguments), kinds, strict=False):
            of = self.of(part)
            if not of.may_be(kind):
                takes = "works on" if part is node.object else "takes"
                message = f"{node.name}() {takes} {described(simple(kind))}, and {_shown(part)} is {described(of)}"
                return self._report("operand", node.at, message, _method_hint(node, of))
            if kind == "list" and of.kinds == {"list"} and of.item is not None and not of.item.may_be("string"):
                message = f"join() works on a list of strings, and the items are {described(of.item)}"
                return self._report("operand", node.at, message, "string() makes a string: .map(x, string(x))")
        if node.name == "matches" and isinstance(node.arguments[0], Literal):
            try:
                compile_pattern(str(node.arguments[0].value))
            except Fault as fault:
                return self._report("operand", node.arguments[0].at, fault.message)
        return gives

    def _macro(self, node: Macro) -> Type:
        of = self.of(node.object)
        if not of.may_be("list"):
            message = f"{node.name}() works on a list, and {_shown(node.object)} is {described(of)}"
            return self._report("operand", node.at, message)
        outer = dict(self.scope)
        self.scope[node.variable] = of.item or ANY
        body = self.of(node.body)
        self.scope = outer
        if node.name == "map":
            return list_of(body)
        self._wants_bool(body, node.body, f"{node.name}()", node.at)
        return BOOL if node.name in ("all", "exists") else list_of(of.item)


def _comparable(left: Type, right: Type) -> bool:
    """Tell whether two values may be equal; null may always be asked for."""
    if left.may_be("null") or right.may_be("null"):
        return True
    kinds = {"double" if kind == "int" else kind for kind in left.kinds}
    return not kinds.isdisjoint("double" if kind == "int" else kind for kind in right.kinds)


def _conversion_hint(left: Type, right: Type) -> str:
    for one, other in ((left, right), (right, left)):
        if one.may_be("string") and not other.may_be("string"):
            if other.may_be(*NUMBERS):
                return "int() or double() makes a number of a string, string() a string of a number"
            if other.may_be("bool"):
                return "bool() makes a bool of a string; true and false stand without quotes"
            if other.may_be("timestamp"):
                return "timestamp() makes a timestamp of a string"
            if other.may_be("duration"):
                return "duration() makes a duration of a string"
    return ""


def _bool_hint(of: Type, node: Node) -> str:
    if of.may_be("string"):
        return f"compare it, such as {_shown(node)} != ''" if not isinstance(node, Literal) else "compare it"
    if of.may_be("list", "map"):
        return f"such as size({_shown(node)}) > 0"
    return f"compare it, such as {_shown(node)} > 0" if of.may_be(*NUMBERS) else ""


def _method_hint(node: Method, of: Type) -> str:
    if node.name == "contains" and of.may_be("list"):
        return f"whether a list has an item: {unparse(node.arguments[0])[:40]} in {_shown(node.object)}"
    return "string() makes a string of a value" if of.may_be(*NUMBERS, "bool", "timestamp", "duration") else ""


def _shown(node: Node) -> str:
    shown = unparse(node)
    return shown if len(shown) <= 60 else shown[:57] + "..."
