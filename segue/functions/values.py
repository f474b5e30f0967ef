"""Values of a workflow's body while it is compiled: expressions, and how they are put together.

A step's output and the item of a loop are marked by number until ids and names are known. Means nothing by itself:
`segue.functions.meaning` knows what Python means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from segue.expression import step_expression, steps_in, text_of
from segue.functions.kinds import ANY, BOOL, DICT, LIST, STR, Kind, joined, kind_of_value

CONDITIONAL, OR, AND, RELATION, SUM, PRODUCT, UNARY, PRIMARY = range(8)
"""How tightly each form binds, loosest first."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NO_KEY = {"true", "false", "null", "in"}
_LOOP_MARK = re.compile("\ue002([0-9]+)\ue003")
_PRIVATE = re.compile("[\ue000-\ue003]")
_NOT_PLAIN = ("${{", "\\ue00")
"""What a constant's text has when, outside an expression, it would be taken for an expression or for a mark."""


class _NotConstant:
    """The type of `UNKNOWN`."""


UNKNOWN = _NotConstant()
"""In the place of a constant: the value is known only when the workflow runs."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the body.

    Attributes:
        text: The expression, with marks for steps and loops.
        level: How tightly the expression binds.
        kind: What is known of the value.
        sure: Python cannot raise on the way to it, so it does not matter whether it is looked at.
        constant: The value itself, when it is known now.
        shape: The value as JSON with expressions in it, when that says more than one expression.
        opposite: Of a condition: what is true when it is false.
    """

    text: str
    level: int = PRIMARY
    kind: Kind = ANY
    sure: bool = False
    constant: Any = UNKNOWN
    shape: Any = UNKNOWN
    opposite: Value | None = None

    @property
    def known(self) -> bool:
        """Whether the value is known now."""
        return self.constant is not UNKNOWN

    @property
    def template(self) -> Any:
        """The value as JSON with expressions in it."""
        if self.shape is not UNKNOWN:
            return self.shape
        if self.known and not any(mark in self.text for mark in _NOT_PLAIN):
            return self.constant
        return f"${{{{ {self.text} }}}}"

    @property
    def steps(self) -> list[int]:
        """The numbers of the steps it reads."""
        return steps_in(self.text)

    @property
    def loops(self) -> set[int]:
        """The numbers of the loops whose items it reads."""
        return loops_in(self.text)

    def at(self, level: int) -> str:
        """Return the text as an operand of something that binds at this level."""
        return f"({self.text})" if self.level < level else self.text


def literal(value: Any) -> Value:
    """Return a plain JSON value."""
    return Value(_literal_text(value), UNARY if _negative(value) else PRIMARY, kind_of_value(value), True, value)


def _negative(value: Any) -> bool:
    return isinstance(value, int | float) and str(value).startswith("-")


def _literal_text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal_text(key)}: {_literal_text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal_text(each) for each in value) + "]"
    if isinstance(value, float):
        # The expression language wants a digit on both sides of the point.
        return re.sub(r"^(-?[0-9]+)e", r"\1.0e", repr(float(value)))
    return _PRIVATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text_of(value))


def output_of(number: int, kind: Kind) -> Value:
    """Return a step's output."""
    return Value(text_of(step_expression(number).output), kind=kind, sure=True)


def status_is(number: int, *states: str, negated: bool = False) -> Value:
    """Return whether a step's state is one of some."""
    path = text_of(step_expression(number).status)
    if len(states) == 1:
        found = equals(Value(path, sure=True), literal(states[0]))
        return not_(found) if negated else found
    found = Value(f"{path} in {_literal_text(list(states))}", RELATION, BOOL, True)
    return not_(found) if negated else found


def loop_item(number: int, kind: Kind) -> Value:
    """Return the item of a loop."""
    return Value(f"\ue002{number}\ue003", kind=kind, sure=True)


def loops_in(text: str) -> set[int]:
    """Return the numbers of the loops that marked text speaks of."""
    return {int(number) for number in _LOOP_MARK.findall(text)}


def named(text: str, names: Mapping[int, str]) -> str:
    """Put the names of loop variables in the place of their marks, where they are known."""
    return _LOOP_MARK.sub(lambda mark: names.get(int(mark[1]), mark[0]), text)


def named_all(template: Any, names: Mapping[int, str]) -> Any:
    """Do what `named` does, everywhere in a template."""
    return rewritten(template, lambda text: named(text, names))


def rewritten(template: Any, rewrite: Any) -> Any:
    """Return a template with every text in it rewritten."""
    if isinstance(template, str):
        return rewrite(template)
    if isinstance(template, dict):
        return {key: rewritten(each, rewrite) for key, each in template.items()}
    return [rewritten(each, rewrite) for each in template] if isinstance(template, list) else template


def member(value: Value, key: str, kind: Kind = ANY, sure: bool = False) -> Value:
    """Return `value.key`."""
    path = f".{key}" if _NAME.match(key) and key not in _NO_KEY else f"[{_literal_text(key)}]"
    return Value(value.at(PRIMARY) + path, kind=kind, sure=sure and value.sure)


def indexed(value: Value, key: Value, kind: Kind = ANY) -> Value:
    """Return `value[key]`."""
    return Value(f"{value.at(PRIMARY)}[{key.text}]", kind=kind)


