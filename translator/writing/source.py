"""A definition as it was written, whichever way: its keys and values, and its comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from translator.json_document import load_document
from translator.located import Report, split_lines
from translator.writing.comments import Comments, python_comments, yaml_comments
from translator.yaml_loader import load_yaml


@dataclass(slots=True)
class Source:
    """What a definition says.

    Attributes:
        definition: The keys and values of the document.
        comments: A writer uses them up.
    """

    definition: dict[str, Any]
    comments: Comments = field(default_factory=Comments)


def yaml_source(text: str, filename: str) -> Source:
    """Read a definition in YAML.

    Raises:
        DefinitionError: It cannot be read.
    """
    report = Report(filename, split_lines(text))
    tree = load_yaml(text, report)
    report.check()
    assert tree is not None, "a tree is missing only for a reason that has been reported"
    definition = tree.plain()
    _tidy_scripts(definition)
    return Source(definition, yaml_comments(text, tree))


def document_source(document: Mapping[str, Any], filename: str) -> Source:
    """Read the document of a definition in Python.

    Raises:
        DefinitionError: It cannot be read.
    """
    source = str(document.get("source", ""))
    report = Report(filename, split_lines(source))
    tree = load_document(document, report)
    report.check()
    assert tree is not None, "a tree is missing only for a reason that has been reported"
    definition = tree.plain()
    _tidy(definition)
    return Source(definition, python_comments(source, document.get("positions", {})))


def _tidy(definition: dict[str, Any]) -> None:
    """Write what came from Python as somebody would who writes YAML."""
    _tidy_scripts(definition)
    for name, schema in definition.get("params", {}).items():
        if isinstance(schema, dict) and "type" in schema:
            definition["params"][name] = {"type": schema["type"], **schema}
    for step in _steps(definition):
        needs = step.get("needs")
        if isinstance(needs, dict) and all(condition is True for condition in needs.values()):
            step["needs"] = [*needs] if len(needs) != 1 else next(iter(needs))
        if step.get("if") == "${{ false }}":
            step["if"] = False


def _tidy_scripts(definition: Any) -> None:
    """Write the blank lines around a script, which mean nothing, in one way."""
    for step in _steps(definition):
        script = step.get("run")
        if isinstance(script, str) and script.strip():
            script = script.strip("\n")
            step["run"] = script + "\n" if "\n" in script else script


def _steps(definition: Any) -> Iterator[dict[str, Any]]:
    for key in ("steps", "finally") if isinstance(definition, dict) else ():
        held = definition.get(key)
        yield from (step for step in (held.values() if isinstance(held, dict) else ()) if isinstance(step, dict))
