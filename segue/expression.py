"""Expressions written as Python objects: `params.grid`, `train.output["accuracy"] >= params.min_accuracy`.

An object stands for a value that exists only when the workflow runs. Operators on it build the text of a Segue
expression (`${{ ... }}`), which the translator checks and the interpreter evaluates. Nothing is evaluated here, and
asking one of these objects for its value now (`if`, `and`, `in`, `for`, `len`) is an error that names the line.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar, overload

from segue.place import misuse

if TYPE_CHECKING:
    from segue.functions.workflow import Workflow
    from segue.triggers import Trigger

_P = ParamSpec("_P")
_R = TypeVar("_R")

# How tightly each form binds, loosest first: parentheses are written only where they are needed.
_OR, _AND, _RELATION, _SUM, _PRODUCT, _UNARY, _PRIMARY = range(7)

# Ids and the name of a map's variable are known only when the DAG is complete. Until then a mark from the private use
# area stands for them, so that expressions survive f-strings and string methods.
_STEP_MARK = re.compile("\ue000([0-9]+)\ue001")
_ITEM_MARK = "\ue000item\ue001"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_RESERVED = {"true", "false", "null", "in"}


class Expression:
    """A value that exists only when the workflow runs.

    Fields are read as attributes or items: `params.grid`, `train.output["accuracy"]`, `params.grid[0]`. Use `&`, `|`
    and `~` for and, or and not, with parentheses around comparisons, and `.in_([...])` for `in`.
    """

    __slots__ = ("_level", "_text")

    def __init__(self, text: str, level: int = _PRIMARY) -> None:
        self._text = text
        self._level = level

    def __getattr__(self, name: str) -> Expression:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, key: str | int | Expression) -> Expression:
        base = _operand(self, _PRIMARY)
        if isinstance(key, str) and _NAME.match(key) and key not in _RESERVED:
            return Expression(f"{base}.{key}")
        return Expression(f"{base}[{text_of(key)}]")

    def __call__(self, *arguments: Any) -> Expression:
        """Build a call: `params.name.startsWith("x")`."""
        return Expression(f"{self._text}({', '.join(text_of(a) for a in arguments)})")

    def in_(self, values: Any) -> Expression:
        """Build `value in values`."""
        return _binary("in", self, values, _RELATION)

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]  # builds text, compares nothing
        return _binary("==", self, other, _RELATION)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]  # builds text, compares nothing
        return _binary("!=", self, other, _RELATION)

    def __lt__(self, other: Any) -> Expression:
        return _binary("<", self, other, _RELATION)

    def __le__(self, other: Any) -> Expression:
        return _binary("<=", self, other, _RELATION)

    def __gt__(self, other: Any) -> Expression:
        return _binary(">", self, other, _RELATION)

    def __ge__(self, other: Any) -> Expression:
        return _binary(">=", self, other, _RELATION)

    def __and__(self, other: Any) -> Expression:
        return _binary("&&", self, other, _AND)

    def __rand__(self, other: Any) -> Expression:
        return _binary("&&", other, self, _AND)

    def __or__(self, other: Any) -> Expression:
        return _binary("||", self, other, _OR)

    def __ror__(self, other: Any) -> Expression:
        return _binary("||", other, self, _OR)

    def __invert__(self) -> Expression:
        return Expression(f"!{_operand(self, _UNARY)}", _UNARY)

    def __neg__(self) -> Expression:
        return Expression(f"-{_operand(self, _UNARY)}", _UNARY)

    def __add__(self, other: Any) -> Expression:
        return _binary("+", self, other, _SUM)

    def __radd__(self, other: Any) -> Expression:
        return _binary("+", other, self, _SUM)

    def __sub__(self, other: Any) -> Expression:
        return _binary("-", self, other, _SUM)

    def __rsub__(self, other: Any) -> Expression:
        return _binary("-", other, self, _SUM)

    def __mul__(self, other: Any) -> Expression:
        return _binary("*", self, other, _PRODUCT)

    def __rmul__(self, other: Any) -> Expression:
        return _binary("*", other, self, _PRODUCT)

    def __truediv__(self, other: Any) -> Expression:
        return _binary("/", self, other, _PRODUCT)

    def __rtruediv__(self, other: Any) -> Expression:
        return _binary("/", other, self, _PRODUCT)

    def __mod__(self, other: Any) -> Expression:
        return _binary("%", self, other, _PRODUCT)

    def __rmod__(self, other: Any) -> Expression:
        return _binary("%", other, self, _PRODUCT)

    def __str__(self) -> str:
        return f"${{{{ {self._text} }}}}"

    def __format__(self, spec: str) -> str:
        if spec:
            raise misuse(f"an expression cannot be formatted with {spec!r}: its value exists only when the run does")
        return str(self)

    def __repr__(self) -> str:
        return f"<expression {self._text}>"

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        raise misuse(
            f"the expression {_shown(self._text)} has no value yet: it is evaluated when the workflow runs",
            hint="use a.when(expression) >> b or condition= to decide, & | ~ for and, or and not, "
            "and parentheses around each comparison",
        )

    def __len__(self) -> NoReturn:
        raise misuse(f"the length of {_shown(self._text)} is not known yet", hint="use size(...) from segue")

    def __contains__(self, value: object) -> NoReturn:
        raise misuse("'in' asks for an answer now; the value exists only when the run does", hint="use value.in_(list)")

    def __iter__(self) -> Iterator[Any]:
        raise misuse(
            f"the items of {_shown(self._text)} are not known yet, so Python cannot loop over them",
            hint="use Operator.partial(...).expand(item=...) for one run of a step per item",
        )


class EventExpression(Expression):
    """`event.rows` is a field of the event that started the run; `event("name")` is a trigger on events."""

    __slots__ = ()

    def __call__(  # type: ignore[override]  # makes a trigger, not an expression
        self, name: str, *, condition: Any = None, debounce: Any = None, params: dict[str, Any] | None = None
    ) -> Trigger:
        """Make a trigger: an event of this name starts a run.

        Args:
            name: The event's name.
            condition: An expression over `event`: only events for which it is true count.
            debounce: After an event, how long to wait for quiet; then the last one counts.
            params: Params of the run, whose expressions may read `event`.
        """
        from segue.triggers import event_trigger

        return event_trigger(name, condition, debounce, params)


class WorkflowExpression(Expression):
    """`workflow.name` is a value of the run; `@workflow` makes a function a workflow."""

    __slots__ = ()

    @overload  # type: ignore[override]
    def __call__(self, function: Callable[_P, _R], /) -> Workflow[_P, _R]: ...
    @overload
    def __call__(self, /, **options: Any) -> Callable[[Callable[_P, _R]], Workflow[_P, _R]]: ...
    def __call__(self, function: Any = None, /, **options: Any) -> Any:
        """Make a function a workflow: `@workflow`, or `@workflow(triggers=[cron("0 6 * * MON")])`.

        Args:
            function: The function; its body is compiled when the workflow is deployed.
            options: `name`, the function's with dashes without it; `description`, the docstring's first line without
                it; `triggers`, `labels`, `default_args`, `max_parallel`, `timeout`, `include`, `requirements` and
                `python` mean what they mean for a DAG. The params are the function's own.
        """
        from segue.functions.workflow import decorated

        return decorated(function, options)


class SecretsExpression(Expression):
    """`secrets.TOKEN` is a secret that a step's worker will know.

    Where a workflow that is a function is called as plain Python, it is the one of this machine.
    """

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        from segue.functions.step import in_workflow

        if in_workflow.get():
            from segue.secret_sources import secret_here

            return secret_here(key)
        return super().__getitem__(key)


params = Expression("params")
"""The run's parameters."""
vars = Expression("vars")
"""The service's variables, as they were when the run started."""
secrets = SecretsExpression("secrets")
"""Secrets: each step's worker resolves its own, so they stand only in what reaches a worker, such as `env`."""
run = Expression("run")
"""The run: `run.id`, `run.started_at`."""
workflow = WorkflowExpression("workflow")
"""The workflow: `workflow.name`, `workflow.version`; as a decorator it makes one of a function."""
event = EventExpression("event")
response = Expression("response")
"""The answer of an http step: `response.json`, `response.status`."""
submit = Expression("submit")
"""The answer to an http step's `submit` request, in its `poll` and `cancel`."""
callback = Expression("callback")
"""Where the service of an http step with `callback=True` is to post: `callback.url`, in its `submit`."""
item = Expression(_ITEM_MARK)
"""The item of the map that the step is expanded over, whatever its variable is called."""


