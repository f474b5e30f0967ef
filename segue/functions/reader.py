"""Python's expressions to values: what an expression of the body gives, and which steps it calls on the way."""

from __future__ import annotations

import ast
import dataclasses
import enum
from typing import Any

from segue.codes import Code
from segue.expression import secrets
from segue.functions import meaning
from segue.functions.flow import Flow, Unusable
from segue.functions.kinds import ANY, BOOL, INT, STR, Kind
from segue.functions.meaning import Refused
from segue.functions.names import MISSING, constant
from segue.functions.problems import unsupported
from segue.functions.values import (
    SUM,
    Value,
    binary,
    both,
    call,
    chosen,
    either,
    indexed,
    listed,
    literal,
    mapping,
    member,
    not_,
    spliced,
)
from segue.values import closest

MAX_TEXT = 8_000
"""Characters of an expression; the language allows a few more."""

_ORDERS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%", ast.FloorDiv: "//"}
_OTHER = {ast.Pow: "**", ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^"}
_OTHER |= {ast.LShift: "<<", ast.RShift: ">>"}


class Reader:
    """Reads the expressions of one workflow's body.

    Args:
        flow: Where the compiler is.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def value(self, node: ast.expr) -> Value:
        """Return what an expression gives; what is wrong with it is noted as a problem."""
        try:
            found = self._read(node)
        except Refused as problem:
            self.flow.problems.add(node, problem)
            return Value("null")  # of any kind, so that one problem does not make others
        if len(found.text) > MAX_TEXT:
            message = "the expression for this value has become too long"
            self.flow.problems.add(node, Refused(message, "compute the value in a @step", Code.TOO_LONG))
            return Value("null")
        return found

    def test(self, node: ast.expr) -> Value:
        """Return whether Python takes what an expression gives for true."""
        if isinstance(node, ast.BoolOp):
            return self._tests(node.values, isinstance(node.op, ast.And))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return not_(self.test(node.operand))
        value = self.value(node)
        try:
            return meaning.truth(value)
        except Refused as problem:
            self.flow.problems.add(node, problem)
            return Value("false", kind=BOOL)

    def _tests(self, nodes: list[ast.expr], conjunction: bool) -> Value:
        first = self.test(nodes[0])
        if len(nodes) == 1 or (first.known and first.constant is not conjunction):
            return first
        with self.flow.under(*self._going_on(first, conjunction)):
            rest = self._tests(nodes[1:], conjunction)
        return both(first, rest) if conjunction else either(first, rest)

    def _going_on(self, test: Value, conjunction: bool) -> list[Value]:
        """Return the condition under which Python looks at the next operand, if there is any."""
        return [] if test.known else [test if conjunction else not_(test)]

    def _read(self, node: ast.expr) -> Value:
        reader = getattr(self, f"_{type(node).__name__.lower()}", None)
        if reader is None:
            raise unsupported(node)
        found: Value = reader(node)
        return found

    def _constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, bytes | complex) or node.value is Ellipsis:
            raise Refused(f"{type(node.value).__name__} is no JSON")
        return literal(constant(node.value, "the number"))

    def _name(self, node: ast.Name) -> Value:
        held = self.flow.variables.get(node.id)
        if isinstance(held, Unusable):
            raise Refused(f"{node.id} {held.why}", held.hint, Code.NAME)
        if held is not None:
            self.flow.fresh.discard(node.id)
            return held
        return self._static(node, node.id)

    def _static(self, node: ast.expr, name: str) -> Value:
        found = self.flow.names.static(node, self.flow.variables)
        if found is secrets:
            return Value("secrets", kind=Kind("dict", item=str))
        if found is MISSING:
            raise self.flow.names.unknown(name.partition(".")[0], self.flow.variables)
        if hasattr(found, "__segue_step__"):
            raise Refused(f"{name} is a step and is not called here", f"write {name}(...)", Code.NOT_A_STEP)
        value = literal(constant(found, name))
        kind = Kind("enum", True, Any, type(found)) if isinstance(found, enum.Enum) else value.kind
        if dataclasses.is_dataclass(found):
            kind = Kind("object", True, Any, type(found))
        return dataclasses.replace(value, kind=kind)

    def _attribute(self, node: ast.Attribute) -> Value:
        if self.flow.names.static(node, self.flow.variables) is not MISSING:
            return self._static(node, ast.unparse(node))
        if self.flow.names.static(node.value, self.flow.variables) is secrets:
            return member(Value("secrets"), node.attr, STR)
        value = self.value(node.value)
        match value.kind.name:
            case "any":
                return member(value, node.attr)
            case "object":
                kind = value.kind.field(node.attr)
                if kind is not None:
                    return member(value, node.attr, kind, sure=True)
                near = closest(node.attr, [each.name for each in dataclasses.fields(value.kind.cls)])
                raise Refused(f"{value.kind.cls.__name__} has no field {node.attr}", near, Code.NAME)
            case "enum" if node.attr == "value":
                return dataclasses.replace(value, kind=ANY)
            case "dict":
                raise Refused(f"a dict has no attribute {node.attr}", f'write ["{node.attr}"]')
        raise Refused(f"in expressions {meaning.called(value.kind)} has no attribute {node.attr}")

    def _subscript(self, node: ast.Subscript) -> Value:
        value = self.value(node.value)
        if isinstance(node.slice, ast.Slice):
            raise unsupported(node.slice)
        key = self.value(node.slice)
        if value.known and key.known and isinstance(value.constant, list | dict):
            return meaning.item_of(value, key)
        if value.kind.name not in ("any", "list", "dict"):
            way = f"write .{key.constant}" if value.kind.name == "object" and key.known else meaning.MOVE
            raise Refused(f"in expressions {meaning.called(value.kind)} has no items", way)
        inside = value.kind.inside()
        if isinstance(key.constant, str):
            if value.kind.cls is not None and value.kind.field(key.constant) is None:
                raise Refused(f"{value.kind.cls.__name__} has no key {key.constant!r}", code=Code.NAME)
            kind = value.kind.field(key.constant) if value.kind.cls is not None else inside
            return member(value, key.constant, kind or ANY)
        if key.known and type(key.constant) is not int:
            raise Refused(f"{key.constant!r} is no index", "a list has an int, a dict has text")
        if key.known and key.constant < 0:
            key = binary("-", call("size", value, kind=INT), literal(-key.constant), SUM, INT)
        return indexed(value, key, inside)

    def _boolop(self, node: ast.BoolOp) -> Value:
        return self._operands(node.values, isinstance(node.op, ast.And))

    def _operands(self, nodes: list[ast.expr], conjunction: bool) -> Value:
        """Return the operand that Python gives: the first that decides, or the last."""
        first = self.value(nodes[0])
        if len(nodes) == 1:
            return first
        test = meaning.truth(first)
        if test.known and test.constant is not conjunction:
            return first
        with self.flow.under(*self._going_on(test, conjunction)):
            rest = self._operands(nodes[1:], conjunction)
        if first.kind.name == rest.kind.name == "bool":
            return both(first, rest) if conjunction else either(first, rest)
        return chosen(test, rest, first) if conjunction else chosen(test, first, rest)

    def _unaryop(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return self.test(node)
        if isinstance(node.op, ast.USub):
            return meaning.negative(self.value(node.operand))
        raise Refused(f"unary {'+' if isinstance(node.op, ast.UAdd) else '~'} has no counterpart in expressions")

    def _binop(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        return meaning.computed(_ARITHMETIC.get(type(node.op)) or _OTHER[type(node.op)], left, right)

    def _compare(self, node: ast.Compare) -> Value:
        found: list[Value] = []
        left = self.value(node.left)
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            with self.flow.under(*(each for each in found if not each.known)):
                right = self.value(right_node)
            found.append(self._comparison(node, operator, left, right))
            left = right
        return meaning.chain(found)

    def _comparison(self, node: ast.Compare, operator: ast.cmpop, left: Value, right: Value) -> Value:
        match operator:
            case ast.Eq() | ast.NotEq():
                if any(isinstance(each, ast.Tuple) for each in (node.left, *node.comparators)):
                    raise Refused("a tuple is a list once it has travelled, and in Python equals none", "use a list")
                found = meaning.same(left, right)
                return found if isinstance(operator, ast.Eq) else not_(found)
            case ast.Is() | ast.IsNot():
                found = meaning.is_same(left, right)
                return found if isinstance(operator, ast.Is) else not_(found)
            case ast.In() | ast.NotIn():
                found = meaning.contained(left, right)
                return found if isinstance(operator, ast.In) else not_(found)
        return meaning.compared(_ORDERS[type(operator)], left, right)

    def _ifexp(self, node: ast.IfExp) -> Value:
        test = self.test(node.test)
        if test.known:
            return self.value(node.body if test.constant else node.orelse)
        with self.flow.under(test):
            then = self.value(node.body)
        with self.flow.under(not_(test)):
            otherwise = self.value(node.orelse)
        return chosen(test, then, otherwise)

    def _joinedstr(self, node: ast.JoinedStr) -> Value:
        parts: list[str | Value] = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            elif isinstance(part, ast.FormattedValue):
                if part.format_spec is not None or part.conversion not in (-1, ord("s")):
                    raise Refused("expressions have no formats", "build the text in a @step")
                text = meaning.as_text(self.value(part.value))
                parts.append(text.constant if text.known else text)
        return spliced(parts)

    def _list(self, node: ast.List | ast.Tuple) -> Value:
        for each in node.elts:
            if isinstance(each, ast.Starred):
                raise unsupported(each)
        return listed([self.value(each) for each in node.elts])

    _tuple = _list

    def _dict(self, node: ast.Dict) -> Value:
        entries: dict[str, tuple[Value, Value]] = {}
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            if key_node is None:
                raise Refused("unpacking with ** has no counterpart in expressions", "write the keys out")
            key = self.value(key_node)
            if key.kind.name not in ("any", "str") or (key.known and not isinstance(key.constant, str)):
                raise Refused(f"a key is text in JSON, not {meaning.called(key.kind)}", "use text as the key")
            entries[key.text] = (key, self.value(value_node))
        return mapping(list(entries.values()))

    def _listcomp(self, node: ast.ListComp) -> Value:
        from segue.functions.loops import comprehension

        return comprehension(self, node)

    def _call(self, node: ast.Call) -> Value:
        from segue.functions.calls import called

        return called(self, node)
