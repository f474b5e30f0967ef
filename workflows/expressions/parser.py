"""Tokens to tree, by operator precedence (a Pratt parser).

From loosest to tightest: `?:`, `||`, `&&`, comparisons and `in`, `+ -`, `* / %`, `! -`, then `.`, `?.`, `[]` and
calls. Which functions, methods and macros exist, and how many arguments they take, is checked here; values are not.
"""

from __future__ import annotations

import math
import re

from workflows.expressions.errors import ExpressionError
from workflows.expressions.functions import FUNCTIONS, MACROS, METHODS
from workflows.expressions.limits import MAX_DEPTH, MAX_TEXT
from workflows.expressions.tokens import Token, tokens
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
    depth,
)

PRECEDENCE = {
    "||": 2,
    "&&": 3,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "%"), 6),
}
CONDITIONAL, UNARY, POSTFIX = 1, 7, 8

CONSTANTS = {"null": None, "true": True, "false": False}
RESERVED = frozenset(
    ("as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop")
) | frozenset(("namespace", "package", "return", "var", "void", "while"))
"""Words that CEL keeps for itself; as in CEL, they may follow a dot."""

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"[ \t\r\n]*[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*[ \t\r\n]*")

_OTHER_WORDS = {"and": "&&", "or": "||", "is": "==", "if": "condition ? value : other"}


def parse_tree(text: str) -> Node:
    """Parse the whole of a text.

    Raises:
        ExpressionError: It is not an expression of the language, or too large for one.
    """
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"the expression is longer than {MAX_TEXT} characters", MAX_TEXT, text)
    if not text.strip():
        raise ExpressionError("the expression is empty", 0, text)
    return _plain_path(text) or _parsed(text)


def _plain_path(text: str) -> Node | None:
    """Return the tree of names with dots between them, which most expressions are; None: it is another one."""
    names = [*_NAME.finditer(text)] if _PATH.fullmatch(text) else []
    if not 0 < len(names) <= MAX_DEPTH or names[0][0] in CONSTANTS or names[0][0] in RESERVED:
        return None
    node: Node = Name(names[0][0], at=names[0].start())
    for name in names[1:]:
        node = Member(node, name[0], at=name.start() - 1)
    return node


def _parsed(text: str) -> Node:
    parser = _Parser(text)
    node = parser.expression(0)
    if parser.next.kind != "end":
        other = _OTHER_WORDS.get(str(parser.next.value))
        hint = f'; write "{other}"' if other else ""
        raise parser.error(f"unexpected {_shown(parser.next)} after the expression{hint}")
    # Each level of a tree has a token of its own.
    if len(parser.tokens) > MAX_DEPTH and depth(node) > MAX_DEPTH:
        raise ExpressionError(f"the expression has more than {MAX_DEPTH} levels", 0, text)
    return node


