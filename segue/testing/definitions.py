"""Definitions as tests name them: a file, YAML text, a `DAG`, a plan. Each is compiled once in a process."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from segue.cli.shared_files import read_files
from segue.codes import Code
from segue.errors import Diagnostic, InvalidDefinition
from segue.evaluate import evaluate, shown_path
from segue.testing.mocks import MockError
from segue.testing.rooms import load_engine

if TYPE_CHECKING:
    from segue.dag import DAG
    from segue.testing.engine import Engine

    Definition: TypeAlias = str | Path | DAG | Mapping[str, Any]

_engines: dict[str, Engine] = {}
_documents: dict[tuple[str, str], list[dict[str, Any]]] = {}


def engine_of(definition: Definition, workflow: str | None) -> Engine:
    """Return what runs a definition.

    Args:
        definition: A YAML or Python file, the text of one in YAML, a `DAG`, or a plan as `segue plan --json` prints it.
        workflow: Which one is meant, when a Python file has several.

    Raises:
        InvalidDefinition: With everything that is wrong with it.
        MissingPackage: The server's packages are not installed in this environment.
    """
    if isinstance(definition, Mapping):
        return _kept("plan", "", json.dumps(definition), lambda: load_engine()(definition))
    if isinstance(definition, str) and "\n" in definition:
        return _of_yaml(definition, "workflow.yaml", Path())
    if isinstance(definition, str | Path):
        return _of_file(Path(definition), workflow)
    return _of_dag(definition)


def _of_file(path: Path, workflow: str | None) -> Engine:
    text = _read(path)
    if path.suffix == ".py":
        return _of_documents(path, text, workflow)
    if path.suffix == ".json":
        plan = json.loads(text)
        return _kept("plan", "", text, lambda: load_engine()(plan))
    return _of_yaml(text, shown_path(path), path.parent)


def _of_yaml(text: str, filename: str, folder: Path) -> Engine:
    files = _files(text, folder)
    return _kept("yaml", filename, json.dumps([text, files]), lambda: load_engine().of_yaml(text, filename, files))


def _of_documents(path: Path, text: str, workflow: str | None) -> Engine:
    key = (str(path.absolute()), text)
    if key not in _documents:
        # In a child process, and with the same interpreter as for `segue deploy`: what runs is what is tested.
        _documents[key] = evaluate(path, os.environ.get("SEGUE_PYTHON"))
    documents = {str(each["definition"].get("name")): each for each in _documents[key]}
    if workflow is None and len(documents) == 1:
        [workflow] = documents
    if workflow not in documents:
        message = "the file has several workflows" if workflow is None else f'the file has no workflow "{workflow}"'
        hint = f"name one of them, workflow=...: {', '.join(documents)}"
        raise InvalidDefinition([Diagnostic(shown_path(path), 0, 0, Code.WHICH_WORKFLOW, message, hint)])
    return _of_document(documents[workflow], shown_path(path), path.parent)


def _of_document(document: dict[str, Any], filename: str, folder: Path) -> Engine:
    files = _files(document, folder)
    text = json.dumps([document, files])
    return _kept("python", filename, text, lambda: load_engine().of_document(document, filename, files))


def _files(definition: str | dict[str, Any], folder: Path) -> dict[str, str]:
    """Return the texts of the shared steps that a definition uses, from its folder or a library's, by path."""
    library = [each for each in os.environ.get("SEGUE_LIBRARY", "").split(os.pathsep) if each]
    return read_files(load_engine().files_of(definition), [str(folder), *library])


def _of_dag(dag: DAG) -> Engine:
    if not hasattr(dag, "document"):
        hint = "give a file, YAML text, a DAG, or a plan"
        raise MockError(f"{type(dag).__name__} is no definition of a workflow", hint=hint)
    source = dag.file.read_text(encoding="utf-8") if dag.file.is_file() else ""
    return _of_document(dag.document(source), shown_path(dag.file), dag.file.parent)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        hint = f"the folder is {Path.cwd()}; the fixture `segue_run` looks beside the test's file and above"
        message = f"cannot be read: {error.strerror}"
        raise InvalidDefinition([Diagnostic(shown_path(path), 0, 0, Code.NO_FILE, message, hint)]) from None
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text: byte {error.start}"
        raise InvalidDefinition([Diagnostic(shown_path(path), 0, 0, Code.NOT_TEXT, message)]) from None


def _kept(kind: str, filename: str, text: str, make: Any) -> Engine:
    """Return the engine for this content, made when it is new."""
    key = f"{kind} {filename} {hashlib.sha256(text.encode()).hexdigest()}"
    if key not in _engines:
        _engines[key] = make()
    return _engines[key]
