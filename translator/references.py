"""Checks what expressions speak of: names, steps, params, outputs. A step that is spoken of becomes a need."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from translator.definition import COMMON_NAMES, EVENT_NAMES, NeedDefinition, StepDefinition, Use, WorkflowDefinition
from translator.diagnostics import Code, did_you_mean, one_of, shown
from translator.located import Report, Spot

_FIELDS = {"run": ("id", "started_at"), "workflow": ("name", "version")}
_STEP_FIELDS = ("output", "status")
_ONLY_THERE = {
    "output": "`output` stands for the output of a need, in the condition of its edge: use steps.NAME.output here",
    "submit": "`submit` is the answer to `submit` of an http step, in its poll, cancel and output",
    "response": "`response` is the answer to an http step's last request, in its poll and output",
}


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
        self.variables = {step.map.name: step.id for step in reversed(self.steps.values()) if step.map is not None}

    def check(self) -> set[int]:
        """Check every expression and need, and add the needs that expressions imply to their steps.

        Returns:
            The `id` of each `Use` that speaks of something that is not there.
        """
        for step in self.steps.values():
            self._check_needs(step)
            named = {need.step for need in step.needs}
            for need in self._implied(step):
                if need.step not in named:
                    named.add(need.step)
                    step.needs.append(need)
        for trigger in self.definition.triggers:
            for use in trigger.uses:
                self._spoken_of(use)
        for use in self.definition.uses:
            self._spoken_of(use)
        return self.wrong

    def _check_needs(self, step: StepDefinition) -> None:
        for need in step.needs:
            if need.step not in self.steps:
                hint = self._near(need.step, self.steps, "the steps are")
                message = f'step "{shown(step.id)}" needs "{shown(need.step)}", which is not a step'
                self.report.add(need.at, Code.UNKNOWN_NEED, message, hint)

    def _implied(self, step: StepDefinition) -> Iterator[NeedDefinition]:
        inherited = self.definition.defaults.uses if step.kind in ("shell", "python") else {}
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
        elif root == "event" and not self.has_event:
            message = "`event` is what an event trigger was sent, and the workflow has none"
            self.report.add(at, Code.NOT_HERE, message, "add a trigger: - event: {name: ...}, or use a param")
        elif root == "output" and use.edge_from in self.steps:
            self._check_output(self.steps[use.edge_from], path[1:], at)

    def _not_here(self, root: str, use: Use, at: Spot) -> None:
        if root == "secrets":
            self.report.add(at, Code.NOT_SUPPORTED, '"secrets" is part of the language, but not supported yet')
        elif use.names == EVENT_NAMES and root in COMMON_NAMES:
            message = f'"{root}" is not known when an event arrives'
            self.report.add(at, Code.NOT_HERE, message, "the params of an event trigger can speak of `event` alone")
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
            self.report.add(at, Code.UNKNOWN_OUTPUT, message, f"did you mean steps.{path[1]}.output.{shown(path[2])}?")
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
            message = f'the output of step "{shown(step.id)}" is a list, one item for each of its map'
            self.report.add(
                at, Code.UNKNOWN_OUTPUT, message, f"such as output[0].{path[0]} or output.map(o, o.{path[0]})"
            )
        elif step.output is not None and path[0] not in step.output:
            message = f'step "{shown(step.id)}" declares no output "{shown(path[0])}"'
            self.report.add(at, Code.UNKNOWN_OUTPUT, message, self._near(path[0], step.output, "it declares"))

    def _near(self, name: str, known: Collection[str], what: str) -> str:
        if self.report.full:
            return ""
        return did_you_mean(name, known, f"{what}: {one_of(known)}" if known else "there are none")
