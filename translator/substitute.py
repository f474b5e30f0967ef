"""Puts what a step gives in the place of `inputs.x` in a shared step's templates, in the syntax tree.

What was fixed stays fixed: text into which fixed text is put is no expression afterwards. A variable of a macro never
catches a name of what is put in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, TypeAlias

from workflows.expressions import parse
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
    operands,
    path_of,
)
from workflows.expressions.unparse import unparse
from workflows.templates import CLOSING, OPENING, expressions_in, sole_expression

JSON: TypeAlias = Any
INPUTS = "inputs"


def has_expressions(template: JSON) -> bool:
    """Tell whether a template has an expression anywhere."""
    if isinstance(template, list):
        return any(has_expressions(item) for item in template)
    if isinstance(template, dict):
        return any(has_expressions(item) for item in template.values())
    return isinstance(template, str) and OPENING in template


@dataclass(slots=True)
class Substitution:
    """What is put in the place of inputs.

    Attributes:
        given: Name of the input to a canonical template.
        trees: The same as syntax trees.
        free: The names that the trees speak of.
    """

    given: Mapping[str, JSON]
    trees: dict[str, Node] = field(default_factory=dict)
    free: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.trees = {name: _tree_of(template) for name, template in self.given.items()}
        paths = (path_of(node) for tree in self.trees.values() for node in operands(tree))
        self.free = frozenset(path[0] for path in paths if path is not None)

    def template(self, template: JSON) -> JSON:
        """Return a template with its inputs replaced.

        Raises:
            ExpressionError: An expression becomes too large.
        """
        if isinstance(template, list):
            return [self.template(item) for item in template]
        if isinstance(template, dict):
            return {name: self.template(item) for name, item in template.items()}
        if isinstance(template, str) and OPENING in template:
            return self._text(template)
        return template

    def condition(self, text: str) -> str:
        """Return an expression, as canonical text without braces, with its inputs replaced.

        Raises:
            ExpressionError: It becomes too large.
        """
        return _checked(self._put(parse(text).tree, {}))

    def _text(self, text: str) -> JSON:
        sole = sole_expression(text)
        if sole is not None:
            value = self._value(sole)
            return value if not isinstance(value, Node) else f"{OPENING} {_checked(value)} {CLOSING}"
        parts, behind = [], 0
        for start, expression in expressions_in(text):
            end = start + len(expression) + len(CLOSING)
            parts += [text[behind : start - len(OPENING)], self._spliced(expression, text[end : end + 1])]
            behind = end
        joined = "".join([*parts, text[behind:]])
        # What was text stays text, also when nothing but one expression is left of it.
        return joined if sole_expression(joined) is None else f"{OPENING} '' {CLOSING}{joined}"

    def _value(self, expression: str) -> JSON | Node:
        """Return the template that an expression amounts to when that is no expression itself, else its tree."""
        tree = parse(expression).tree
        name = _input(tree)
        if name is not None:
            return self.given[name]
        put = self._put(tree, {})
        fixed, value = _fixed(put)
        return value if fixed and not has_expressions(value) else put

    def _spliced(self, expression: str, follows: str) -> str:
        value = self._value(expression)
        if not isinstance(value, Node) and not (has_expressions(value) and not isinstance(value, str)):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            # Neither side may complete a `${{` of the other.
            if not text.startswith("{") and not text.endswith(("$", "${")) and (text or follows != "{"):
                return text
        tree = value if isinstance(value, Node) else self._put(parse(expression).tree, {})
        return f"{OPENING} {_checked(tree)} {CLOSING}"

    def _put(self, node: Node, names: Mapping[str, str]) -> Node:
        """Return a tree with its inputs replaced; `names` are the macros' variables and what they are called now."""
        name = _input(node)
        if name is not None and INPUTS not in names:
            return self.trees[name]
        match node:
            case Name(word):
                if word == INPUTS and word not in names:
                    return MapOf(tuple((Literal(key), tree) for key, tree in self.trees.items()))
                return Name(names.get(word, word))
            case Has(path):
                return _has(self._put(path, names))
            case Macro(value, macro, variable, body):
                called = variable
                while called in self.free:
                    called += "_"
                return Macro(self._put(value, names), macro, called, self._put(body, {**names, variable: called}))
            case Member(value, key, optional):
                return _member(self._put(value, names), key, optional)
            case Index(value, key):
                return _index(self._put(value, names), self._put(key, names))
            case ListOf(items):
                return ListOf(tuple(self._put(item, names) for item in items))
            case MapOf(entries):
                return MapOf(tuple((self._put(key, names), self._put(value, names)) for key, value in entries))
            case Unary(operator, operand):
                return Unary(operator, self._put(operand, names))
            case Binary(operator, left, right):
                return Binary(operator, self._put(left, names), self._put(right, names))
            case Conditional(test, then, otherwise):
                return Conditional(self._put(test, names), self._put(then, names), self._put(otherwise, names))
            case Call(function, arguments):
                return Call(function, tuple(self._put(argument, names) for argument in arguments))
            case Method(value, method, arguments):
                put = tuple(self._put(argument, names) for argument in arguments)
                return Method(self._put(value, names), method, put)
            case _:
                return node


