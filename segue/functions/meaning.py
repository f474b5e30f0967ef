"""What Python means by truth, equality, order and arithmetic, said in the expression language.

Where the two differ the expression is written so that it gives what Python gives; where that cannot be done, the
construct is refused. Nothing is left to differ without a sign.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from segue.codes import Code
from segue.functions.kinds import BOOL, FLOAT, INT, LIST, STR, Kind
from segue.functions.values import (
    PRODUCT,
    RELATION,
    SUM,
    UNARY,
    Value,
    all_of,
    binary,
    both,
    call,
    chosen,
    either,
    equals,
    literal,
    not_,
)

MOVE = "move this into a @step"


class Refused(Exception):
    """A construct that cannot be compiled: what is said of it, and the way out.

    Attributes:
        at: Where it is, when that is not where it was found out.
    """

    def __init__(self, message: str, hint: str = MOVE, code: Code = Code.DIFFERENT, at: ast.AST | None = None) -> None:
        super().__init__(message)
        self.at = at
        self.message = message
        self.hint = hint
        self.code = code


_EMPTY = literal([None, False, 0, "", [], {}])


def truth(value: Value) -> Value:
    """Return whether Python takes a value for true."""
    if value.known:
        return literal(bool(value.constant))
    match value.kind.name:
        case "bool":
            return value
        case "null" if value.kind.checked:
            return literal(False)
        case "enum":
            raise Refused("the truth of an enum's member is not the truth of its value", "compare it: x == Color.RED")
        case "object":
            if hasattr(value.kind.cls, "__bool__") or hasattr(value.kind.cls, "__len__"):
                raise Refused(f"{value.kind.cls.__name__} decides itself whether it is true", "compare a field of it")
            if value.kind.checked:
                return literal(True)
        case "int" | "float" if value.kind.checked:
            return not_(equals(value, literal(0)))
        case "str" if value.kind.checked:
            return not_(equals(value, literal("")))
        case "list" | "dict" if value.kind.checked:
            return binary(">", call("size", value, kind=INT), literal(0), RELATION, BOOL)
    return not_(binary("in", value, _EMPTY, RELATION, BOOL, True))


def same(left: Value, right: Value) -> Value:
    """Return whether `left == right` in Python, where `True == 1`; in expressions `true` is not `1`."""
    if left.known and right.known:
        return literal(bool(left.constant == right.constant))
    if left.known:
        left, right = right, left
    _check_classes(left, right)
    twin = _twin(right)
    if twin is not None and _may_be_other(left, right):
        return binary("in", left, literal([right.constant, twin]), RELATION, BOOL, True)
    plain = equals(left, right)
    if right.known or not (_may_be_other(left, right) and _may_be_other(right, left)):
        return plain
    ones, zeros = literal([1, True]), literal([0, False])
    for pair in (ones, zeros):
        of_pair = both(binary("in", left, pair, RELATION, BOOL, True), binary("in", right, pair, RELATION, BOOL, True))
        plain = either(plain, of_pair)
    return plain


def _check_classes(left: Value, right: Value) -> None:
    """Refuse to compare what travels as JSON with what Python never takes for equal to that."""
    if right.known and right.constant is None:
        return
    for one, other in ((left.kind, right.kind), (right.kind, left.kind)):
        if one.name in ("object", "enum") and one.cls is not other.cls and not _is_mixed(one.cls):
            message = f"in Python a {one.cls.__name__} equals nothing but another one, and JSON cannot tell"
            raise Refused(message, "compare a field of it" if one.name == "object" else "compare it with a member")


def _is_mixed(cls: type) -> bool:
    """Whether an enum's members are texts or numbers themselves."""
    return issubclass(cls, str | int | float)


def _twin(value: Value) -> Any:
    """Return what equals a constant in Python alone: `True` for 1 and 1 for `True`."""
    if not value.known or type(value.constant) not in (bool, int, float) or value.constant not in (0, 1):
        return None
    return int(value.constant) if isinstance(value.constant, bool) else bool(value.constant)


def _may_be_other(value: Value, other: Value) -> bool:
    """Whether one value may be a bool while the other is a number, or the other way about."""
    one, two = value.kind.name, other.kind.name
    if one == "any" or two == "any":
        known = two if one == "any" else one
        return known in ("any", "bool", "int", "float")
    return {one, two} in ({"bool", "int"}, {"bool", "float"})


def compared(symbol: str, left: Value, right: Value) -> Value:
    """Return `left < right` and the like."""
    if left.known and right.known:
        return literal(_computed(_ORDER[symbol], left.constant, right.constant))
    for value in (left, right):
        if value.kind.name in ("list", "dict", "object", "null", "enum"):
            raise Refused(f'"{symbol}" orders numbers and texts; in expressions {_called(value.kind)} has no order')
    numbers = left.kind.number and right.kind.number
    return binary(symbol, left, right, RELATION, BOOL, numbers or left.kind.name == right.kind.name == "str")


_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def contained(item: Value, container: Value) -> Value:
    """Return `item in container`."""
    if item.known and container.known:
        return literal(bool(_computed(operator.contains, container.constant, item.constant)))
    if item.kind.name in ("object", "enum") and container.kind.name == "list":
        inside = container.kind.inside()
        _check_classes(item, Value("", kind=inside))
    if container.kind.name == "str":
        return Value(f"{container.at(7)}.contains({item.text})", kind=BOOL)
    if container.kind.name in ("null", "int", "float", "bool", "object", "enum"):
        raise Refused(f'"in" looks into a list, a dict or a text, not into {_called(container.kind)}')
    if container.known and isinstance(container.constant, list):
        extra = [twin for each in container.constant if (twin := _twin(literal(each))) is not None]
        if item.kind.name in ("any", "bool", "int", "float") and extra:
            container = literal([*container.constant, *(each for each in extra)])
    return binary("in", item, container, RELATION, BOOL, container.known)


