"""Checks of types: what in an expression cannot be right, whatever the run's params and outputs will be.

Types come from the schemas of params and declared outputs, from the names that Segue itself fills in, and from the
expressions between them. What no schema speaks of may be anything, and is never complained about.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

from translator.definition import CALLBACK, StepDefinition, Use, WorkflowDefinition
from translator.diagnostics import Code, did_you_mean, one_of
from translator.embedded import Condition
from translator.located import Report
from translator.schema_types import type_of_json, type_of_schema
from workflows.expressions.inference import MAX_PROBLEMS, MAX_WORK, Inference, TypeProblem
from workflows.expressions.types import ANY, BOOL, NUMBER, STRING, Type, described, list_of, map_of, text
from workflows.messages import TERMINAL_RUN_STATES, StepState
from workflows.plan import COMMAND_KINDS
from workflows.templates import CLOSING, OPENING

_CODES = {"operand": Code.OPERAND_TYPE, "never": Code.NEVER_EQUAL, "field": Code.UNKNOWN_FIELD}

MAX_TOTAL_WORK = 400_000
"""Steps of inference for a whole definition, one or two seconds; what is beyond them is not checked."""

POSTED: dict[str, Type] = {"headers": map_of({}, rest=STRING), "text": STRING, "json": ANY}
ANSWER = map_of({"status": NUMBER, **POSTED})
"""`submit` and `response` of an http step; what a service posts has no status."""
_RUN = map_of({"id": STRING, "started_at": STRING, "state": text("running", *sorted(TERMINAL_RUN_STATES))})
_WORKFLOW = map_of({"name": STRING, "version": NUMBER})


class TypeChecks:
    """The checks of one definition.

    Args:
        definition: All of it has been read, and its references checked.
        report: Gets the problems.
        wrong: The `id` of each `Use` that speaks of something that is not there: more said of it would be the same
            once more.
    """

    def __init__(self, definition: WorkflowDefinition, report: Report, wrong: Collection[int]) -> None:
        self.definition = definition
        self.report = report
        self.wrong = wrong
        self.work = MAX_TOTAL_WORK
        # Names that do not exist have been reported already: here they are unknown, and no more.
        self.roots = {
            "params": map_of({name: type_of_schema(schema) for name, schema in definition.params.items()}),
            "steps": map_of({step.id: _step(step) for step in definition.steps.values()}),
            "run": _RUN,
            "workflow": _WORKFLOW,
            "secrets": map_of({}, rest=STRING),
            "submit": ANSWER,
            "response": ANSWER,
            "callback": map_of({"url": STRING}, closed=True),
        }

    def check(self) -> None:
        """Check every expression: conditions, templates, what maps run over, the run's output."""
        for step in self.definition.steps.values():
            self._check_step(step)
        shared = [use for uses in self.definition.defaults.uses.values() for use in uses]
        triggers = [use for trigger in self.definition.triggers for use in trigger.uses]
        for use in (*shared, *triggers, *self.definition.uses):
            self._check(use, self.roots)

    def _check_step(self, step: StepDefinition) -> None:
        overs, names = self._overs(step)
        for use in step.uses:
            # What a name means where it may not be used is of no interest: that has been reported.
            scope = {name: names[name] for name in use.names if name in names}
            if use.edge_from is not None:
                # The condition of an edge is looked at when the need has succeeded: its output is there.
                need = self.definition.steps.get(use.edge_from)
                scope["output"] = ANY if need is None else _output(need)
            found = self._check(use, scope)
            if use in overs and not found.may_be("list"):
                message = f"a map runs over a list, not over {described(found)}"
                self.report.add(use.inside(_first(use)), Code.RESULT_TYPE, message, _list_hint(found))

    def _check(self, use: Use, scope: dict[str, Type]) -> Type:
        """Report what cannot be right in an expression, and return the type of its value."""
        if id(use) in self.wrong or self.report.full:
            return ANY
        found, problems = self._inferred(use, scope)
        for problem in problems:
            at = use.inside(problem.offset)
            self.report.add(at, _CODES[problem.kind], problem.message, self._hint(problem))
        if isinstance(use, Condition) and not found.may_be("bool"):
            message = f"a condition must give true or false, and this is {described(found)}"
            self.report.add(use.inside(_first(use)), Code.RESULT_TYPE, message, "compare it, such as == or !=")
        return found

    def _inferred(self, use: Use, scope: Mapping[str, Type]) -> tuple[Type, list[TypeProblem]]:
        allowed = min(MAX_WORK, self.work)
        inference = Inference(scope, allowed)
        found = inference.of(use.expression.tree)
        self.work -= allowed - max(0, inference.work)
        return found, inference.problems[:MAX_PROBLEMS]

    def _hint(self, problem: TypeProblem) -> str:
        if self.report.full or not problem.choices:
            return problem.hint
        there_are = "it has" if problem.kind == "field" else "it is one of"
        return did_you_mean(problem.name, problem.choices, f"{there_are}: {one_of(problem.choices)}")

    def _overs(self, step: StepDefinition) -> tuple[list[Use], dict[str, Type]]:
        """Return the expressions that give the items of the step's maps, and what its templates may speak of."""
        overs: list[Use] = []
        names = self.roots
        if CALLBACK in step.action:
            names = {**names, "response": map_of(POSTED, closed=True)}
        level = step.map
        while level is not None:
            over = _use_of(level.over, step)
            if over is None:
                found = type_of_json(level.over)
            else:
                overs.append(over)
                found, _ = self._inferred(over, names)
            names = {**names, level.name: found.item or ANY}
            level = level.inner
        return overs, names


def _use_of(over: Any, step: StepDefinition) -> Use | None:
    if not isinstance(over, str):
        return None
    return next((use for use in step.uses if f"{OPENING} {use.expression.text} {CLOSING}" == over), None)


def _first(use: Use) -> int:
    """Return where the first character of an expression is."""
    source = use.expression.source
    return len(source) - len(source.lstrip())


def _step(step: StepDefinition) -> Type:
    # A step that was skipped or failed has no output; so has an item of a map whose failure was tolerated.
    return map_of({"output": _output(step).or_null(), "status": text(*get_args(StepState))})


def _output(step: StepDefinition) -> Type:
    """Return the type of the output of a step that has succeeded."""
    found = _output_of_one(step)
    level = step.map
    if level is not None:
        found = found.or_null()
    while level is not None:
        found = list_of(found)
        level = level.inner
    return found


def _output_of_one(step: StepDefinition) -> Type:
    if step.kind == "approve":
        form = step.action.get("form") or {}
        answers = {name: type_of_schema(schema).or_null() for name, schema in form.items()}
        return map_of({**answers, "approved": BOOL, "by": list_of(STRING)})
    if step.output is None:
        # The lines of a script's output are text unless they are declared.
        return map_of({}, rest=STRING) if step.kind in COMMAND_KINDS else ANY
    fields = {name: _declared(entry) for name, entry in step.output.items()}
    return map_of(fields, rest=STRING if step.kind in COMMAND_KINDS else None)


def _declared(entry: dict[str, Any]) -> Type:
    if "schema" in entry:
        return type_of_schema(entry["schema"], files=True)
    value = type_of_json(entry["value"]) if "value" in entry else ANY
    return value if value.texts is None else STRING


def _list_hint(found: Type) -> str:
    if found.may_be("map"):
        return "give a list; the step gets an item at a time"
    return ".split(',') makes a list of a text" if found.may_be("string") else ""
