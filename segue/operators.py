"""The operators of the Python spelling: kinds of steps, under Airflow's names.

An operator only describes a step; it never runs anything. Its id is the first argument or `task_id`, else the name of
the variable it is assigned to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, Generic, TypeVar, Unpack, cast

from segue.arrows import Conditional, Node
from segue.expression import Expression, expr, named_item, step_expression
from segue.options import KEYS, StepOptions, check_names, condition_text, step_keys
from segue.place import Place, calling_frame, misuse, not_supported, place_of
from segue.values import plain, shown

_numbers = count(1)
_O = TypeVar("_O", bound="Operator")


class Operator(Node):
    """A step of the DAG whose `with` block is open.

    Attributes:
        number: Stands for the id in expressions until the DAG is complete.
        keys: The step as YAML would write it, without its needs.
        place: Where the operator was made.
        ending: Whether it was made in a `Finally` block.
    """

    arguments: ClassVar[dict[str, str]] = {}
    """Its own arguments, and the YAML key that each becomes."""
    inherits: ClassVar[bool] = True
    """Whether `default_args` fill the rest of a `retry` or `timeout` that it begins."""
    paths: dict[str, str]
    """All arguments that have a meaning for this step, and the YAML key that each becomes."""

    def __init__(self, task_id: str | None, keys: dict[str, Any], options: Mapping[str, Any]) -> None:
        from segue.dag import current_dag

        check_names(options, [*self.arguments, *KEYS], type(self).__name__)
        frame = calling_frame()
        self.place: Place = place_of(frame)
        self.frame: FrameType | None = frame
        self.number = next(_numbers)
        self.dag = options.get("dag") or current_dag(type(self).__name__)
        defaults = self.dag.default_args
        if not self.inherits:
            defaults = {name: value for name, value in defaults.items() if name == "trigger_rule"}
        self.keys = keys | step_keys(options, defaults)
        self.ending = self.dag.ending
        self._id: str | None = None
        self.prefix = self.dag.prefix
        self.paths = {**KEYS, **self.arguments}
        if task_id is not None:
            self.name(task_id)
        self.dag.add(self)

    @property
    def id(self) -> str:
        """The step's id.

        Raises:
            InvalidDefinition: It is the variable's name, and the `with` block is still open.
        """
        if self._id is None:
            raise misuse("this step has no id yet: it gets the name of its variable when the `with` block ends")
        return self._id

    @property
    def named(self) -> bool:
        """Whether the id is known."""
        return self._id is not None

    def name(self, task_id: Any) -> None:
        """Give the step its id, prefixed by the groups it is in."""
        if not isinstance(task_id, str):
            raise misuse(f"a step's id is text, not {task_id!r}", hint='Operator("my_step", ...)')
        self._id = self.prefix + task_id

    @property
    def output(self) -> Expression:
        """The step's output, as an expression."""
        return step_expression(self.number).output

    @property
    def status(self) -> Expression:
        """The step's state once it has ended (`succeeded`, `failed`, `skipped` ...), as an expression."""
        return step_expression(self.number).status

    def when(self, condition: Expression | str) -> Conditional:
        """Put a condition on the arrows that start here: `a.when(a.output["ok"] == True) >> b`.

        The condition is looked at when the step has succeeded. False makes the arrow `skipped`.
        """
        return Conditional(self, expr(condition_text(condition, "when()")))

    @classmethod
    def partial(cls: type[_O], *positional: Any, **arguments: Any) -> Partial[_O]:
        """Begin a map, completed by `.expand(name=list)`: one run of the step per item.

        Args:
            positional: The operator's arguments.
            arguments: Those by name; also `limit` (items in flight at once) and `min_success` (`"80%"` or a number: how
                many items must succeed).
        """
        return Partial(cls, positional, arguments)

    def expand(self: _O, **over: Any) -> _O:
        """Put a map inside the one that the step has: one run per item of both.

        The list may speak of the outer map's variable: `.expand(data=params.sets).expand(row=item.rows)`. In the step's
        own arguments `item` is the innermost map's; the others go by their names: `expr("data")`.

        Args:
            over: One name and a list, or an expression for one.
        """
        if "map" not in self.keys:
            raise misuse("expand() goes on a map", hint=f"{type(self).__name__}.partial(...).expand(hp=[...])")
        name = _variable(over, type(self))
        outer = self.keys["map"] if isinstance(self.keys["map"], list) else [self.keys["map"]]
        level = {"over": _outer_item(plain(over[name], name), outer[-1]["as"]), "as": name}
        self.keys["map"] = [*outer, level]
        if isinstance(self, PythonOperator):
            self.keys["with"] = {name: str(Expression(name)), **self.keys.get("with", {})}
        self.place = place_of(calling_frame())
        if len(outer) == 1:
            self.paths = {key: path.replace("map/", "map/0/", 1) for key, path in self.paths.items()}
        self.paths[name] = f"map/{len(outer)}/over"
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._id or 'without id'}>"