def call(function: str, *arguments: Value, kind: Kind = ANY) -> Value:
    """Return `function(arguments)`."""
    return Value(f"{function}({', '.join(each.text for each in arguments)})", kind=kind)


def method(value: Value, name: str, *arguments: Value, kind: Kind = ANY) -> Value:
    """Return `value.name(arguments)`."""
    return Value(f"{value.at(PRIMARY)}.{name}({', '.join(each.text for each in arguments)})", kind=kind)


def macro(value: Value, name: str, variable: str, body: Value, kind: Kind = LIST) -> Value:
    """Return `value.name(variable, body)`."""
    return Value(f"{value.at(PRIMARY)}.{name}({variable}, {body.text})", kind=kind)


def binary(operator: str, left: Value, right: Value, level: int, kind: Kind, sure: bool = False) -> Value:
    """Return `left operator right`."""
    text = f"{left.at(level + 1 if level == RELATION else level)} {operator} {right.at(level + 1)}"
    return Value(text, level, kind, sure and left.sure and right.sure)


def equals(left: Value, right: Value, sure: bool = True) -> Value:
    """Return whether two values are equal as the expression language has it."""
    other = binary("!=", left, right, RELATION, BOOL, sure)
    return replace(binary("==", left, right, RELATION, BOOL, sure), opposite=other)


def not_(value: Value) -> Value:
    """Return the opposite of a condition."""
    if value.known:
        return literal(not value.constant)
    if value.opposite is not None:
        return replace(value.opposite, opposite=replace(value, opposite=None))
    return Value(f"!{value.at(UNARY)}", UNARY, BOOL, value.sure, opposite=value)


def both(left: Value, right: Value) -> Value:
    """Return whether both conditions hold; the second is looked at only when the first does."""
    if left.known:
        return right if left.constant else left
    if right.known and right.constant:
        return left
    if left.sure:  # `&&` forgives an error of one side, which is wrong only where there could be one
        return Value(f"{left.at(AND)} && {right.at(AND)}", AND, BOOL, right.sure)
    return chosen(left, right, literal(False))


def either(left: Value, right: Value) -> Value:
    """Return whether one of the conditions holds; the second is looked at only when the first does not."""
    if left.known:
        return left if left.constant else right
    if left.sure:
        return Value(f"{left.at(OR)} || {right.at(OR)}", OR, BOOL, right.sure)
    return chosen(left, literal(True), right)


def chosen(test: Value, then: Value, otherwise: Value) -> Value:
    """Return `then` or `otherwise`, by a condition."""
    if test.known:
        return then if test.constant else otherwise
    if then.text == otherwise.text:
        return then
    text = f"{test.at(OR)} ? {then.text} : {otherwise.text}"
    sure = test.sure and then.sure and otherwise.sure
    return Value(text, CONDITIONAL, joined(then.kind, otherwise.kind), sure)


def all_of(conditions: Iterable[Value]) -> Value:
    """Return whether all conditions hold, looked at in their order."""
    rest = list(conditions)
    if not rest:
        return literal(True)
    found = rest.pop()
    for condition in reversed(rest):
        found = both(condition, found)
    return found


def listed(values: list[Value]) -> Value:
    """Return a list of values."""
    alike = bool(values) and all(each.kind == values[0].kind for each in values)
    kind = Kind("list", True, values[0].kind) if alike else LIST
    if all(each.known for each in values):
        return replace(literal([each.constant for each in values]), kind=kind)
    text = f"[{', '.join(each.text for each in values)}]"
    return Value(text, PRIMARY, kind, all(v.sure for v in values), shape=[each.template for each in values])


def mapping(entries: list[tuple[Value, Value]]) -> Value:
    """Return an object of keys and values."""
    if all(key.known and each.known for key, each in entries):
        return literal({key.constant: each.constant for key, each in entries})
    text = "{" + ", ".join(f"{key.text}: {each.text}" for key, each in entries) + "}"
    fixed = all(key.known for key, _ in entries)
    shape = {key.constant: each.template for key, each in entries} if fixed else UNKNOWN
    return Value(text, PRIMARY, DICT, fixed and all(v.sure for _, v in entries), shape=shape)


def spliced(parts: list[str | Value]) -> Value:
    """Return a text made of texts and of values that are texts or numbers."""
    pieces = [literal(part) if isinstance(part, str) else part for part in parts if part != ""]
    if not pieces:
        return literal("")
    if all(each.known for each in pieces):
        return literal("".join(str(each.constant) for each in pieces))
    texts = [each if each.kind.name == "str" else call("string", each, kind=STR) for each in pieces]
    found = texts[0]
    for each in texts[1:]:
        found = binary("+", found, each, SUM, STR)
    plain = not any(mark in literal(part).text for part in parts if isinstance(part, str) for mark in _NOT_PLAIN)
    shape = "".join(p if isinstance(p, str) else f"${{{{ {p.text} }}}}" for p in parts) if plain else UNKNOWN
    sole = len(pieces) == 1 and not isinstance(shape, _NotConstant)
    # One expression alone would keep its type: it has to become text.
    return replace(found, kind=STR, sure=False, shape=UNKNOWN if sole else shape)
