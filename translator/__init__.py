"""The translator: definitions in YAML or Python to plans.

Strict: what is not understood is refused, with place, reason and way out, all problems at once. Reads no file, runs no
user code, knows no Temporal and no database. Nothing but `DefinitionError` is raised, whatever the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from translator.collecting import without_collecting
from translator.compile import compile_tree
from translator.diagnostics import Code, DefinitionError, Diagnostic
from translator.json_document import load_document
from translator.located import Node, Report, split_lines
from translator.shared_files import files_named
from translator.yaml_loader import load_yaml
from workflows.plan import Plan

__all__ = [
    "Code",
    "DefinitionError",
    "Diagnostic",
    "compile_document",
    "compile_yaml",
    "files_of_document",
    "files_of_yaml",
]


def compile_yaml(text: str, filename: str, files: Mapping[str, str] | None = None) -> Plan:
    """Compile a definition in YAML.

    Args:
        text: The definition.
        filename: What messages call it; no file is read.
        files: The texts of the files that it uses (`files_of_yaml` says which), by path.

    Raises:
        DefinitionError: Something is wrong; it has every problem.
    """
    report = Report(filename, split_lines(text.removeprefix("\ufeff")))
    with without_collecting():
        return _compile(load_yaml(text, report), report, files)


def compile_document(document: Mapping[str, Any], filename: str, files: Mapping[str, str] | None = None) -> Plan:
    """Compile a definition in Python, evaluated to its document.

    Args:
        document: `{"language": "python", "definition": {...}, "positions": {pointer: [line, column]}, "source": text}`.
        filename: What messages call it; no file is read.
        files: The texts of the files that it uses (`files_of_document` says which), by path.

    Raises:
        DefinitionError: Something is wrong; it has every problem.
    """
    source = document.get("source")
    report = Report(filename, split_lines(source) if isinstance(source, str) else [])
    with without_collecting():
        return _compile(load_document(document, report), report, files)


def files_of_yaml(text: str) -> list[str]:
    """Return the paths of the files that a definition uses, relative to its folder or to a library's.

    What is wrong with the definition is none of this function's business: compiling it says so.
    """
    return files_named(load_yaml(text, Report("", [])))


def files_of_document(document: Mapping[str, Any]) -> list[str]:
    """Return the paths of the files that a definition in Python uses, as `files_of_yaml` does."""
    return files_named(load_document(document, Report("", [])))


def _compile(tree: Node | None, report: Report, files: Mapping[str, str] | None) -> Plan:
    if tree is None:
        report.check()
        raise DefinitionError([])  # a tree is missing only for a reason that has been reported
    return compile_tree(tree, report, files or {})
