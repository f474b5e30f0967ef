"""What `segue.testing` asks of the server's rooms: a plan from a definition, and a run of a plan in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from segue.errors import Diagnostic, InvalidDefinition, InvalidParams
from segue.models import StepFailure
from segue.testing.engine.simulation import Simulation, Unmocked, check_names
from segue.testing.mocks import Mock, MockError, Task
from segue.testing.results import Change, Result, Step, Steps
from translator import DefinitionError, compile_document, compile_yaml
from workflows.exchange import EndRun
from workflows.expressions import ExpressionError
from workflows.graph import PlanInvalid
from workflows.messages import JSON, Cause, RunRequest, StepError, Transition
from workflows.params import ParamsError, check_params
from workflows.plan import Plan
from workflows.plan import Step as PlanStep
from workflows.state import State, begin
from workflows.templates import render
from workflows.values import unwrap


class Engine:
    """A plan that runs in memory, as often as asked."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._document = dict(plan)
        self.plan = Plan.from_json(self._document)

    @classmethod
    def of_yaml(cls, text: str, filename: str) -> Engine:
        """Compile a definition in YAML.

        Raises:
            InvalidDefinition: With everything that is wrong with it.
        """
        try:
            return cls(compile_yaml(text, filename).to_json())
        except DefinitionError as error:
            raise _invalid(error) from None

    @classmethod
    def of_document(cls, document: Mapping[str, Any], filename: str) -> Engine:
        """Compile a definition in Python that was evaluated.

        Raises:
            InvalidDefinition: With everything that is wrong with it.
        """
        try:
            return cls(compile_document(document, filename).to_json())
        except DefinitionError as error:
            raise _invalid(error) from None

    def run(
        self,
        mocks: Mapping[str, Mock],
        *,
        params: Mapping[str, JSON] | None,
        vars: Mapping[str, JSON],
        event: JSON,
        at: datetime,
        run_id: str,
        cancel_at: float | None,
        unmocked: Unmocked,
    ) -> Result:
        """Run the plan; see `segue.testing.run`.

        Raises:
            InvalidParams: The params do not fit.
            MockError: A mock is of no step, or a step without one would start.
        """
        check_names(mocks, self.plan.steps)
        request = self._request(params, dict(vars), event)
        try:
            state = begin(run_id, request)
        except PlanInvalid as problem:
            raise MockError(str(problem)) from None
        simulation = Simulation(state, mocks, at.timestamp(), unmocked)
        if cancel_at is not None:
            simulation.stop_at(cancel_at, "cancel", "the run was cancelled")
        end = simulation.run()
        return _Account(simulation, request, end).result()

    def _request(self, params: Mapping[str, JSON] | None, vars: dict[str, JSON], event: JSON) -> RunRequest:
        given: dict[str, JSON] = {}
        cause = Cause("manual", "test")
        try:
            if event is not None:
                cause = Cause("event", "test")
                trigger = next((each for each in self.plan.triggers if each.kind == "event"), None)
                given = dict(render(trigger.params if trigger else {}, {"event": event, "vars": vars}))
            checked = check_params(self.plan.params, {**given, **(params or {})})
        except ParamsError as error:
            problems = [(each.path, each.message) for each in error.errors]
            raise InvalidParams(f"The params do not fit {self.plan.workflow}:", problems) from None
        except ExpressionError as error:
            raise InvalidParams(f"The params of the event's trigger cannot be computed: {error}") from None
        return RunRequest(
            self.plan.workflow, 1, params=checked, cause=cause, event=event, vars=vars, plan=self._document
        )


class _Account:
    """Makes the result of a run that has ended."""

    def __init__(self, simulation: Simulation, request: RunRequest, end: EndRun) -> None:
        self._simulation = simulation
        self._state: State = simulation.state
        self._request = request
        self._end = end
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
        items = [f"{step.id}[{place}]" for place in range(len(run.items))]
        made = tuple(
            self._made(key, step, item=unwrap(item))
            for key, item in zip(items, run.items, strict=True)
            if key in self._last
        )
        output = [each.output for each in made] if self._last[step.id].state == "succeeded" else None
        return self._made(step.id, step, items=made, output=output)

    def _made(self, key: str, step: PlanStep, **fields: Any) -> Step:
        last, first, log = self._last[key], self._first[key], self._simulation.logs.get(key)
        task = log.task if log is not None and log.task is not None else _NO_TASK
        succeeded = last.state == "succeeded"
        given = {"output": log.output if log is not None and succeeded else None, **fields}
        return Step(
            key=key,
            kind=step.kind,
            queue=step.queue,
            state=last.state,
            reason=last.reason,
            detail=last.detail,
            error=_failure(last.error),
            exception=log.exception if log is not None and not succeeded else None,
            attempts=tuple(log.attempts) if log is not None else (),
            inputs=task.inputs,
            env=task.env,
            action=task.action,
            scheduled_at=_time(first.at) if first is not last or log is not None else None,
            ended_at=_time(last.at),
            **given,
        )


_NO_TASK = Task("", "", "", "", "", 0, datetime.fromtimestamp(0, UTC))


def _invalid(error: DefinitionError) -> InvalidDefinition:
    return InvalidDefinition([Diagnostic.from_json(asdict(each)) for each in error.diagnostics])


def _failure(error: StepError | None) -> StepFailure | None:
    return None if error is None else StepFailure(error.type, error.message, error.detail)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
