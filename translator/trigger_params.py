"""Checks the params of triggers against the params of the workflow."""

from __future__ import annotations

from typing import Any

from translator.definition import TriggerDefinition
from translator.diagnostics import Code, did_you_mean, one_of, shown
from translator.located import Report
from workflows.expressions import ExpressionError
from workflows.params import check_value
from workflows.templates import references


def check_trigger_params(trigger: TriggerDefinition, schemas: dict[str, dict[str, Any]], report: Report) -> None:
    """Report params that do not exist, do not fit or are missing. What an event fills in is checked when it arrives."""
    for name, entry in trigger.params.items():
        if name not in schemas:
            hint = did_you_mean(name, schemas, f"the params are {one_of(schemas)}" if schemas else "there are none")
            report.add(entry.key, Code.TRIGGER_PARAM, f'the workflow has no param "{shown(name)}"', hint)
        elif not _is_filled_in(trigger.trigger.params[name]):
            for problem in check_value(schemas[name], entry.value.plain(), f"params.{name}"):
                report.add(entry.value, Code.TRIGGER_PARAM, f"{problem.path}: {problem.message}")
    for name, schema in schemas.items():
        if name not in trigger.params and "default" not in schema:
            message = f'the param "{shown(name)}" has no default, and this trigger does not give it'
            report.add(trigger.at, Code.TRIGGER_PARAM, message, f"add params: {{{name}: ...}} to the trigger")


def _is_filled_in(template: Any) -> bool:
    """Tell whether an event fills in a param, rather than the definition itself."""
    try:
        return bool(references(template))
    except ExpressionError:
        return True  # it was meant to be, and what is wrong with it has been reported
