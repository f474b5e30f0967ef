"""`@step`: a function that is a step where a workflow calls it, and the plain function everywhere else.

Imported in the process of every step that is written like this, so it imports little.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Generic, ParamSpec, TypeVar, overload

from segue.errors import StepFailed
from segue.place import Place, here, misuse

P = ParamSpec("P")
R = TypeVar("R")

in_workflow: ContextVar[bool] = ContextVar("segue_in_workflow", default=False)
"""Whether the body of a workflow is running here as plain Python, with no step's body inside it."""

OPTIONS = {
    "id": "",
    "queue": "queue",
    "priority": "priority",
    "resources": "resources",
    "retries": "retry/attempts",
    "retry_delay": "retry/delay",
    "retry_exponential_backoff": "retry/backoff",
    "max_retry_delay": "retry/max_delay",
    "retry": "retry",
    "execution_timeout": "timeout",
    "timeout": "timeout",
    "env": "env",
    "limit": "map/limit",
    "cache": "cache",
    "artifacts": "artifacts",
    "description": "description",
    "requirements": "requirements",
    "isolation": "isolation",
}
"""The arguments of `step`, and the YAML key that each becomes."""


class Step(Generic[P, R]):
    """A step: the function, and how the service is to run it.

    Attributes:
        function: The function as written.
        options: The decorator's arguments.
        keys: What they are in YAML, but for `id` and `limit`, which is the map's.
        place: Where the decorator stands.
    """

    __name__: str

    def __init__(self, function: Callable[P, R], options: Mapping[str, Any], place: Place) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.options = dict(options)
        self.keys = _keys(self.options, function.__doc__)
        self.place = place

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function.

        Raises:
            StepFailed: It raised an exception, and a workflow called it.
        """
        if not in_workflow.get():
            return self.function(*args, **kwargs)
        inside = in_workflow.set(False)  # what a step calls is plain, in a run as here
        try:
            value: R = _finished(self.function(*args, **kwargs))
            return value
        except Exception as error:
            raise StepFailed(self.__name__, error) from error
        finally:
            in_workflow.reset(inside)

    def after(self, *values: Any) -> Step[P, R]:
        """Return the step, to be called when the steps that gave these values have ended: `tell.after(saved)(name)`.

        Plain Python keeps the order of the lines anyway.
        """
        return self

    def __segue_step__(self, inputs: dict[str, Any]) -> tuple[Callable[P, R], dict[str, Any]]:
        """Return what a step's process calls: the function, and its arguments of the types that it names."""
        from segue.functions.received import received

        return self.function, received(self.function, inputs)

    def __repr__(self) -> str:
        return f"<step {self.__name__}>"


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(**options: Any) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a step: `@step`, or `@step(queue="gpu", retries=3)`.

    Args:
        function: The function, at the top level of a module.
        options: `queue`, `priority`, `resources`, `retries`, `retry_delay`, `max_retry_delay`,
            `retry_exponential_backoff`, `retry`, `timeout`, `execution_timeout`, `cache`, `artifacts`, `requirements`
            and `isolation` mean what they mean for an operator. `env` are environment variables; `limit` is how many
            items of a map are in flight at once; `id` is the step's id, the function's name without it; `description`
            is the first line of the docstring without it.
    """
    from segue.options import check_names

    check_names(options, [*OPTIONS], "step")
    place = here()
    if function is None:
        return lambda decorated: _made(decorated, options, place)
    return _made(function, options, place)


def _made(function: Any, options: Mapping[str, Any], place: Place) -> Step[..., Any]:
    if not callable(function) or not hasattr(function, "__code__"):
        raise misuse(
            f"@step stands on {type(function).__name__}, which is no function", hint="put it on a `def`", at=place
        )
    return Step(function, options, place)


def _keys(options: dict[str, Any], docstring: str | None) -> dict[str, Any]:
    from segue.options import step_keys
    from segue.values import plain

    own = {name: value for name, value in options.items() if name not in ("id", "env", "limit")}
    if "description" not in own and (line := first_line(docstring)):
        own["description"] = line
    env = {"env": plain(options["env"], "env")} if "env" in options else {}
    return env | step_keys(own, {})


def first_line(text: str | None) -> str | None:
    """Return the first line of a docstring, if there is one."""
    lines = (text or "").strip().splitlines()
    return lines[0].strip() or None if lines else None


def _finished(value: Any) -> Any:
    """Return what a step's process would return: it awaits what is awaitable."""
    if not hasattr(value, "__await__"):
        return value
    import asyncio

    async def awaited() -> Any:
        return await value

    return asyncio.run(awaited())