class Partial(Generic[_O]):
    """An operator that still misses the list it is mapped over."""

    def __init__(self, operator: type[_O], positional: tuple[Any, ...], arguments: dict[str, Any]) -> None:
        self._operator = operator
        self._positional = positional
        self._options = {"limit": arguments.pop("limit", None), "min_success": arguments.pop("min_success", None)}
        if "max_active_tis_per_dagrun" in arguments:
            self._options["limit"] = arguments.pop("max_active_tis_per_dagrun")
        self._arguments = arguments

    def expand(self, **over: Any) -> _O:
        """Make the operator, run once per item.

        Args:
            over: One name and a list, or an expression for one: `expand(hp=params.grid)`. The name is the variable that
                holds the item; a Python step gets it as an argument of that name.
        """
        name = _variable(over, self._operator)
        if issubclass(self._operator, PythonOperator):
            given = self._arguments.get("op_kwargs") or {}
            self._arguments["op_kwargs"] = {**given, name: given.get(name, Expression(name))}
        made = self._operator(*self._positional, **self._arguments)
        options = {key: value for key, value in self._options.items() if value is not None}
        made.keys["map"] = {"over": plain(over[name], name), "as": name, **plain(options, "partial")}
        made.paths |= {name: "map/over", "limit": "map/limit", "min_success": "map/min_success"}
        return made


def _variable(over: dict[str, Any], operator: type[Operator]) -> str:
    """Return the name in `expand(name=...)`."""
    if len(over) != 1:
        hint = "for one of each: expand(a=[...]).expand(b=[...]); for pairs, one list: expand(hp=[{...}, {...}])"
        raise not_supported(f"expand() with {len(over)} lists", hint=hint)
    name = next(iter(over))
    if name in operator.arguments or name in KEYS:
        hint = "the name in expand() is the item's variable: expand(hp=[...]), used as segue.item"
        raise not_supported(f"expand({name}=...)", hint=hint)
    return name


def _outer_item(over: Any, name: str) -> Any:
    """Return an inner map's list, in which `item` is the outer map's."""
    if isinstance(over, list):
        return [_outer_item(each, name) for each in over]
    if isinstance(over, dict):
        return {key: _outer_item(each, name) for key, each in over.items()}
    return named_item(over, name) if isinstance(over, str) else over