def _shown(token: Token) -> str:
    return "end" if token.kind == "end" else f'"{token.value}"'


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.position = 0
        self.level = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.position]

    def error(self, message: str, at: int | None = None) -> ExpressionError:
        return ExpressionError(message, self.next.at if at is None else at, self.text)

    def take(self) -> Token:
        token = self.next
        self.position += 1
        return token

    def sees(self, *symbols: str) -> bool:
        return self.next.kind == "symbol" and self.next.value in symbols

    def accept(self, symbol: str) -> bool:
        token = self.tokens[self.position]
        if token.value == symbol and token.kind == "symbol":
            self.position += 1
            return True
        return False

    def expect(self, symbol: str, why: str) -> None:
        if not self.accept(symbol):
            raise self.error(f'expected "{symbol}" {why}, found {_shown(self.next)}')

    def name(self, what: str) -> str:
        if self.next.kind != "name":
            raise self.error(f"expected {what}, found {_shown(self.next)}")
        return str(self.take().value)

    def expression(self, tightness: int) -> Node:
        """Parse an expression whose operators all bind tighter than `tightness`."""
        self.level += 1
        if self.level > MAX_DEPTH:
            raise self.error(f"the expression has more than {MAX_DEPTH} levels")
        left = self.postfix(self.prefix())
        while (operator := self.operator()) is not None and PRECEDENCE[operator] > tightness:
            at = self.take().at
            left = Binary(operator, left, self.expression(PRECEDENCE[operator]), at=at)
        if tightness < CONDITIONAL and self.sees("?"):
            left = self.conditional(left)
        self.level -= 1
        return left

    def operator(self) -> str | None:
        token = self.next
        if token.kind == "symbol" or (token.kind == "name" and token.value == "in"):
            return str(token.value) if token.value in PRECEDENCE else None
        return None

    def conditional(self, test: Node) -> Node:
        at = self.take().at
        then = self.expression(0)
        self.expect(":", 'between the two values of "?"')
        return Conditional(test, then, self.expression(0), at=at)

    def prefix(self) -> Node:
        token = self.take()
        match token.kind, token.value:
            case (("string" | "double"), value):
                return Literal(value, at=token.at)
            case "int", int(value):
                if value == 2**63:
                    raise self.error("the number does not fit in 64 bits", token.at)
                return Literal(value, at=token.at)
            case "symbol", ("!" | "-") as operator:
                return self.unary(str(operator), token.at)
            case "symbol", "(":
                inner = self.expression(0)
                self.expect(")", "to close the parenthesis")
                return inner
            case "symbol", "[":
                return ListOf(self.arguments("]"), at=token.at)
            case "symbol", "{":
                return self.mapping(token.at)
            case "name", str(name):
                return self.word(name, token.at)
        self.position -= 1
        raise self.error(f"expected a value, found {_shown(token)}")

    def unary(self, operator: str, at: int) -> Node:
        if operator == "-" and self.next.kind == "int" and self.next.value == 2**63:
            self.take()
            return Literal(-(2**63), at=at)
        operand = self.expression(UNARY)
        if operator == "-" and isinstance(operand, Literal) and _is_positive(operand.value):
            return Literal(-operand.value, at=at)  # type: ignore[operator]
        return Unary(operator, operand, at=at)

    def word(self, name: str, at: int) -> Node:
        if name in CONSTANTS:
            return Literal(CONSTANTS[name], at=at)
        if name in RESERVED:
            raise self.error(f'expected a value, found the reserved word "{name}"', at)
        return self.call(name, at) if self.accept("(") else Name(name, at=at)

    def call(self, name: str, at: int) -> Node:
        arguments = self.arguments(")")
        if name == "has":
            if len(arguments) != 1 or not isinstance(arguments[0], Member | Index):
                raise self.error("has() takes one path, as in has(steps.train.output)", at)
            return Has(arguments[0], at=at)
        if name not in FUNCTIONS:
            raise self.error(f"there is no function {name}(); there are has(), {_listed(FUNCTIONS)}", at)
        self.check_arity(name, FUNCTIONS[name].arity, len(arguments), at)
        return Call(name, arguments, at=at)

    def arguments(self, closing: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self.accept(closing):
            if found:
                self.expect(",", f'or "{closing}" after a value')
                if self.accept(closing):
                    break
            found.append(self.expression(0))
        return tuple(found)

    def mapping(self, at: int) -> Node:
        entries: list[tuple[Node, Node]] = []
        while not self.accept("}"):
            if entries:
                self.expect(",", 'or "}" after a value')
                if self.accept("}"):
                    break
            key = self.expression(0)
            self.expect(":", "between a key and its value")
            entries.append((key, self.expression(0)))
        return MapOf(tuple(entries), at=at)

    def postfix(self, node: Node) -> Node:
        while (token := self.next).kind == "symbol":
            at = token.at
            if self.accept("?."):
                node = Member(node, self.name('a key after "?."'), True, at=at)
            elif self.accept("."):
                name = self.name('a key after "."')
                node = self.method(node, name, at) if self.accept("(") else Member(node, name, at=at)
            elif self.accept("["):
                key = self.expression(0)
                self.expect("]", "to close the index")
                node = Index(node, key, at=at)
            else:
                break
        return node

    def method(self, node: Node, name: str, at: int) -> Node:
        arguments = self.arguments(")")
        if name in MACROS:
            if len(arguments) != 2 or not isinstance(arguments[0], Name):
                raise self.error(f"{name}() takes a variable and an expression, as in .{name}(x, x > 1)", at)
            return Macro(node, name, arguments[0].name, arguments[1], at=at)
        if name == "size" and not arguments:
            return Call(name, (node,), at=at)
        if name not in METHODS:
            raise self.error(f"there is no method {name}(); there are {_listed([*METHODS, *MACROS])}", at)
        self.check_arity(name, METHODS[name].arity, len(arguments), at)
        return Method(node, name, arguments, at=at)

    def check_arity(self, name: str, arity: tuple[int, ...], given: int, at: int) -> None:
        if given not in arity:
            wanted = " or ".join(str(count) for count in arity)
            raise self.error(f"{name}() takes {wanted} argument{'s' * (arity[-1] != 1)}, {given} given", at)


def _is_positive(value: object) -> bool:
    return type(value) in (int, float) and math.copysign(1.0, value) > 0  # type: ignore[arg-type]


def _listed(names: object) -> str:
    return ", ".join(f"{name}()" for name in names)  # type: ignore[attr-defined]
