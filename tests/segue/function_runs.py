"""A workflow that is a function, run both ways: called, and compiled and driven through the pure core."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from segue import StepFailed
from segue.functions.workflow import Workflow
from translator import compile_document
from workflows.core import advance
from workflows.exchange import EndRun, Event, RunStarted, StartChild, StartStep, StepSucceeded
from workflows.exchange import StepFailed as Failed
from workflows.messages import RunRequest, StepError, StepResult, StepTask
from workflows.params import check_params
from workflows.plan import Plan
from workflows.state import begin


@dataclasses.dataclass
class Way:
    """How a run went: its state, its output, and the steps it executed, each with its arguments."""

    state: str
    output: Any
    executed: list[str]
    error: str = ""


def module_of(source: str, path: Path) -> ModuleType:
    """Execute the text of a module; its steps note themselves in its list `EXECUTED`."""
    path.write_text(source)
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    import sys

    sys.modules[path.stem] = module
    exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    return module


def plan_of(workflow: Workflow[..., Any], source: str) -> Plan:
    """Compile a workflow as it would be deployed."""
    document = json.loads(json.dumps(workflow.document(source)))
    return compile_document(document, workflow.file.name)


def called(module: ModuleType, workflow: Workflow[..., Any], params: dict[str, Any]) -> Way:
    """Call a workflow as plain Python."""
    module.EXECUTED.clear()
    try:
        output = workflow(**params)
    except StepFailed as error:
        return Way("failed", None, sorted(module.EXECUTED), str(error))
    return Way("succeeded", as_json(output), sorted(module.EXECUTED))


def driven(module: ModuleType, plan: Plan, params: dict[str, Any], random: Random) -> Way:
    """Run a plan on the core, its steps really called, in an order that chance decides."""
    module.EXECUTED.clear()
    return _driven(module, plan, params, random)


def _driven(module: ModuleType, plan: Plan, params: dict[str, Any], random: Random) -> Way:
    request = RunRequest(plan.workflow, 1, params=check_params(plan.params, params), plan=plan.to_json())
    state = begin("run-1", request)
    flying: list[StartStep | StartChild] = []
    now = 1_700_000_000.0
    end: EndRun | None = None
    event: Event | None = RunStarted(now)
    while event is not None:
        state, commands = advance(state, event)
        for command in commands:
            if isinstance(command, StartStep | StartChild):
                flying.append(command)
            elif isinstance(command, EndRun):
                end = command
        now += 1
        event = None
        if flying:
            started = flying.pop(random.randrange(len(flying)))
            if isinstance(started, StartStep):
                event = _ended(module, started, now)
            else:
                event = _child_ended(module, started, now, random)
    assert end is not None, "the run has an end"
    error = f"{end.reason}: {end.error}" if end.error else end.reason
    return Way(end.state, as_json(end.value), sorted(module.EXECUTED), error)


def _ended(module: ModuleType, started: StartStep, now: float) -> StepSucceeded | Failed:
    task = started.task
    if task.kind == "noop":
        return StepSucceeded(now, started.place, StepResult(None))
    try:
        return StepSucceeded(now, started.place, StepResult(as_json(_call(module, task))))
    except Exception as error:
        return Failed(now, started.place, StepError(type(error).__name__, str(error)))


def _child_ended(module: ModuleType, started: StartChild, now: float, random: Random) -> StepSucceeded | Failed:
    """Run the workflow that a step calls, which is in the same module."""
    made = [each for each in vars(module).values() if isinstance(each, Workflow)]
    [workflow] = [each for each in made if each.name == started.workflow]
    plans: dict[str, Plan] = vars(module).setdefault("PLANS", {})
    if workflow.name not in plans:
        plans[workflow.name] = plan_of(workflow, Path(str(module.__file__)).read_text())
    way = _driven(module, plans[workflow.name], started.params, random)
    if way.state == "succeeded":
        return StepSucceeded(now, started.place, StepResult(way.output))
    return Failed(now, started.place, StepError("ChildFailed", way.error))


def _call(module: ModuleType, task: StepTask) -> Any:
    """Call a step as its process does."""
    name = task.action["callable"].partition(":")[2]
    function, inputs = getattr(module, name).__segue_step__(json.loads(json.dumps(task.inputs)))
    run: Callable[..., Any] = function
    return run(**inputs)


def as_json(value: Any) -> Any:
    """Return a value as it is when it has travelled."""

    def plain(each: Any) -> Any:
        return dataclasses.asdict(each)

    return json.loads(json.dumps(value, default=plain))
