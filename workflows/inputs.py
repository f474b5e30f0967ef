"""From a plan's step to the `StepTask` that a worker gets: templates rendered, sizes checked.

What cannot be built is an `InputError` that names the step's key; nothing else is raised for what users wrote. An
http step's strings that speak of `submit`, `response` or `callback` are left for the worker, with the values they need
beside them; so are texts that hold secrets, whose values are not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from workflows.conditions import expression_error
from workflows.expressions import ExpressionError
from workflows.messages import JSON, MAX_TASK_BYTES, RunRequest, SecretText, StepError, StepTask
from workflows.plan import MAX_MAP_ITEMS, Map, Plan, Step
from workflows.secret_texts import Place, late_paths, parts_of, place_name, taken_out
from workflows.templates import references, render
from workflows.values import brief, json_size, unwrap, wrap

Scope = Mapping[str, JSON]

WORKER_ROOTS = frozenset({"submit", "response"})
"""Names that only the worker of an http step knows."""
CALLBACK = "callback"
"""Another one, of a step that is posted back to; in others it may be the variable of a map."""


class InputError(Exception):
    """A step's input cannot be built; `error` is the step's failure."""

    def __init__(self, error: StepError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What every task of a run says about the run."""

    run: str
    workflow: str
    version: int
    bundle: str | None = None
    requirements: str | tuple[str, ...] | None = None
    python: str | None = None


def run_scope(identity: RunIdentity, request: RunRequest, plan: Plan, started_at: str) -> dict[str, JSON]:
    """Return what expressions of the run see; `steps` is filled in as the steps end."""
    return {
        "params": request.params,
        "steps": {step.id: {"output": None, "status": "waiting"} for step in plan.steps},
        "run": {"id": identity.run, "started_at": started_at, "state": "running"},
        "workflow": {"name": identity.workflow, "version": identity.version},
        "event": request.event,
        "vars": request.vars,
    }


def build_task(
    identity: RunIdentity, step: Step, key: str, generation: int, scope: Scope, item: JSON = None
) -> StepTask:
    """Render a step's templates into the task for its worker.

    Args:
        identity: The run.
        step: The plan's step.
        key: The step's id, or that of one item of its map.
        generation: How often it was scheduled before.
        scope: Root name to value; for a map it already holds the item under the map's name.
        item: The item of the map.

    Raises:
        InputError: An expression fails, or the task is larger than `MAX_TASK_BYTES`.
    """
    step, held = taken_out(step)
    requirements = identity.requirements if step.requirements is None else step.requirements
    task = StepTask(
        run=identity.run,
        workflow=identity.workflow,
        version=identity.version,
        step=step.id,
        key=key,
        generation=generation,
        kind=step.kind,
        action=step.action,
        inputs={name: rendered(value, scope, f"with.{name}") for name, value in step.inputs.items()},
        env={name: rendered(value, scope, f"env.{name}") for name, value in step.env.items()},
        output=step.output,
        item=unwrap(item),
        bundle=identity.bundle,
        requirements=requirements if isinstance(requirements, str) else None,
        timeout=step.timeout.run,
        packages=[*requirements] if isinstance(requirements, tuple) else None,
        python=identity.python,
        isolation=step.isolation.kind,
        network=step.isolation.network,
        resources=step.resources,
        queue_timeout=step.timeout.queue if step.resources else None,
        artifacts=[*step.artifacts],
        cache=None if step.cache is None else {} if step.cache.ttl is None else {"ttl": step.cache.ttl},
    )
    task.secrets = [_secret_text(step, place, text, scope) for place, text in held]
    if step.kind == "http":
        _render_http(task, step, scope)
    elif step.kind == "container":
        task.action = rendered(step.action, scope, "container")
    _check_size(task)
    return task


Shape: TypeAlias = int | list["Shape"]
"""How many items a map has; of a map with another inside, the shape for each of its items."""


@dataclass(frozen=True, slots=True)
class Items:
    """What a map runs over.

    Attributes:
        values: The items in order; of nested maps, for each a list with one value a level.
        paths: Each item's place, one number a level: `(2, 0)` is `train[2][0]`.
        shape: Of the output.
    """

    values: list[JSON]
    paths: list[tuple[int, ...]]
    shape: Shape


def map_items(step_map: Map, scope: Scope) -> Items:
    """Return the items that a map runs over.

    Raises:
        InputError: It is no list, or has more than `MAX_MAP_ITEMS` items.
    """
    found = Items([], [], 0)
    shape = _collect(step_map, scope, (), [], found)
    return Items(found.values, found.paths, shape)


def item_scope(step_map: Map, value: JSON) -> dict[str, JSON]:
    """Return what an item's templates see besides the rest: the variable of each level."""
    if step_map.inner is None:
        return {step_map.name: wrap(value)}
    names = []
    level: Map | None = step_map
    while level is not None:
        names.append(level.name)
        level = level.inner
    return {name: wrap(each) for name, each in zip(names, value, strict=True)}


