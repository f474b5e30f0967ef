"""`with DAG("name", ...) as dag`: a workflow in the Python spelling.

A DAG gathers operators and arrows and gives the same definition document that YAML gives; the translator checks it and
the service runs it. Never runs a step itself: `dag.test()` asks the engine to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from segue.arrows import Arrow, Node
from segue.codes import Code
from segue.document import build
from segue.duration import duration_text
from segue.operators import Operator
from segue.options import DEFAULTS, Duration, check_names, concurrency_keys, default_keys
from segue.param import schema_of
from segue.place import Place, calling_frame, misuse, place_of
from segue.triggers import Trigger, scheduled
from segue.values import plain

_open: list[DAG] = []
made: list[DAG] = []
"""Every DAG of this process, in the order they were made."""

_FROM_DEFAULT_ARGS = ("owner", "start_date", "trigger_rule")


class DAG:
    """A workflow. Operators made inside its `with` block are its steps.

    Args:
        dag_id: The workflow's name; without it the file's, with dashes for underscores.
        schedule: Cron text or a preset such as `@daily`; `schedule_interval` means the same.
        start_date: Accepted when it is in the past: it gives the time zone, unless `timezone` does.
        catchup: How far back missed runs are made up for, such as `"24h"`.
        overlap: What a schedule does while the run before is still going.
        triggers: More of them: `cron(...)`, `event(...)`.
        params: Name to default value, to `Param`, or to a JSON Schema (an object with `type` or `enum`).
        default_args: Options of every step that does not say otherwise: `retries`, `retry_delay`, `queue`, `priority`,
            `resources`, `env`, `execution_timeout`, `trigger_rule` ...
        concurrency: Runs at once: `{"key": ..., "limit": 1, "when_full": "queue"}`, or `skip`, or `cancel_oldest`; the
            key may be an expression, and runs with the same key share the limit.
        max_active_runs: Of all runs of the workflow, instead of `concurrency`; others wait their turn.
        max_parallel: Steps in flight at once; `max_active_tasks` means the same.
        timeout: Of the whole run; `dagrun_timeout` means the same.
        on_failure: What a failed step does to the rest: `finish` (branches that do not need it go on), `stop` (they
            are cancelled), or `hold` (the step waits for a person).
        fail_fast: True means `on_failure="stop"`.
        include: Glob patterns of the code that travels with the workflow.
        requirements: A requirements file, a `pyproject.toml` or a `uv.lock` beside the definition, or a list of
            requirements; steps run in an environment made from it.
        python: Which versions of Python steps may run in, such as `>=3.11`.
        output: The run's output, built from expressions; may also be assigned to `dag.output`.
    """

    def __init__(
        self,
        dag_id: str | None = None,
        *,
        description: str | None = None,
        schedule: Any = None,
        schedule_interval: Any = None,
        start_date: datetime | None = None,
        timezone: str | None = None,
        catchup: Any = None,
        overlap: str | None = None,
        triggers: Sequence[Trigger] = (),
        params: Mapping[str, Any] | None = None,
        default_args: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        concurrency: Mapping[str, Any] | None = None,
        max_active_runs: int | None = None,
        max_parallel: int | None = None,
        max_active_tasks: int | None = None,
        timeout: Duration | None = None,
        dagrun_timeout: Duration | None = None,
        on_failure: str | None = None,
        fail_fast: bool = False,
        include: Sequence[str] | None = None,
        requirements: str | Sequence[str] | None = None,
        python: str | None = None,
        output: Any = None,
        **unknown: Any,
    ) -> None:
        check_names(unknown, [*ARGUMENTS], "DAG")
        frame = calling_frame()
        self.place: Place = place_of(frame)
        self.file = Path(frame.f_code.co_filename)
        self.default_args = dict(default_args or {})
        check_names(self.default_args, [*DEFAULTS, *_FROM_DEFAULT_ARGS], "default_args")
        owner = {"owner": str(self.default_args["owner"])} if "owner" in self.default_args else {}
        self.name = dag_id if dag_id is not None else self.file.stem.lower().replace("_", "-")
        self.description = description
        self.defaults = default_keys(self.default_args)
        self.labels = plain({**owner, **(labels or {})}, "labels")
        self.params = {name: schema_of(name, value) for name, value in (params or {}).items()}
        self.max_parallel = max_parallel if max_parallel is not None else max_active_tasks
        limit = timeout if timeout is not None else dagrun_timeout
        self.timeout = None if limit is None else duration_text(limit, "timeout")
        self.concurrency = concurrency_keys(concurrency, max_active_runs)
        self.on_failure = on_failure if on_failure is not None else ("stop" if fail_fast else None)
        self.include = plain(include, "include")
        self.requirements = plain(requirements, "requirements")
        self.python = python
        self.output = output
        self.triggers = [
            *scheduled(
                schedule if schedule is not None else schedule_interval,
                start_date=start_date or self.default_args.get("start_date"),
                timezone=timezone,
                overlap=overlap,
                catchup=catchup,
                now=datetime.now(UTC),
            ),
            *triggers,
        ]
        self.operators: list[Operator] = []
        self.arrows: list[Arrow] = []
        self.groups: list[TaskGroup] = []
        self.ending = False
        made.append(self)

    @property
    def output(self) -> Any:
        """The run's output, built from expressions, as JSON."""
        return self._output

    @output.setter
    def output(self, value: Any) -> None:
        self._output = plain(value, "output")

    @property
    def prefix(self) -> str:
        """What the ids of operators made now begin with: the names of the groups whose blocks are open."""
        return "".join(f"{group.group_id}_" for group in self.groups if group.prefix_group_id)

    def add(self, operator: Operator) -> None:
        """Take in an operator as the next step."""
        self.operators.append(operator)
        for group in self.groups:
            group.operators.append(operator)
        if operator.named:
            self._refuse_duplicate(operator)

    def __enter__(self) -> DAG:
        _open.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _open.remove(self)
        if kind is None:
            self.name_operators()

    def name_operators(self) -> None:
        """Give every operator without an id the name of the variable that holds it."""
        for operator in self.operators:
            if not operator.named:
                operator.name(_variable_of(operator))
                self._refuse_duplicate(operator)
            # A frame keeps everything its function knows alive.
            operator.frame = None

    def document(self, source: str) -> dict[str, Any]:
        """Return the definition document: the definition, positions in the file, and the file's text.

        Args:
            source: The text of the file that made this DAG.

        Raises:
            InvalidDefinition: With the file and line of what is wrong.
        """
        self.name_operators()
        return build(self, source)

    def test(self, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run the workflow on the engine and wait for it; progress is shown on stderr.

        Uses the service if one is up, else starts one for as long as the run takes. Call it under
        `if __name__ == "__main__":`.

        Returns:
            The outcome as `segue run --json` prints it.

        Raises:
            RunFailed: The run did not succeed.
        """
        from segue.engine import run_file

        return run_file(self.file, self.name, dict(params or {}))

    def __repr__(self) -> str:
        return f"<DAG {self.name}>"

    def _refuse_duplicate(self, operator: Operator) -> None:
        for other in self.operators:
            if other is not operator and other.named and other.id == operator.id:
                raise misuse(
                    f'two steps have the id "{operator.id}": the other is on line {other.place.line}',
                    code=Code.DUPLICATE_STEP,
                    at=operator.place,
                )


class TaskGroup(Node):
    """Steps that belong together. Arrows to it lead to its first steps, arrows from it start at its last.

    Args:
        group_id: The ids of its steps begin with it and an underscore: `group_step`.
        prefix_group_id: False leaves ids as they are.
    """

    def __init__(self, group_id: str, *, dag: DAG | None = None, prefix_group_id: bool = True) -> None:
        self.group_id = group_id
        self.prefix_group_id = prefix_group_id
        self.dag = dag or current_dag("TaskGroup")
        self.operators: list[Operator] = []

    def __enter__(self) -> TaskGroup:
        self.dag.groups.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dag.groups.remove(self)

    def __repr__(self) -> str:
        return f"<TaskGroup {self.group_id}>"


class Finally:
    """The steps that run when all others have ended, however the run ends: `with Finally(): ...` inside a DAG's block.

    They may need each other; what the others gave and how they ended, their expressions may say.
    """

    def __init__(self, *, dag: DAG | None = None) -> None:
        self.dag = dag or current_dag("Finally")

    def __enter__(self) -> Finally:
        self.dag.ending = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dag.ending = False


ARGUMENTS = {
    "dag_id": "name",
    "description": "description",
    "triggers": "triggers",
    "schedule": "triggers/0/schedule/cron",
    "schedule_interval": "triggers/0/schedule/cron",
    "start_date": "triggers/0/schedule/timezone",
    "timezone": "triggers/0/schedule/timezone",
    "catchup": "triggers/0/schedule/catchup",
    "overlap": "triggers/0/schedule/overlap",
    "params": "params",
    "default_args": "defaults",
    "labels": "labels",
    "concurrency": "concurrency",
    "max_active_runs": "concurrency",
    "max_parallel": "max_parallel",
    "max_active_tasks": "max_parallel",
    "timeout": "timeout",
    "dagrun_timeout": "timeout",
    "on_failure": "on_failure",
    "fail_fast": "on_failure",
    "include": "code/include",
    "requirements": "code/requirements",
    "python": "code/python",
    "output": "output",
}
"""The arguments of `DAG`, and the YAML key that each becomes."""
ALSO = (
    ("schedule", "triggers/0/schedule/every"),
    ("schedule_interval", "triggers/0/schedule/every"),
    ("start_date", "triggers/0/schedule/start"),
    ("max_active_runs", "concurrency/limit"),
)
"""What some of them become besides."""


def current_dag(what: str) -> DAG:
    """Return the DAG whose `with` block is open.

    Raises:
        InvalidDefinition: None is.
    """
    if not _open:
        raise misuse(f"{what} is made outside a DAG", hint="put it inside `with DAG(...):`, or pass dag=...")
    return _open[-1]


def _variable_of(operator: Operator) -> str:
    names = operator.frame.f_locals.items() if operator.frame is not None else ()
    for name, value in names:
        if value is operator and name != "_":
            return name
    raise misuse(
        "this step has no id, and no variable holds it",
        hint=f'give it one: {type(operator).__name__}("my_step", ...)',
        code=Code.NO_STEP_ID,
        at=operator.place,
    )
