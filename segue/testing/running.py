"""`run`: a workflow in memory, from a definition and mocks to a result."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segue.testing.definitions import engine_of
from segue.testing.mocks import Act, Mock, MockError, Runs, mock_of
from segue.testing.outside import Outside, Script, Unmocked
from segue.testing.recordings import Recording
from segue.testing.results import Result
from segue.testing.times import START, Duration, Moment, moment_of, offset_of

if TYPE_CHECKING:
    from segue.testing.definitions import Definition

recent: deque[Result] = deque(maxlen=20)
"""The newest results of this process; the pytest plugin shows those of a test that fails."""


def run(
    definition: Definition,
    *,
    workflow: str | None = None,
    params: Mapping[str, Any] | None = None,
    steps: Mapping[str, Any] | None = None,
    events: Sequence[Outside] = (),
    unmocked: Unmocked = "refuse",
    at: Moment = START,
    vars: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    event: Any = None,
    cancel_at: Duration | Moment | None = None,
    run_id: str | None = None,
) -> Result:
    """Run a workflow in memory to its end, which comes at once: its time is virtual.

    Args:
        definition: A YAML or Python file (relative to the current folder), the text of a definition in YAML, a `DAG`
            made here, or a plan as `segue plan --json` prints it.
        workflow: Which one, when a Python file has several.
        params: By name, checked as in production; without any, those of a recording that `steps` holds.
        steps: Mocks by step id, or by item (`"train[0]"`): a value is the step's output; a function gets the `Task` and
            returns an output or a mock; and see `fails`, `takes`, `queued`, `lost`, `calls`; `approves`, `rejects` and
            `nobody` for approvals; `runs` for workflows. Of a step that waits for an event it is the event's payload.
        events: What comes to the run while it goes on: `sends(...)`, `releases(...)`.
        unmocked: What a step without a mock does when it starts: end the test with a `MockError`, or succeed with null,
            or with an example of its declared output.
        at: When the run starts.
        vars: The service's variables.
        secrets: What workers find, by name; of a secret that is not among them a step gets `<secret NAME>`.
        event: The payload of the event that starts the run; the trigger's params are computed from it.
        cancel_at: When somebody cancels the run: a duration after its start, or a moment.
        run_id: What `run.id` is.

    Raises:
        InvalidDefinition: With everything that is wrong with it.
        InvalidParams: The params do not fit it.
        MockError: A mock is of no step, or a step without a mock would start.
        MissingPackage: The server's packages are not installed in this environment.
    """
    engine = engine_of(definition, workflow)
    try:
        start = moment_of(at, "at")
        cancel = None if cancel_at is None else offset_of(cancel_at, start, "cancel_at")
    except ValueError as problem:
        raise MockError(str(problem)) from None
    if params is None and isinstance(steps, Recording):
        params = steps.params
    result = engine.run(
        _script(steps, events, unmocked),
        params=params,
        vars=vars or {},
        secrets=secrets or {},
        event=event,
        at=start,
        run_id=run_id or f"{engine.plan.workflow}-test",
        cancel_at=cancel,
    )
    recent.append(result)
    return result


def runs(
    definition: Definition,
    *,
    workflow: str | None = None,
    steps: Mapping[str, Any] | None = None,
    events: Sequence[Outside] = (),
    unmocked: Unmocked = "refuse",
) -> Mock:
    """Let the workflow of a `workflow` step run in memory too; its result is the step's `run`.

    It gets its params from the step, and the clock and the variables of the run that it is a part of.

    Args:
        definition: As `run` takes it.
        workflow: Which one, when a Python file has several.
        steps: Mocks of its own steps.
        events: What comes to it.
        unmocked: What a step of it without a mock does.

    Raises:
        InvalidDefinition: With everything that is wrong with it.
        MockError: A mock is of no step.
    """
    engine, script = engine_of(definition, workflow), _script(steps, events, unmocked)
    engine.check(script)
    return Mock((Act(Runs(engine, script)),))


def _script(steps: Mapping[str, Any] | None, events: Sequence[Outside], unmocked: Unmocked) -> Script:
    if unmocked not in ("refuse", "succeed"):
        raise MockError(f'unmocked is {unmocked!r}; there are "refuse" and "succeed"')
    return Script({name: mock_of(what) for name, what in (steps or {}).items()}, tuple(events), unmocked)
