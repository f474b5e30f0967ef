"""What a run in memory came to, made from its transitions and from what was kept of its attempts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from segue.models import Attempt, StepFailure
from segue.testing.engine.attempts import Log
from segue.testing.mocks import Task
from segue.testing.results import Change, Result, Step, Steps
from workflows.inputs import Shape
from workflows.messages import JSON, StepError, Transition
from workflows.plan import INTERPRETER_KINDS
from workflows.plan import Step as PlanStep
from workflows.values import unwrap

if TYPE_CHECKING:
    from segue.testing.engine.simulation import Simulation


def result_of(simulation: Simulation) -> Result:
    """Return the result of a run that has ended."""
    return _Account(simulation).result()


class _Account:
    """Makes the result of a run that has ended."""

    def __init__(self, simulation: Simulation) -> None:
        assert simulation.end is not None
        self._simulation = simulation
        self._state = simulation.state
        self._request = simulation.state.request
        self._end = simulation.end
        self._last: dict[str, Transition] = {}
        self._first: dict[str, Transition] = {}
        for each in simulation.transitions:
            self._last[each.key] = each
            self._first.setdefault(each.key, each)

    def result(self) -> Result:
        """Return the result."""
        end, changes = self._end, self._simulation.transitions
        return Result(
            workflow=self._request.workflow,
            state=end.state,
            reason=end.reason,
            params=self._request.params,
            output=end.value,
            error=_failure(end.error),
            steps=Steps({step.id: self._step(number, step) for number, step in enumerate(self._state.graph.steps)}),
            order=self._simulation.order,
            changes=tuple(Change(_time(each.at), each.key, each.state, each.reason) for each in changes),
            started_at=_time(changes[0].at),
            ended_at=_time(changes[-1].at),
        )

    def _step(self, number: int, step: PlanStep) -> Step:
        run = self._state.maps.get(number)
        if run is None:
            return self._made(step.id, step)
        keys = [step.id + run.path(item) for item in range(len(run.items))]
        made = {
            key: self._made(key, step, item=unwrap(item))
            for key, item in zip(keys, run.items, strict=True)
            if key in self._last
        }
        output = None
        if self._last[step.id].state == "succeeded":
            output = _shaped(iter([made[key].output for key in keys]), run.shape)
        return self._made(step.id, step, items=tuple(made.values()), output=output)

    def _made(self, key: str, step: PlanStep, **fields: Any) -> Step:
        last, first, log = self._last[key], self._first[key], self._simulation.logs.get(key)
        succeeded = last.state == "succeeded"
        if log is None and step.kind in ("wait", "approve"):
            log = _log_of(last, step)
        task = log.task if log is not None and log.task is not None else _NO_TASK
        given = {"output": log.output if log is not None and succeeded else None, **fields}
        return Step(
            key=key,
            kind=step.kind,
            queue="" if step.kind in INTERPRETER_KINDS else step.queue,
            state=last.state,
            reason=last.reason,
            detail=last.detail,
            error=_failure(last.error),
            exception=log.exception if log is not None and not succeeded else None,
            attempts=tuple(log.attempts) if log is not None else (),
            inputs=task.inputs,
            env=task.env,
            action=task.action,
            run=log.run if log is not None else None,
            scheduled_at=_time(first.at) if first is not last or log is not None else None,
            ended_at=_time(last.at),
            **given,
        )


def _log_of(last: Transition, step: PlanStep) -> Log | None:
    """Return what happened in a step that only waited: from its start to its end is its one attempt."""
    result = last.result
    if result is None or (step.map is not None and last.key == step.id):
        return None
    attempt = Attempt(1, last.state, "", _time(result.started_at), _time(result.ended_at), _failure(last.error))
    return Log([attempt], output=result.value)


def _shaped(outputs: Iterator[JSON], shape: Shape) -> list[JSON]:
    """Return the outputs of a map's items, in lists of lists where maps are nested."""
    if isinstance(shape, int):
        return [next(outputs) for _ in range(shape)]
    return [_shaped(outputs, inner) for inner in shape]


_NO_TASK = Task("", "", "", "", "", 0, datetime.fromtimestamp(0, UTC))


def _failure(error: StepError | None) -> StepFailure | None:
    return None if error is None else StepFailure(error.type, error.message, error.detail)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