def _input(node: Node) -> str | None:
    """Return the name of the input that a node is, if it is one."""
    match node:
        case Member(Name("inputs"), name) | Index(Name("inputs"), Literal(str() as name)):
            return name
    return None


def _tree_of(template: JSON) -> Node:
    if isinstance(template, list):
        return ListOf(tuple(_tree_of(item) for item in template))
    if isinstance(template, dict):
        return MapOf(tuple((Literal(key), _tree_of(item)) for key, item in template.items()))
    if not isinstance(template, str) or OPENING not in template:
        return Literal(template)
    sole = sole_expression(template)
    return _joined(template) if sole is None else parse(sole).tree


def _joined(text: str) -> Node:
    """Return text around expressions as a sum of texts."""
    parts: list[Node] = []
    behind = 0
    for start, expression in expressions_in(text):
        before = text[behind : start - len(OPENING)]
        parts += [Literal(before)] if before else []
        parts.append(Call("string", (parse(expression).tree,)))
        behind = start + len(expression) + len(CLOSING)
    parts += [Literal(text[behind:])] if text[behind:] else []
    return reduce(lambda left, right: Binary("+", left, right), parts)


def _has(path: Node) -> Node:
    match path:
        case Member() | Index():
            return Has(path)
        case Literal(value):
            return Literal(value is not None)
        case ListOf() | MapOf():
            return Literal(True)
    return Binary("!=", path, Literal(None))


def _member(value: Node, name: str, optional: bool) -> Node:
    if isinstance(value, MapOf):
        for key, item in value.entries:
            if key == Literal(name):
                return item
    return Member(value, name, optional)


def _index(value: Node, key: Node) -> Node:
    match value, key:
        case ListOf(items), Literal(int() as place) if not isinstance(place, bool) and 0 <= place < len(items):
            return items[place]
        case MapOf(), Literal(str() as name):
            found = _member(value, name, False)
            return Index(value, key) if isinstance(found, Member) and found.object is value else found
    return Index(value, key)


def _fixed(node: Node) -> tuple[bool, JSON]:
    """Return whether a tree is a fixed value, and the value."""
    match node:
        case Literal(value):
            return True, value
        case ListOf(items):
            found = [_fixed(item) for item in items]
            return all(fixed for fixed, _ in found), [value for _, value in found]
        case MapOf(entries):
            if not all(isinstance(key, Literal) and isinstance(key.value, str) for key, _ in entries):
                return False, None
            pairs = [(key.value, _fixed(item)) for key, item in entries if isinstance(key, Literal)]
            return all(fixed for _, (fixed, _) in pairs), {key: value for key, (_, value) in pairs}
    return False, None


def _checked(tree: Node) -> str:
    """Return a tree's canonical text, within the bounds of an expression."""
    return parse(unparse(tree)).text
