"""`@workflow`: a function whose body is a workflow. Called, it is the function; deployed, its text is compiled."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from segue.functions.step import first_line, in_workflow
from segue.place import Place, here, misuse

if TYPE_CHECKING:
    from segue.triggers import Trigger

P = ParamSpec("P")
R = TypeVar("R")

OPTIONS = {
    "name": "name",
    "description": "description",
    "triggers": "triggers",
    "labels": "labels",
    "concurrency": "concurrency",
    "max_active_runs": "concurrency",
    "on_failure": "on_failure",
    "fail_fast": "on_failure",
    "default_args": "defaults",
    "max_parallel": "max_parallel",
    "timeout": "timeout",
    "include": "code/include",
    "requirements": "code/requirements",
    "python": "code/python",
}
"""The arguments of `workflow`, and the YAML key that each becomes; they mean what they mean for a `DAG`."""

made: list[Workflow[..., Any]] = []
"""Every workflow of this process that is a function, in the order they were made."""


class Workflow(Generic[P, R]):
    """A workflow: the function, and what the service is to know of it.

    Attributes:
        function: The function as written.
        keys: What the decorator's arguments are in YAML.
        triggers: Of those, the triggers.
        place: Where the decorator stands.
        name: The workflow's name.
    """

    __name__: str

    def __init__(self, function: Callable[P, R], options: Mapping[str, Any], place: Place) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.triggers: list[Trigger] = list(options.get("triggers", ()))
        self.keys = _keys(options, self.triggers, function.__doc__)
        self.place = place
        self.file = Path(function.__code__.co_filename).absolute()
        self.name = str(options.get("name") or function.__name__.strip("_").lower().replace("_", "-"))
        made.append(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function: plain Python, without a service.

        Another workflow may call it, also in a loop: in a run it is then a run of its own, and one step of the other.

        Raises:
            StepFailed: A step raised an exception, and the workflow does not catch it.
        """
        outside = in_workflow.set(True)
        try:
            return self.function(*args, **kwargs)
        finally:
            in_workflow.reset(outside)

    def after(self, *values: Any) -> Workflow[P, R]:
        """Return the workflow, to be called by another when the steps that gave these values have ended."""
        return self

    def document(self, source: str) -> dict[str, Any]:
        """Return the definition document, compiled from the function's text.

        Args:
            source: The text of the file that holds it.

        Raises:
            InvalidDefinition: With the file and line of everything that is wrong.
        """
        from segue.functions.compile import compiled

        return compiled(self, source)

    def test(self, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run the compiled workflow on the engine and wait for it; progress is shown on stderr.

        Uses the service if one is up, else starts one for as long as the run takes. Call it under
        `if __name__ == "__main__":`.

        Returns:
            The outcome as `segue run --json` prints it.

        Raises:
            RunFailed: The run did not succeed.
        """
        from segue.engine import run_file

        file = self.file
        while self.function.__globals__.get("__package__") and (file.parent / "__init__.py").is_file():
            file = file.parent  # a module of a package is found through its package
        return run_file(file, self.name, dict(params or {}))

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"


def _keys(options: Mapping[str, Any], triggers: list[Trigger], docstring: str | None) -> dict[str, Any]:
    from segue.duration import duration_text
    from segue.options import concurrency_keys, default_keys
    from segue.values import plain

    for trigger in triggers:
        if not hasattr(trigger, "definition"):
            raise misuse(f"{trigger!r} is no trigger", hint='triggers=[cron("0 6 * * MON"), event("name")]')
    keys = {
        "description": options.get("description") or first_line(docstring),
        "labels": plain(options.get("labels"), "labels"),
        "triggers": [trigger.definition for trigger in triggers],
        "concurrency": concurrency_keys(options.get("concurrency"), options.get("max_active_runs")),
        "on_failure": options.get("on_failure", "stop" if options.get("fail_fast") else None),
        "max_parallel": options.get("max_parallel"),
        "timeout": duration_text(options["timeout"], "timeout") if "timeout" in options else None,
        "defaults": default_keys(options.get("default_args", {})),
        "code": {name: plain(options[name], name) for name in ("include", "requirements", "python") if name in options},
    }
    return {key: value for key, value in keys.items() if value is not None and value not in ({}, [], "")}


def decorated(function: Any, options: Mapping[str, Any]) -> Any:
    """Do what `@workflow` does: return the workflow, or without a function the decorator that makes it."""
    from segue.options import check_names

    check_names(options, [*OPTIONS], "workflow")
    place = here()
    if function is None:
        return lambda later: _made(later, options, place)
    return _made(function, options, place)


def _made(function: Any, options: Mapping[str, Any], place: Place) -> Workflow[..., Any]:
    if not hasattr(function, "__code__"):
        raise misuse(
            f"@workflow stands on {type(function).__name__}, which is no function", hint="put it on a `def`", at=place
        )
    return Workflow(function, options, place)
