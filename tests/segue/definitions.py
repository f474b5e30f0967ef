"""Definitions in Python that tests of this folder write and evaluate."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from segue import Diagnostic, InvalidDefinition
from segue.evaluate import evaluate

IMPORTS = "from segue import *\n"
RELATIVEDELTA = """
class relativedelta:
    year = month = day = weekday = hour = minute = second = microsecond = None
    years = months = days = leapdays = hours = minutes = seconds = microseconds = 0

    def __init__(self, **given):
        vars(self).update(given)
"""
"""What dateutil's class looks like from outside; a definition is evaluated without the packages of this environment."""


def write(folder: Path, source: str, name: str = "flow.py") -> Path:
    """Write a Python file; what it needs of segue is imported in its first line."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(IMPORTS + dedent(source))
    return path


def document_of(folder: Path, source: str) -> dict[str, Any]:
    """Return the document of a file with one DAG."""
    [document] = evaluate(write(folder, source))
    return document


def definition_of(folder: Path, body: str) -> dict[str, Any]:
    """Return the definition of a DAG with this body."""
    definition: dict[str, Any] = document_of(folder, 'with DAG("flow") as dag:\n' + indent(dedent(body), "    "))[
        "definition"
    ]
    return definition


def steps_of(folder: Path, body: str) -> dict[str, Any]:
    """Return the steps of a DAG with this body."""
    steps: dict[str, Any] = definition_of(folder, body)["steps"]
    return steps


def problem_of(folder: Path, source: str, **options: Any) -> Diagnostic:
    """Return the one thing that is wrong with a file."""
    path = write(folder, source)
    try:
        evaluate(path, **options)
    except InvalidDefinition as error:
        [diagnostic] = error.diagnostics
        assert diagnostic.file == str(path) or diagnostic.file.startswith(str(folder))
        return diagnostic
    raise AssertionError("nothing is wrong with it")
