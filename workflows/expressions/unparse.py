"""Tree to canonical text: one spelling for one tree, with as few parentheses as it takes."""

from __future__ import annotations

from workflows.expressions.parser import CONDITIONAL, POSTFIX, PRECEDENCE, UNARY
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

_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INVISIBLE = frozenset({0xAD, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F)})
_PRIMARY = POSTFIX + 1


def unparse(node: Node) -> str:
    """Return the canonical text of a tree; parsing it gives an equal tree."""
    match node:
        case Literal(value):
            return _literal(value)
        case Name(name):
            return name
        case ListOf(items):
            return f"[{_list(items)}]"
        case MapOf(entries):
            return "{" + ", ".join(f"{unparse(key)}: {unparse(value)}" for key, value in entries) + "}"
        case Member(value, name, optional):
            return f"{_at(POSTFIX, value)}{'?.' if optional else '.'}{name}"
        case Index(value, key):
            return f"{_at(POSTFIX, value)}[{unparse(key)}]"
        case Unary("-", Literal(operand)):
            # In parentheses, since `-1` and `--1` are read as literals.
            return f"-({_literal(operand)})"
        case Unary(operator, operand):
            return operator + _at(UNARY, operand)
        case Binary(operator, left, right):
            level = PRECEDENCE[operator]
            return f"{_at(level, left)} {operator} {_at(level + 1, right)}"
        case Conditional(test, then, otherwise):
            return f"{_at(CONDITIONAL + 1, test)} ? {_at(CONDITIONAL + 1, then)} : {_at(CONDITIONAL, otherwise)}"
        case Has(path):
            return f"has({unparse(path)})"
        case Call(function, arguments):
            return f"{function}({_list(arguments)})"
        case Method(value, name, arguments):
            return f"{_at(POSTFIX, value)}.{name}({_list(arguments)})"
        case Macro(value, name, variable, body):
            return f"{_at(POSTFIX, value)}.{name}({variable}, {unparse(body)})"


def _list(nodes: tuple[Node, ...]) -> str:
    return ", ".join(unparse(node) for node in nodes)


def _at(level: int, node: Node) -> str:
    """Return the text of a part, in parentheses when it binds more loosely than its place asks for."""
    text = unparse(node)
    return text if _level(node) >= level else f"({text})"


def _level(node: Node) -> int:
    match node:
        case Conditional():
            return CONDITIONAL
        case Binary(operator):
            return PRECEDENCE[operator]
        case Unary():
            return UNARY
        case Literal(int() | float() as value) if _literal(value).startswith("-"):
            return UNARY
        case Literal() | Name() | ListOf() | MapOf():
            return _PRIMARY
        case _:
            return POSTFIX


def _literal(value: bool | int | float | str | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + "".join(_character(character) for character in value) + "'"
    return repr(value)


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    # Not `isprintable`: the answer must not change with Python's Unicode tables.
    code = ord(character)
    if 0x20 <= code < 0x7F or (code > 0x9F and code not in _INVISIBLE):
        return character
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