def is_same(left: Value, right: Value) -> Value:
    """Return `left is right`, for what is one of a kind: None, True, False, an enum's member."""
    if not _is_single(right):
        left, right = right, left
    if not _is_single(right) and not (right.known and left.kind.name == "enum"):
        raise Refused('"is" asks for the same object; values travel as JSON', "use == to compare values")
    if left.known:
        return literal(left.constant is right.constant)
    return equals(left, right)


def _is_single(value: Value) -> bool:
    return value.known and (value.constant is None or isinstance(value.constant, bool))


def computed(symbol: str, left: Value, right: Value) -> Value:
    """Return `left + right` and the like."""
    if left.known and right.known and symbol in _FOLDED and _is_small(symbol, left.constant, right.constant):
        return literal(_computed(_FOLDED[symbol], left.constant, right.constant))
    for value in (left, right):
        if value.kind.name in ("null", "object", "dict", "enum", "bool"):
            raise Refused(f'in expressions "{symbol}" does not take {_called(value.kind)}')
    match symbol:
        case "+":
            return _sum(left, right)
        case "-" | "*":
            _only_numbers(symbol, left, right)
            return binary(symbol, left, right, SUM if symbol == "-" else PRODUCT, _number(left, right))
        case "/":
            _only_numbers(symbol, left, right)
            if "float" not in (left.kind.name, right.kind.name):  # two ints would be cut to an int
                left = literal(float(left.constant)) if left.known else binary("*", left, literal(1.0), PRODUCT, FLOAT)
            return binary("/", left, right, PRODUCT, FLOAT)
        case "%":
            _only_ints(symbol, left, right)
            return _rest(left, right)
        case "//":
            _only_ints(symbol, left, right)
            return binary("/", binary("-", left, _rest(left, right), SUM, INT), right, PRODUCT, INT)
    raise Refused(f'"{symbol}" has no counterpart in expressions', code=Code.CONSTRUCT)


def _sum(left: Value, right: Value) -> Value:
    kinds = {left.kind.name, right.kind.name} - {"any"}
    if kinds <= {"int", "float"}:
        return binary("+", left, right, SUM, _number(left, right))
    if len(kinds) == 1:
        kind = {"str": STR, "list": LIST}[kinds.pop()]
        return binary("+", left, right, SUM, kind)
    raise Refused(f'"+" does not take {_called(left.kind)} and {_called(right.kind)}', "use an f-string to build text")


def _rest(left: Value, right: Value) -> Value:
    # `%` has the sign of its left side in expressions, and that of its right side in Python.
    cut = binary("+", binary("%", left, right, PRODUCT, INT), right, SUM, INT)
    return binary("%", cut, right, PRODUCT, INT)


def _number(left: Value, right: Value) -> Kind:
    names = {left.kind.name, right.kind.name}
    if "float" in names:
        return FLOAT
    return INT if names == {"int"} else Kind("any")


def _only_numbers(symbol: str, *values: Value) -> None:
    for value in values:
        if value.kind.name in ("str", "list"):
            raise Refused(f'in expressions "{symbol}" takes numbers, not {_called(value.kind)}')


def _only_ints(symbol: str, *values: Value) -> None:
    _only_numbers(symbol, *values)
    if any(value.kind.name == "float" for value in values):
        raise Refused(f'in expressions "{symbol}" takes whole numbers')


_FOLDED: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


def _is_small(symbol: str, left: Any, right: Any) -> bool:
    numbers = all(isinstance(each, int | float) for each in (left, right))
    return numbers or (symbol == "+" and type(left) is type(right))


def _computed(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    try:
        found = function(left, right)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise Refused(f"{type(error).__name__}: {error}", "", Code.CONSTRUCT) from None
    if isinstance(found, int) and not -(2**63) <= found < 2**63:
        raise Refused("the number does not fit in 64 bits")
    return found


def item_of(value: Value, key: Value) -> Value:
    """Return an item of a constant."""
    try:
        return literal(value.constant[key.constant])
    except (LookupError, TypeError) as error:
        raise Refused(f"{type(error).__name__}: {error}", "", Code.CONSTRUCT) from None


def negative(value: Value) -> Value:
    """Return `-value`."""
    if value.known and type(value.constant) in (int, float):
        return literal(-value.constant)
    _only_numbers("-", value)
    if value.kind.name == "bool":
        raise Refused('in expressions "-" does not take a bool')
    return Value(f"-{value.at(UNARY)}", UNARY, value.kind)


def as_text(value: Value) -> Value:
    """Return what `str(value)` gives, as a text or as a number whose text is the same."""
    if value.known and (value.constant is None or isinstance(value.constant, bool | int | float | str)):
        return literal(str(value.constant))
    match value.kind.name:
        case "str" | "int" | "float":
            return value
        case "bool":
            return chosen(value, literal("True"), literal("False"))
        case "any":
            text = call("string", value, kind=STR)
            for constant in (False, True, None):
                text = chosen(equals(value, literal(constant)), literal(str(constant)), text)
            return text
    raise Refused(f"{_called(value.kind)} has another text in expressions than in Python", "build the text in a @step")


def chain(pairs: list[Value]) -> Value:
    """Return `a < b < c`: whether all comparisons hold, in their order."""
    return all_of(pairs)


def _called(kind: Kind) -> str:
    names = {"any": "a value of any type", "null": "None", "int": "an int", "object": "a dataclass"}
    return names.get(kind.name, f"{'an' if kind.name == 'enum' else 'a'} {kind.name}")


called = _called