def expr(text: str) -> Expression:
    """Return an expression from its text, for what Python's operators cannot say: `expr("size(params.grid) > 2")`."""
    inner = text.strip()
    if inner.startswith("${{") and inner.endswith("}}"):
        inner = inner[3:-2].strip()
    return Expression(inner, _OR)


def has(value: Expression) -> Expression:
    """Build `has(value)`: true when the field is there and not null."""
    return Expression(f"has({text_of(value)})")


def size(value: Expression) -> Expression:
    """Build `size(value)`: the length of a list, a text or an object."""
    return Expression(f"size({text_of(value)})")


def step_expression(number: int) -> Expression:
    """Return the expression `steps.<id>` of the step with this number; its id may be unknown yet."""
    return Expression(f"\ue000{number}\ue001")


def text_of(value: Any) -> str:
    """Return an expression's text, or the literal for a plain value."""
    if isinstance(value, Expression):
        return value._text
    own = getattr(value, "output", None)
    if isinstance(own, Expression):  # an operator stands for its output
        return own._text
    return _literal(value)


def steps_in(text: str) -> list[int]:
    """Return the numbers of the steps that marked text speaks of."""
    return [int(number) for number in _STEP_MARK.findall(text)]


def named_item(text: str, name: str) -> str:
    """Put the name of a map's variable in the place of its mark."""
    return text.replace(_ITEM_MARK, name)


