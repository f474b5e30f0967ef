"""Tree to value: pure, total, within a budget.

Rules beyond CEL's, all because values come from JSON:

* A number is written `1` or `1.0` at will in JSON, so an int and a double may be mixed: the int becomes a double.
* A result that JSON cannot hold (an infinite double, a division by zero) is an error.
* `has(path)` is true when the path can be read and is not null; nothing on the way may be missing, but may be null.
* `object?.name` is null when the object is null or has no such key; it guards its own object alone.

As in CEL, `&&` and `||` absorb an error of one side when the other side decides, `all` and `exists` likewise; ints are
of 64 bits and overflow is an error; `/` and `%` on ints cut towards zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from workflows.expressions.errors import BudgetError, ExpressionError, Fault
from workflows.expressions.explanation import Trace
from workflows.expressions.functions import FUNCTIONS, METHODS
from workflows.expressions.operators import BINARY, negated
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
from workflows.expressions.unparse import unparse
from workflows.expressions.values import Budget, Value, readable, type_name

_MISSING = object()


class Evaluation:
    """One evaluation of one expression.

    Args:
        text: What offsets of errors refer to.
        scope: Root name to value.
        trace: Gets what was looked at.
    """

    def __init__(self, text: str, scope: Mapping[str, Value], trace: Trace | None = None) -> None:
        self.text = text
        self.scope = scope
        self.trace = trace
        self.variables: dict[str, Value] = {}
        self.budget = Budget()

    def value(self, node: Node) -> Value:
        """Return the value of a node.

        Raises:
            ExpressionError: It has none.
        """
        try:
            self.budget.spend()
            result = _RULES[type(node)](self, node)
        except Fault as fault:
            raise ExpressionError(fault.message, node.at, self.text) from None
        except BudgetError as error:
            raise BudgetError(error.message, error.offset or node.at, self.text) from None
        if self.trace is not None:
            self.trace.values[id(node)] = result
        return result

    def _literal(self, node: Literal) -> Value:
        return node.value

    def _list(self, node: ListOf) -> Value:
        return self.budget.built([self.value(item) for item in node.items])

    def _map(self, node: MapOf) -> Value:
        entries: dict[str, Value] = {}
        for key_node, value_node in node.entries:
            key = self.value(key_node)
            if not isinstance(key, str):
                raise ExpressionError(f"a map's keys are strings, not {type_name(key)}", key_node.at, self.text)
            if key in entries:
                raise ExpressionError(f"the key {key[:40]!a} is there twice", key_node.at, self.text)
            entries[key] = self.value(value_node)
        return self.budget.built(entries)

    def _name(self, node: Name) -> Value:
        if node.name in self.variables:
            return self.variables[node.name]
        if node.name not in self.scope:
            raise Fault(f'there is no "{node.name}" here')
        return self.scope[node.name]

    def _member(self, node: Member) -> Value:
        value = self.value(node.object)
        found = _key(value, node.name, node.object)
        if found is not _MISSING:
            return found
        if node.optional:
            return None
        raise Fault(_no_key(value, node.name, node.object))

    def _index(self, node: Index) -> Value:
        value, key = self.value(node.object), self.value(node.key)
        found = _element(value, key, node.object)
        if found is not _MISSING:
            return found
        if isinstance(value, list):
            raise Fault(f"{_shown(node.object)} has {len(value)} items: there is none at the index asked for")
        raise Fault(_no_key(value, key, node.object))

    def _has(self, node: Has) -> Value:
        value = self._try_path(node.path)
        return value is not _MISSING and value is not None

    def _try_path(self, node: Node) -> Value:
        """Return what a path leads to, or `_MISSING` when something on the way is missing or null."""
        self.budget.spend()
        if not isinstance(node, Member | Index):
            return self.value(node)
        value = self._try_path(node.object)
        if value is _MISSING or value is None:
            return _MISSING
        if isinstance(node, Member):
            found = _key(value, node.name, node.object)
        else:
            found = _element(value, self.value(node.key), node.object)
        if self.trace is not None and found is not _MISSING:
            self.trace.values[id(node)] = found
        return found

    def _unary(self, node: Unary) -> Value:
        operand = self.value(node.operand)
        if node.operator == "-":
            return negated(operand)
        return not self._bool(operand, '"!"')

    def _binary(self, node: Binary) -> Value:
        if node.operator in ("&&", "||"):
            return self._logical(node, decisive=node.operator == "||")
        return BINARY[node.operator](self.value(node.left), self.value(node.right), self.budget)

    def _logical(self, node: Binary, decisive: bool) -> bool:
        """Return `decisive` when either side has that value, whatever the other side is."""
        what = f'"{node.operator}"'
        try:
            left = self._bool(self.value(node.left), what)
        except BudgetError:
            raise
        except (ExpressionError, Fault):
            if self._bool(self.value(node.right), what) is decisive:
                return decisive
            raise
        return decisive if left is decisive else self._bool(self.value(node.right), what)

    def _bool(self, value: Value, what: str) -> bool:
        if not isinstance(value, bool):
            raise Fault(f"{what} takes a bool, not {type_name(readable(value))}")
        return value

    def _conditional(self, node: Conditional) -> Value:
        test = self._bool(self.value(node.test), '"?"')
        return self.value(node.then if test else node.otherwise)

    def _call(self, node: Call) -> Value:
        arguments = [self.value(argument) for argument in node.arguments]
        return FUNCTIONS[node.function].apply(self.budget, *arguments)

    def _method(self, node: Method) -> Value:
        values = [self.value(part) for part in (node.object, *node.arguments)]
        return METHODS[node.name].apply(self.budget, *values)

    def _macro(self, node: Macro) -> Value:
        items = self.value(node.object)
        if not isinstance(readable(items), list):
            raise Fault(f"{node.name}() works on a list, not on {type_name(items)}")
        outer = dict(self.variables)
        try:
            return _MACROS[node.name](self, node, items)
        finally:
            self.variables = outer

    def _body(self, node: Macro, item: Value) -> Value:
        self.variables[node.variable] = item
        return self.value(node.body)

    def _mapped(self, node: Macro, items: list[Value]) -> Value:
        return self.budget.built([self._body(node, item) for item in items])

    def _filtered(self, node: Macro, items: list[Value]) -> Value:
        return self.budget.built([item for item in items if self._bool(self._body(node, item), "filter()")])

    def _quantified(self, node: Macro, items: list[Value], decisive: bool) -> bool:
        absorbed: ExpressionError | Fault | None = None
        for place, item in enumerate(items):
            try:
                if self._bool(self._body(node, item), f"{node.name}()") is decisive:
                    if self.trace is not None:
                        self.trace.deciding[id(node)] = place
                    return decisive
            except BudgetError:
                raise
            except (ExpressionError, Fault) as error:
                absorbed = absorbed or error
        if absorbed is not None:
            raise absorbed
        return not decisive


_RULES: dict[type, Callable[..., Value]] = {
    Literal: Evaluation._literal,
    ListOf: Evaluation._list,
    MapOf: Evaluation._map,
    Name: Evaluation._name,
    Member: Evaluation._member,
    Index: Evaluation._index,
    Has: Evaluation._has,
    Unary: Evaluation._unary,
    Binary: Evaluation._binary,
    Conditional: Evaluation._conditional,
    Call: Evaluation._call,
    Method: Evaluation._method,
    Macro: Evaluation._macro,
}
_MACROS: dict[str, Callable[[Evaluation, Macro, list[Value]], Value]] = {
    "map": Evaluation._mapped,
    "filter": Evaluation._filtered,
    "all": lambda evaluation, node, items: evaluation._quantified(node, items, False),
    "exists": lambda evaluation, node, items: evaluation._quantified(node, items, True),
}


def _key(value: Value, key: str, node: Node) -> Value:
    """Return what a map holds under a key, `_MISSING` if nothing or if there is null instead of a map."""
    if value is None:
        return _MISSING
    if not isinstance(readable(value), dict):
        raise Fault(f'{_shown(node)} is {type_name(value)}: it has no key "{key}"')
    return value.get(key, _MISSING)


def _element(value: Value, key: Value, node: Node) -> Value:
    if isinstance(value, list):
        if isinstance(key, float) and key.is_integer():
            key = int(key)
        if type(key) is not int:
            raise Fault(f"a list's index is an int, not {type_name(readable(key))}")
        return value[key] if 0 <= key < len(value) else _MISSING
    if value is None:
        return _MISSING
    if not isinstance(readable(value), dict):
        raise Fault(f"{_shown(node)} is {type_name(value)}: it has no items")
    if not isinstance(key, str):
        raise Fault(f"a map's keys are strings, not {type_name(readable(key))}")
    return _key(value, key, node)


def _no_key(value: Value, key: Value, node: Node) -> str:
    shown = _shown(node)
    if value is None:
        guard = f" (guard it with has(), or write {shown}?.{key})" if isinstance(key, str) else ""
        return f'{shown} is null: it has no "{key}"{guard}'
    keys = ", ".join(f'"{str(name)[:40]}"' for name in list(value)[:8]) or "no keys"
    return f'{shown} has no key "{key[:40]}"; it has {keys}{", ..." if len(value) > 8 else ""}'


def _shown(node: Node) -> str:
    text = unparse(node)
    return text if len(text) <= 60 else text[:57] + "..."
