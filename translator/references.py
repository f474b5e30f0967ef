"""Checks what expressions speak of: names, steps, params, outputs. A step that is spoken of becomes a need."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from translator.definition import (
    COMMON_NAMES,
    EVENT_NAMES,
    SECRETS,
    START_NAMES,
    NeedDefinition,
    StepDefinition,
    Use,
    WorkflowDefinition,
)
from translator.diagnostics import Code, did_you_mean, one_of, shown
from translator.located import Report, Spot
from translator.secret_places import NOT_HERE, PLACES, check_secret
from workflows.plan import ENV_KINDS

_FIELDS = {"run": ("id", "started_at", "state"), "workflow": ("name", "version")}
_STEP_FIELDS = ("output", "status")
_ONLY_THERE = {
    "output": "`output` stands for the output of a need, in the condition of its edge: use steps.NAME.output here",
    "submit": "`submit` is the answer to `submit` of an http step, in its poll, cancel and output",
    "response": "`response` is the answer to an http step's last request, in its poll and output",
    "callback": "`callback` has the address that `submit` of an http step with `callback: true` gives the service",
    "inputs": "`inputs` is what a shared step is given, in its own file",
}
_OTHER_STEP_FIELDS = {
    **dict.fromkeys(("outputs", "result", "results", "return_value"), "output"),
    **dict.fromkeys(("state", "outcome", "conclusion", "phase"), "status"),
}
_OTHER_ROOTS = {
    **dict.fromkeys(("needs", "jobs", "tasks", "ti", "dependencies"), "the output of a step is steps.NAME.output"),
    **dict.fromkeys(("env", "environment"), "what the service sets is vars.NAME, what a run is given params.NAME"),
    **dict.fromkeys(("param", "parameters", "dag_run", "args"), "what a run is given is params.NAME"),
    **dict.fromkeys(("github", "dag", "context"), "there are run.id, run.started_at, workflow.name, workflow.version"),
    "var": "what the service sets is vars.NAME",
    "self": "what a step gives is known to the steps behind it",
}
"""What other tools call our names."""
_OTHER_PHASE = "finally steps run when all others have ended: nothing under steps can wait for one"


class References:
    """The checks of one definition.

    Args:
        definition: All of it has been read.
        report: Gets the problems.
    """

    def __init__(self, definition: WorkflowDefinition, report: Report) -> None:
        self.definition = definition
        self.steps = definition.steps
        self.report = report
        self.has_event = any(trigger.trigger.kind == "event" for trigger in definition.triggers)
        self.wrong: set[int] = set()
        self.variables = {name: step.id for step in reversed(self.steps.values()) for name in step.variables}

    def check(self) -> set[int]:
        """Check every expression and need, and add the needs that expressions imply to their steps.

        Returns:
            The `id` of each `Use` that speaks of something that is not there.
        """
        for step in self.steps.values():
            self._check_needs(step)
            named = {need.step for need in step.needs}
            for need in self._implied(step):
                if self._crosses(step, need, "speaks of"):
                    continue
                if need.step not in named:
                    named.add(need.step)
                    step.needs.append(need)
        for trigger in self.definition.triggers:
            for use in trigger.uses:
                self._spoken_of(use)
        for use in self.definition.uses:
            for name, at in self._spoken_of(use):
                if self.steps[name].phase == "finally":
                    message = f'the output of the workflow speaks of the finally step "{shown(name)}"'
                    self.report.add(at, Code.PHASE, message, "it is made of what the steps under `steps` gave")
        return self.wrong

    def _check_needs(self, step: StepDefinition) -> None:
        for need in step.needs:
            if need.step not in self.steps:
                hint = self._near(need.step, self.steps, "the steps are")
                message = f'step "{shown(step.id)}" needs "{shown(need.step)}", which is not a step'
                self.report.add(need.at, Code.UNKNOWN_NEED, message, hint)
        step.needs = [need for need in step.needs if not self._crosses(step, need, "needs")]

    def _crosses(self, step: StepDefinition, need: NeedDefinition, how: str) -> bool:
        """Tell whether a need leads from one phase into the other; report it unless it only reads what is known."""
        other = self.steps.get(need.step)
        if other is None or other.phase == step.phase:
            return False
        if step.phase == "main":
            message = f'step "{shown(step.id)}" {how} the finally step "{shown(need.step)}"'
            self.report.add(need.at, Code.PHASE, message, _OTHER_PHASE)
        elif how == "needs":
            message = f'the finally step "{shown(step.id)}" needs "{shown(need.step)}", which is under steps'
            decided = f"if: \"${{{{ {_status(need.step)} == 'failed' }}}}\""
            hint = f"it starts when all of them have ended; to decide by one: {decided}"
            self.report.add(need.at, Code.PHASE, message, hint)
        return True

    def _implied(self, step: StepDefinition) -> Iterator[NeedDefinition]:
        inherited = self.definition.defaults.uses if step.kind in ENV_KINDS else {}
        uses = [use for name, found in inherited.items() if name not in step.env for use in found]
        for use in (*step.uses, *uses):
            for name, at in self._spoken_of(use):
                yield NeedDefinition(name, at)

    def _spoken_of(self, use: Use) -> list[tuple[str, Spot]]:
        """Check an expression, and return the steps it reads with the places where it does."""
        steps = []
        before = len(self.report.found) + self.report.omitted
        for path, offset in use.expression.places():
            at = use.inside(offset)
            if self._check_dash(path, at):
                break  # what follows was meant as part of the name
            self._check_path(path, use, at)
            if path[0] == "steps" and len(path) > 1 and path[1] in self.steps:
                steps.append((path[1], at))
        if len(self.report.found) + self.report.omitted > before:
            self.wrong.add(id(use))
        return steps

    def _check_path(self, path: tuple[str, ...], use: Use, at: Spot) -> None:
        root = path[0]
        if root not in use.names:
            self._not_here(root, use, at)
        elif root == SECRETS:
            check_secret(path, use, at, self.report)
        elif root == "steps":
            self._check_step(path, at)
        elif root == "params" and len(path) > 1 and path[1] not in self.definition.params:
            message = f'the workflow has no param "{shown(path[1])}"'
            self.report.add(
                at, Code.UNKNOWN_PARAM, message, self._near(path[1], self.definition.params, "the params are")
            )
        elif root in _FIELDS and len(path) > 1 and path[1] not in _FIELDS[root]:
            fields = " and ".join(f"{root}.{field}" for field in _FIELDS[root])
            self.report.add(at, Code.UNKNOWN_NAME, f'"{root}" has no "{shown(path[1])}"', f"there are {fields}")
        elif root == "event" and not self.has_event and not use.arriving:
            message = "`event` is what an event trigger was sent, and the workflow has none"
            self.report.add(at, Code.NOT_HERE, message, "add a trigger: - event: {name: ...}, or use a param")
        elif root == "output" and use.edge_from in self.steps:
            self._check_output(self.steps[use.edge_from], path[1:], at)

    def _not_here(self, root: str, use: Use, at: Spot) -> None:
        if root == SECRETS:
            self.report.add(at, Code.SECRET, NOT_HERE, PLACES)
        elif use.names == EVENT_NAMES and root in COMMON_NAMES:
            message = f'"{root}" is not known when an event arrives'
            hint = "the params and the condition of an event trigger can speak of `event` alone"
            if use.arriving:
                hint = "the condition speaks of `event` alone; the name may hold an expression: built.${{ params.id }}"
            self.report.add(at, Code.NOT_HERE, message, hint)
        elif use.names == START_NAMES and root in COMMON_NAMES:
            message = f'"{root}" is not known before the run has its place'
            self.report.add(at, Code.NOT_HERE, message, f"the key can speak of {one_of(sorted(START_NAMES))}")
        elif root in _ONLY_THERE:
            self.report.add(at, Code.NOT_HERE, f'there is no "{root}" here', _ONLY_THERE[root])
        elif root in self.variables:
            message = f'"{root}" is the variable of the map of step "{shown(self.variables[root])}"'
            hint = (
                "it is known in the with, env and http of that step; its `if`, `over` and needs come before the items"
            )
            self.report.add(at, Code.NOT_HERE, message, hint)
        else:
            hint = self._name_hint(root, use)
            self.report.add(at, Code.UNKNOWN_NAME, f'there is no "{shown(root)}" in expressions', hint)

    def _name_hint(self, root: str, use: Use) -> str:
        if root in self.definition.params:
            return f"did you mean params.{root}?"
        if root in self.steps:
            return f"did you mean steps.{root}.output?"
        if root in _OTHER_ROOTS:
            return _OTHER_ROOTS[root]
        return did_you_mean(root, use.names, f"there are {one_of(sorted(use.names))}; text stands in quotes")

    def _check_step(self, path: tuple[str, ...], at: Spot) -> None:
        if len(path) == 1:
            message = "a step cannot be computed: what a step needs must be known before the run"
            self.report.add(
                at, Code.COMPUTED_STEP, message, "name the step: steps.train.output, or steps['train'].output"
            )
        elif path[1] not in self.steps:
            hint = self._near(path[1], self.steps, "the steps are")
            self.report.add(at, Code.UNKNOWN_STEP, f'there is no step "{shown(path[1])}"', hint)
        elif len(path) > 2 and path[2] not in _STEP_FIELDS:
            message = f'a step has "output" and "status", but no "{shown(path[2])}"'
            meant = _OTHER_STEP_FIELDS.get(path[2], f"output.{shown(path[2])}")
            self.report.add(at, Code.UNKNOWN_OUTPUT, message, f"did you mean steps.{path[1]}.{meant}?")
        elif len(path) > 3 and path[2] == "output":
            self._check_output(self.steps[path[1]], path[3:], at)

    def _check_dash(self, path: tuple[str, ...], at: Spot) -> bool:
        """Report `steps.check-data`, which is a subtraction."""
        if path[0] != "steps" or len(path) != 2 or path[1] in self.steps:
            return False
        dashed = [name for name in self.steps if name.partition("-")[0] == path[1]]
        if dashed:
            hint = f"a name with a dash stands in brackets: steps['{dashed[0]}']"
            self.report.add(at, Code.UNKNOWN_STEP, f'there is no step "{shown(path[1])}"', hint)
        return bool(dashed)

    def _check_output(self, step: StepDefinition, path: tuple[str, ...], at: Spot) -> None:
        if not path:
            return
        if step.map is not None:
            lists = "a list" + " of lists" * (len(step.variables) - 1)
            message = f'the output of step "{shown(step.id)}" is {lists}, one item for each of its map'
            hint = f"such as output[0].{path[0]} or output.map(o, o.{path[0]})"
            if step.map.inner is not None:
                hint = f"such as output{'[0]' * len(step.variables)}.{path[0]}"
            self.report.add(at, Code.UNKNOWN_OUTPUT, message, hint)
        elif step.outputs is not None and path[0] not in step.outputs:
            verb = "declares" if step.fixed_output is None else "gives"
            message = f'step "{shown(step.id)}" {verb} no output "{shown(path[0])}"'
            self.report.add(at, Code.UNKNOWN_OUTPUT, message, self._near(path[0], step.outputs, f"it {verb}"))

    def _near(self, name: str, known: Collection[str], what: str) -> str:
        if self.report.full:
            return ""
        return did_you_mean(name, known, f"{what}: {one_of(known)}" if known else "there are none")


def check_shared(step: StepDefinition, inputs: Collection[str], report: Report) -> None:
    """Check what the expressions of a shared step speak of."""
    for use in step.uses:
        for path, offset in use.expression.places():
            root, at = path[0], use.inside(offset)
            if root not in use.names:
                _check_shared_root(root, use, inputs, at, report)
            elif root == "inputs" and len(path) > 1 and path[1] not in inputs:
                hint = did_you_mean(path[1], inputs, f"its inputs are {one_of(inputs)}" if inputs else "it has none")
                report.add(at, Code.UNKNOWN_NAME, f'the shared step has no input "{shown(path[1])}"', hint)
            elif root in _FIELDS and len(path) > 1 and path[1] not in _FIELDS[root]:
                fields = " and ".join(f"{root}.{field}" for field in _FIELDS[root])
                report.add(at, Code.UNKNOWN_NAME, f'"{root}" has no "{shown(path[1])}"', f"there are {fields}")


def _check_shared_root(root: str, use: Use, inputs: Collection[str], at: Spot, report: Report) -> None:
    if root == SECRETS:
        message = "a shared step reads no secrets by itself: whoever uses it must see which ones it gets"
        report.add(at, Code.SECRET, message, "add an input, and let the workflow give the secret under with")
    elif root in _ONLY_THERE:
        report.add(at, Code.NOT_HERE, f'there is no "{root}" here', _ONLY_THERE[root])
    elif root in COMMON_NAMES:
        message = f'a shared step does not know "{root}": any workflow may use it'
        report.add(at, Code.NOT_HERE, message, "add an input, and let the workflow give the value under with")
    else:
        hint = f"did you mean inputs.{root}?" if root in inputs else f"there are {one_of(sorted(use.names))}"
        report.add(at, Code.UNKNOWN_NAME, f'there is no "{shown(root)}" in expressions', hint)


def _status(step: str) -> str:
    """Return the expression for a step's state."""
    return f"steps.{step}.status" if step.isidentifier() else f"steps['{shown(step)}'].status"