class BashOperator(Operator):
    """A shell step.

    Args:
        bash_command: The script, as it is: values travel through `env`, because an expression inside a script is an
            open door for whoever chooses the value.
        env: Environment variables; expressions allowed.
    """

    arguments: ClassVar = {"bash_command": "run", "env": "env"}

    def __init__(
        self,
        task_id: str | None = None,
        bash_command: str | None = None,
        *,
        env: Mapping[str, Any] | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        if bash_command is None:
            raise misuse("BashOperator needs bash_command", hint='BashOperator("my_step", bash_command="echo hello")')
        if isinstance(bash_command, Expression):
            raise misuse(
                "bash_command cannot be an expression: values travel through env",
                hint='env={"VALUE": ...} and bash_command=\'... "$VALUE"\'',
            )
        keys = {"run": plain(bash_command, "bash_command")}
        super().__init__(task_id, keys | _given(env=env), options)


class PythonOperator(Operator):
    """A Python step, called as `function(**op_kwargs)` in the step's own environment; what it returns is the output.

    Args:
        python_callable: `"module:function"`, or the function itself, at the top level of a module in the bundle.
        op_kwargs: Arguments by name; expressions allowed.
        env: Environment variables; expressions allowed.
    """

    arguments: ClassVar = {"python_callable": "python", "op_kwargs": "with", "env": "env"}

    def __init__(
        self,
        task_id: str | None = None,
        python_callable: str | Callable[..., Any] | None = None,
        *,
        op_kwargs: Mapping[str, Any] | None = None,
        env: Mapping[str, Any] | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        if python_callable is None:
            raise misuse(
                "PythonOperator needs python_callable", hint='PythonOperator(python_callable="module:function")'
            )
        if "op_args" in options:
            raise not_supported("op_args", hint="give arguments by name: op_kwargs={...}")
        keys = {"python": callable_name(python_callable)}
        super().__init__(task_id, keys | _given(op_kwargs=op_kwargs, env=env), options)


class HttpOperator(Operator):
    """A step that calls a service: one request, or a remote job that is submitted, polled or waited for, and cancelled.

    Args:
        url: Where to; `endpoint` means the same.
        method: `GET` without it.
        json: A JSON body; `data` is a text body. Expressions allowed in both.
        params: The query.
        expect: Status codes that count as success.
        submit: The request that starts a job; `response` and `submit` from `segue` stand for the answers.
        poll: `{"url", "every", "until", "fail_if"}`: asked again until `until` is true.
        callback: Instead of `poll`: the service posts back to `callback.url`; `True`, or `{"fail_if"}`.
        cancel: The request that stops the job.
    """

    arguments: ClassVar = {
        **{name: f"http/{name}" for name in ("url", "method", "headers", "params", "json", "expect")},
        **{name: f"http/{name}" for name in ("submit", "poll", "callback", "cancel")},
        "endpoint": "http/url",
        "data": "http/body",
        "body": "http/body",
    }

    def __init__(
        self,
        task_id: str | None = None,
        url: str | Expression | None = None,
        *,
        endpoint: str | Expression | None = None,
        method: str | None = None,
        headers: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Any = None,
        body: Any = None,
        expect: Any = None,
        submit: Mapping[str, Any] | None = None,
        poll: Mapping[str, Any] | None = None,
        callback: bool | Mapping[str, Any] | None = None,
        cancel: Mapping[str, Any] | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        request = {"url": url if endpoint is None else endpoint, "method": method, "headers": headers, "params": params}
        request |= {"json": json, "body": data if body is None else body, "expect": expect}
        job = {"submit": submit, "poll": poll, "callback": callback, "cancel": cancel}
        given = {name: plain(value, name) for name, value in (request | job).items() if value is not None}
        if not given:
            raise misuse("HttpOperator needs url, or submit and poll", hint='HttpOperator(url="https://...")')
        super().__init__(task_id, {"http": given}, options)


class EmptyOperator(Operator):
    """A step that does nothing: a place for arrows to meet."""

    def __init__(self, task_id: str | None = None, **options: Unpack[StepOptions]) -> None:
        super().__init__(task_id, {"uses": "noop"}, options)


class UsesOperator(Operator):
    """A step that several workflows share: `UsesOperator("./common/auth.yaml", inputs={"user": params.user})`.

    Args:
        uses: A file beside the definition, or a package of the library such as `library/auth@2`.
        inputs: What it asks for; expressions allowed.
        env: Environment variables beyond its own; expressions allowed.
    """

    arguments: ClassVar = {"uses": "uses", "inputs": "with", "env": "env"}
    inherits = False

    def __init__(
        self,
        uses: str | None = None,
        *,
        task_id: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        env: Mapping[str, Any] | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        if uses is None:
            raise misuse("UsesOperator needs uses", hint='UsesOperator("./common/auth.yaml", inputs={...})')
        super().__init__(task_id, {"uses": plain(uses, "uses")} | _given(inputs=inputs, env=env), options)


def _given(**values: Any) -> dict[str, Any]:
    names = {"op_kwargs": "with", "inputs": "with", "env": "env"}
    return {names[name]: plain(value, name) for name, value in values.items() if value is not None}


def callable_name(target: str | Callable[..., Any], file: Path | None = None) -> str:
    """Return `module:function` for a function, so that a step's process can import it.

    Args:
        target: The function, or its name already.
        file: The file that is running as `__main__`; without it, that of the line that is running.
    """
    if isinstance(target, str):
        return target
    module = cast(str | None, getattr(target, "__module__", None))
    name = cast(str | None, getattr(target, "__qualname__", None))
    if not module or not name or "<" in name:
        raise misuse(
            f"the function of a step is {name or shown(target)}, which a step's process cannot import",
            hint="define a function with `def` at the top level of a file",
        )
    if module == "__main__":
        module = (file or Path(calling_frame().f_code.co_filename)).stem
    if not all(part.isidentifier() for part in module.split(".")):
        raise misuse(
            f"the function {name} is in {module}.py, which a step's process cannot import by that name",
            hint="move the function to a file whose name is a Python identifier",
        )
    return f"{module}:{name}"
