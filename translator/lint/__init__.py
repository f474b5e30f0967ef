"""The linter: warns about definitions that are valid, and yet would probably do what nobody meant.

A warning never stops a workflow. What depends on the service (its workers, its variables) is looked at only when the
caller knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from translator.diagnostics import Diagnostic
from translator.forecast.states import outlooks
from translator.json_document import load_document
from translator.lint.codes import Warned
from translator.lint.nulls import check_nulls
from translator.lint.reach import Constants, check_conditions, check_failures, check_reach
from translator.lint.secrets import check_secrets
from translator.lint.subject import Subject
from translator.lint.surroundings import check_clocks, check_params, check_queues, check_vars
from translator.located import Node, Report, split_lines
from translator.yaml_loader import load_yaml

__all__ = ["Warned", "lint"]


def lint(
    text: str,
    document: Mapping[str, Any] | None,
    filename: str,
    files: Mapping[str, str],
    now: datetime,
    variables: Mapping[str, Any] | None = None,
    pollers: Mapping[str, int] | None = None,
) -> list[Diagnostic]:
    """Return the warnings about a definition, in the order of its text.

    Args:
        text: A definition in YAML.
        document: The document of a definition in Python, instead.
        filename: What warnings call it.
        files: The texts of the files that it uses, by path.
        now: From when schedules are looked at.
        variables: The variables of the service, when one is up.
        pollers: How many workers each queue has there.

    Raises:
        DefinitionError: It is not valid.
    """
    source = text.removeprefix("\ufeff") if document is None else str(document.get("source", ""))
    report = Report(filename, split_lines(source))
    tree = load_yaml(text, report) if document is None else load_document(document, report)
    report.check()
    assert tree is not None, "a tree is missing only for a reason that has been reported"
    return _lint(tree, report, files, now, variables, pollers)


def _lint(
    tree: Node,
    report: Report,
    files: Mapping[str, str],
    now: datetime,
    variables: Mapping[str, Any] | None,
    pollers: Mapping[str, int] | None,
) -> list[Diagnostic]:
    subject = Subject.of(tree, report, files)
    constants = Constants(subject.plan)
    possible = outlooks(subject.plan, constants.holds, failures=True)
    happy = outlooks(subject.plan, constants.holds, failures=False)
    check_nulls(subject, possible, happy)
    check_conditions(subject, constants)
    check_reach(subject, possible, constants)
    check_failures(subject)
    check_secrets(subject)
    check_params(subject)
    check_clocks(subject, now)
    if variables is not None:
        check_vars(subject, variables)
    if pollers is not None:
        check_queues(subject, pollers)
    return sorted(subject.found, key=lambda each: (each.line, each.column, each.code))
