"""The translator: definitions in YAML or Python to plans.

Strict: what is not understood is refused, with place, reason and way out, all problems at once. Reads no file, runs no
user code, knows no Temporal and no database. Nothing but `DefinitionError` is raised, whatever the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from translator.compile import compile_tree
from translator.diagnostics import Code, DefinitionError, Diagnostic
from translator.json_document import load_document
from translator.located import Node, Report, split_lines
from translator.yaml_loader import load_yaml
from workflows.plan import Plan

__all__ = ["Code", "DefinitionError", "Diagnostic", "compile_document", "compile_yaml"]


def compile_yaml(text: str, filename: str) -> Plan:
    """Compile a definition in YAML.

    Args:
        text: The definition.
        filename: What messages call it; no file is read.

    Raises:
        DefinitionError: Something is wrong; it has every problem.
    """
    report = Report(filename, split_lines(text.removeprefix("\ufeff")))
    return _compile(load_yaml(text, report), report)


def compile_document(document: Mapping[str, Any], filename: str) -> Plan:
    """Compile a definition in Python, evaluated to its document.

    Args:
        document: `{"language": "python", "definition": {...}, "positions": {pointer: [line, column]}, "source": text}`.
        filename: What messages call it; no file is read.

    Raises:
        DefinitionError: Something is wrong; it has every problem.
    """
    source = document.get("source")
    report = Report(filename, split_lines(source) if isinstance(source, str) else [])
    return _compile(load_document(document, report), report)


def _compile(tree: Node | None, report: Report) -> Plan:
    if tree is None:
        report.check()
        raise DefinitionError([])  # a tree is missing only for a reason that has been reported
    return compile_tree(tree, report)
