"""What `segue.testing` asks of the server's rooms: a plan from a definition, and a run of a plan in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from segue.errors import Diagnostic, InvalidDefinition, InvalidParams
from segue.testing.engine.accounts import result_of
from segue.testing.engine.attempts import Sky
from segue.testing.engine.clock import Clock
from segue.testing.engine.names import check_script
from segue.testing.engine.simulation import Simulation
from segue.testing.engine.values import Memory
from segue.testing.mocks import MockError
from segue.testing.outside import Script
from segue.testing.results import Result
from translator import DefinitionError, compile_document, compile_yaml, files_of_document, files_of_yaml
from workflows.exchange import EndRun, StartChild
from workflows.expressions import ExpressionError
from workflows.graph import PlanInvalid
from workflows.messages import JSON, Cause, RunRequest
from workflows.params import ParamsError, check_params
from workflows.plan import Plan
from workflows.state import State, begin
from workflows.templates import render


class Engine:
    """A plan that runs in memory, as often as asked."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._document = dict(plan)
        self.plan = Plan.from_json(self._document)

    @classmethod
    def of_yaml(cls, text: str, filename: str, files: Mapping[str, str]) -> Engine:
        """Compile a definition in YAML; `files` has the texts of the shared steps that it uses, by path.

        Raises:
            InvalidDefinition: With everything that is wrong with it.
        """
        try:
            return cls(compile_yaml(text, filename, files).to_json())
        except DefinitionError as error:
            raise _invalid(error) from None

    @classmethod
    def of_document(cls, document: Mapping[str, Any], filename: str, files: Mapping[str, str]) -> Engine:
        """Compile a definition in Python that was evaluated, as `of_yaml` does.

        Raises:
            InvalidDefinition: With everything that is wrong with it.
        """
        try:
            return cls(compile_document(document, filename, files).to_json())
        except DefinitionError as error:
            raise _invalid(error) from None

    @staticmethod
    def files_of(definition: str | Mapping[str, Any]) -> list[str]:
        """Return the paths of the files that a definition uses."""
        return files_of_yaml(definition) if isinstance(definition, str) else files_of_document(definition)

    def run(
        self,
        script: Script,
        *,
        params: Mapping[str, JSON] | None,
        vars: Mapping[str, JSON],
        secrets: Mapping[str, str],
        event: JSON,
        at: datetime,
        run_id: str,
        cancel_at: float | None,
    ) -> Result:
        """Run the plan; see `segue.testing.run`.

        Raises:
            InvalidParams: The params do not fit.
            MockError: A mock is of no step, or a step without one would start.
        """
        self.check(script)
        cause = Cause("manual", "test") if event is None else Cause("event", "test")
        request = self._request(params, dict(vars), event, cause)
        simulation = Simulation(_begun(run_id, request), script, Clock(at.timestamp()), Memory(secrets=dict(secrets)))
        if cancel_at is not None:
            simulation.stop_at(cancel_at, "cancel", "the run was cancelled")
        simulation.run()
        return result_of(simulation)

    def child(
        self, script: Script, start: StartChild, parent: RunRequest, sky: Sky, ended: Callable[[EndRun], None]
    ) -> Simulation:
        """Return a run as the step of another, which has still to begin; it was asked for by a command of the core.

        Raises:
            InvalidParams: The params do not fit.
            MockError: It is of another workflow than the step says.
        """
        if start.workflow != self.plan.workflow:
            raise MockError(f"runs(...) has the workflow {self.plan.workflow}, but the step runs {start.workflow}")
        cause = Cause("workflow", start.run.rpartition(".")[0])
        request = self._request(start.params, parent.vars, None, cause)
        request.depth = parent.depth + 1
        return Simulation(_begun(start.run, request), script, sky.clock, sky.memory, ended)

    def check(self, script: Script) -> None:
        """Refuse mocks of what is no step, and the like.

        Raises:
            MockError: With what was meant, perhaps.
        """
        check_script(script, self.plan)

    def _request(
        self, params: Mapping[str, JSON] | None, vars: dict[str, JSON], event: JSON, cause: Cause
    ) -> RunRequest:
        given: dict[str, JSON] = {}
        try:
            if event is not None:
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


def _begun(run: str, request: RunRequest) -> State:
    try:
        return begin(run, request)
    except PlanInvalid as problem:
        raise MockError(str(problem)) from None


def _invalid(error: DefinitionError) -> InvalidDefinition:
    return InvalidDefinition([Diagnostic.from_json(asdict(each)) for each in error.diagnostics])
