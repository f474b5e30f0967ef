"""Text to tokens. Everything that is not a token of the language is an error with its offset."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from workflows.expressions.errors import ExpressionError

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<raw>[rR](?:"[^"\r\n]*"|'[^'\r\n]*'))
    | (?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*"|'(?:[^'\\\r\n]|\\[^\r\n])*')
    | (?P<double>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
    | (?P<int>[0-9]+)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<symbol>&&|\|\||==|!=|<=|>=|\?\.(?![0-9])|[-+*/%!<>?:.,()\[\]{}])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"} | {c: c for c in "\\'\"`?"}
_HINTS = {
    "=": 'unexpected "="; equality is "=="',
    "&": 'unexpected "&"; "and" is "&&"',
    "|": 'unexpected "|"; "or" is "||"',
    '"': "the text is not closed",
    "'": "the text is not closed",
    "$": 'unexpected "$"; inside ${{ }} a name stands alone: params.x',
}

TokenKind = Literal["string", "double", "int", "name", "symbol", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `value` is what a literal stands for, and otherwise the text."""

    kind: TokenKind
    value: str | int | float
    at: int


def tokens(text: str) -> list[Token]:
    """Split an expression; the last token is of kind `end`.

    Raises:
        ExpressionError: Something in the text is no token.
    """
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(_HINTS.get(text[at], f"unexpected character {text[at]!a}"), at, text)
        kind, lexeme = match.lastgroup, match.group()
        if kind == "name":
            found.append(Token("name", lexeme, at))
        elif kind == "symbol":
            found.append(Token("symbol", lexeme, at))
        elif kind != "space":
            found.append(_literal(str(kind), lexeme, at, text))
        at = match.end()
    found.append(Token("end", "", len(text)))
    return found


def _literal(kind: str, lexeme: str, at: int, text: str) -> Token:
    match kind:
        case "raw":
            return Token("string", _checked(lexeme[2:-1], at, text), at)
        case "string":
            return Token("string", _checked(_unescape(lexeme[1:-1], at + 1, text), at, text), at)
        case "double":
            return Token("double", _double(lexeme, at, text), at)
        case _:
            return Token("int", _int(lexeme, at, text), at)


def _int(lexeme: str, at: int, text: str) -> int:
    if len(lexeme) > 1 and lexeme[0] == "0":
        raise ExpressionError(f"{lexeme[:40]} starts with a zero", at, text)
    # The parser knows whether a minus comes first: 2^63 is an integer only after one.
    if len(lexeme) > 19 or int(lexeme) > 2**63:
        raise ExpressionError("the number does not fit in 64 bits", at, text)
    return int(lexeme)


def _double(lexeme: str, at: int, text: str) -> float:
    value = float(lexeme)
    if value == float("inf"):
        raise ExpressionError("the number is too large", at, text)
    return value


def _unescape(body: str, start: int, text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        digits = match[1] or match[2] or match[3]
        if digits is not None:
            code = int(digits, 16)
            if code > 0x10FFFF:
                raise ExpressionError(f"{match[0]} is not a character", start + match.start(), text)
            return chr(code)
        if match[4] not in _SIMPLE:
            raise ExpressionError(f"unknown escape {match[0]!a}", start + match.start(), text)
        return _SIMPLE[match[4]]

    return _ESCAPE.sub(replace, body)


def _checked(value: str, at: int, text: str) -> str:
    """Refuse what JSON, PostgreSQL or UTF-8 cannot hold."""
    if any(character == "\0" or 0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise ExpressionError("the text holds NUL or half of a surrogate pair", at, text)
    return value