def _collect(step_map: Map, scope: Scope, path: tuple[int, ...], outer: list[JSON], found: Items) -> Shape:
    items = rendered(step_map.over, scope, "map.over")
    if not isinstance(items, list):
        raise invalid("map.over", f"must be a list, but is {brief(items)!r}")
    total = len(items) + len(found.values)
    if total > MAX_MAP_ITEMS:
        raise invalid("map.over", f"has {total:,} items; at most {MAX_MAP_ITEMS:,} can run", items=total)
    if step_map.inner is None:
        found.values.extend([*outer, item] if path else item for item in items)
        found.paths.extend((*path, number) for number in range(len(items)))
        return len(items)
    return [
        _collect(step_map.inner, {**scope, step_map.name: wrap(item)}, (*path, number), [*outer, item], found)
        for number, item in enumerate(items)
    ]


def rendered(template: JSON, scope: Scope, where: str) -> JSON:
    """Render a template that stands at `where`.

    Raises:
        InputError: An expression fails.
    """
    try:
        return render(template, scope)
    except ExpressionError as problem:
        raise InputError(expression_error(problem, where)) from None


def worker_roots(action: Mapping[str, JSON]) -> frozenset[str]:
    """Return the names that only the worker of an http step with this action knows."""
    return WORKER_ROOTS | {CALLBACK} if CALLBACK in action else WORKER_ROOTS


def _secret_text(step: Step, place: Place, text: str, scope: Scope) -> SecretText:
    try:
        return SecretText([*place], parts_of(text, scope, worker_roots(step.action)))
    except ExpressionError as problem:
        raise InputError(expression_error(problem, place_name(step.kind, [*place]))) from None


def _render_http(task: StepTask, step: Step, scope: Scope) -> None:
    roots = worker_roots(step.action)
    later = {path for text in task.secrets for path in late_paths(text.parts) if path[0] not in roots}
    task.action = _render_known(step.action, scope, "http", later, roots)
    if step.output is not None:
        task.output = {
            name: {**declared, "value": _render_known(declared["value"], scope, f"output.{name}", later, roots)}
            if "value" in declared
            else declared
            for name, declared in step.output.items()
        }
    task.scope = _values_of(later, scope)


def _render_known(template: JSON, scope: Scope, where: str, later: set[tuple[str, ...]], roots: frozenset[str]) -> Any:
    """Render what can be rendered now; add to `later` the paths that the worker still needs, beside its own `roots`."""
    if isinstance(template, dict):
        return {name: _render_known(value, scope, f"{where}.{name}", later, roots) for name, value in template.items()}
    if isinstance(template, list):
        return [_render_known(value, scope, f"{where}[{place}]", later, roots) for place, value in enumerate(template)]
    if not isinstance(template, str) or "${{" not in template:
        return template
    try:
        paths = references(template)
    except ExpressionError as problem:
        raise InputError(expression_error(problem, where)) from None
    if any(path[0] in roots for path in paths):
        later.update(path for path in paths if path[0] not in roots)
        return template
    return rendered(template, scope, where)


def _values_of(paths: Iterable[tuple[str, ...]], scope: Scope) -> dict[str, JSON]:
    """Return the part of the scope that the paths read, two names deep: `params.grid`, `steps.train`."""
    part: dict[str, JSON] = {}
    for path in sorted(paths, key=len):
        root = path[0]
        if root not in scope:
            continue
        value = scope[root]
        if len(path) == 1 or not isinstance(value, dict):
            part[root] = unwrap(value)
        elif path[1] in value:
            part.setdefault(root, {}).setdefault(path[1], unwrap(value[path[1]]))
    return dict(sorted(part.items()))


def _check_size(task: StepTask) -> None:
    sizes = {}
    for name in ("inputs", "env", "action", "scope", "item", "secrets"):
        value = getattr(task, name)
        try:
            sizes[name] = json_size([text.parts for text in value] if name == "secrets" else value)
        except ValueError as problem:
            raise invalid(_PLACES[name], f"is not JSON: {problem}") from None
    total = sum(sizes.values())
    if total > MAX_TASK_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise invalid(
            _PLACES[largest],
            f"is {sizes[largest]:,} bytes; a step's whole input may have {MAX_TASK_BYTES:,}. "
            "Pass large data as a file: an output above 16 KiB travels by reference when it is passed on whole",
            bytes=total,
        )


_PLACES = {
    "inputs": "with",
    "env": "env",
    "action": "the step itself",
    "scope": "the step itself",
    "item": "map.over",
    "secrets": "the texts with secrets",
}


def invalid(where: str, message: str, **facts: JSON) -> InputError:
    """Return the error of an input that cannot be used; `where` begins its message."""
    return InputError(StepError("InputInvalid", f"{where} {message}", {"where": where, **facts}))