def resolve(text: str, ids: dict[int, str], *, edge_from: int | None = None, item_name: str = "item") -> str:
    """Put ids and names in the place of marks.

    Args:
        text: Marked text.
        ids: Step number to id.
        edge_from: The step whose edge carries the text: its output is then called `output`.
        item_name: The variable of the map.
    """
    if edge_from is not None:
        text = re.sub(rf"\ue000{edge_from}\ue001\.output\b", "output", text)
    return _STEP_MARK.sub(lambda mark: _step_path(ids[int(mark[1])]), text).replace(_ITEM_MARK, item_name)


def _step_path(step: str) -> str:
    return f"steps.{step}" if _NAME.match(step) and step not in _RESERVED else f"steps[{_literal(step)}]"


def _binary(operator: str, left: Any, right: Any, level: int) -> Expression:
    # Left-associative: an equal level needs parentheses on the right only. Relations do not associate at all.
    left_text = _operand(left, level + 1 if level == _RELATION else level)
    return Expression(f"{left_text} {operator} {_operand(right, level + 1)}", level)


def _operand(value: Any, level: int) -> str:
    text = text_of(value)
    return f"({text})" if isinstance(value, Expression) and value._level < level else text


def _literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        escaped = json.dumps(value, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(text_of(v) for v in value) + "]"
    raise misuse(
        f"{value!r} ({type(value).__name__}) cannot stand in an expression",
        hint="use text, numbers, true, false, None, lists of those, or another expression",
    )


def _shown(text: str) -> str:
    return _STEP_MARK.sub("steps.…", text).replace(_ITEM_MARK, "item")
