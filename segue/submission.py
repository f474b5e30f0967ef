"""Prepares a definition for the service: reads or evaluates it, checks it, and packs its code.

All that can be wrong with it is found here, before the service is asked for anything.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.bundle import Bundle, make_bundle
from segue.codes import Code
from segue.errors import Diagnostic, InvalidDefinition
from segue.evaluate import MAX_SOURCE_BYTES, evaluate, shown_path
from segue.packages import modules_below
from segue.translation import Translated, translate

SUFFIXES = (".yaml", ".yml", ".py")


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition that is valid.

    Attributes:
        path: Its file.
        root: The folder that its code is imported from, and that its bundle is packed from.
        text: The file's text.
        document: The evaluated document of a Python definition; None for YAML.
        translated: Its plan.
    """

    path: Path
    root: Path
    text: str
    document: dict[str, Any] | None
    translated: Translated

    @property
    def name(self) -> str:
        """The workflow's name."""
        return str(self.translated.plan["workflow"])

    @property
    def source(self) -> dict[str, Any]:
        """What the service keeps of the file."""
        language = "yaml" if self.document is None else "python"
        return {"filename": self.path.name, "text": self.text, "language": language}

    def bundle(self) -> Bundle | None:
        """Pack the code that travels with it.

        Raises:
            InvalidBundle: It cannot be packed.
        """
        code, steps = self.translated.plan["code"], self.translated.plan["steps"]
        # One may be a list: requirements themselves, which are in the plan.
        named = (code["requirements"], *(step["requirements"] for step in steps))
        files = dict.fromkeys(each for each in named if isinstance(each, str))
        return make_bundle(self.root, code["include"], [*files], self._own_file())

    def _own_file(self) -> list[str]:
        """Return the definition's own file when a step calls a function of it."""
        own = self.path.absolute().relative_to(self.root)
        module = f"{'.'.join(own.with_suffix('').parts).removesuffix('.__init__')}:"
        steps = self.translated.plan["steps"]
        called = any(str(step["action"].get("callable", "")).startswith(module) for step in steps)
        return [own.as_posix()] if self.document is not None and called else []


def read_definitions(path: Path) -> list[Definition]:
    """Return the definitions in a file, one in YAML or several in Python, or in all modules of a folder.

    The environment variable `SEGUE_PYTHON` names the interpreter that evaluates Python; without it, this one does.

    Raises:
        InvalidDefinition: The file cannot be read, or something in it is wrong.
    """
    shown = shown_path(path)
    if path.is_dir():
        return _of_folder(path, shown)
    if path.suffix not in SUFFIXES:
        raise _refused(shown, Code.SUFFIX, f"a definition's file ends in {', '.join(SUFFIXES)}")
    if path.suffix != ".py":
        text = _read_text(path, shown)
        translated = translate(shown, text, None, path.parent)
        return [Definition(path, path.absolute().parent, text, None, translated)]
    found, problems = _translated(path, path.absolute().parent, evaluate(path, os.environ.get("SEGUE_PYTHON")))
    if problems:
        raise InvalidDefinition(problems)
    return found


def _translated(path: Path, root: Path, documents: list[dict[str, Any]]) -> tuple[list[Definition], list[Diagnostic]]:
    """Translate what a Python file describes; return also what is wrong with it."""
    found = []
    problems: list[Diagnostic] = []
    for document in documents:
        try:
            translated = translate(shown_path(path), "", document, path.parent)
            found.append(Definition(path, root, document["source"], document, translated))
        except InvalidDefinition as error:
            problems += error.diagnostics
    return found, problems


def _of_folder(folder: Path, shown: str) -> list[Definition]:
    """Return the definitions of all Python modules in a folder."""
    found: list[Definition] = []
    problems: list[Diagnostic] = []
    for module in modules_below(folder):
        try:
            documents = evaluate(module.path, os.environ.get("SEGUE_PYTHON"), module=module)
        except InvalidDefinition as error:
            problems += [each for each in error.diagnostics if each.code != Code.NO_DAG]
            continue
        if module.package is not None:
            for document in documents:
                # The folder around a package may hold anything: without a word of the user's, only it travels.
                document["definition"].setdefault("code", {}).setdefault("include", [f"{module.package}/**/*.py"])
        more, wrong = _translated(module.path, module.root, documents)
        found += more
        problems += wrong
    problems += _named_twice(found)
    if problems:
        raise InvalidDefinition(problems)
    if not found:
        hint = "a module holds one when it imports DAG or workflow from segue"
        raise _refused(shown, Code.NO_DAG, "no module of this folder holds a workflow", hint)
    return found


def _named_twice(found: list[Definition]) -> list[Diagnostic]:
    files: dict[str, Path] = {}
    problems = []
    for each in found:
        if each.name in files:
            message = f'the workflow "{each.name}" is in {shown_path(files[each.name])} too'
            problems.append(Diagnostic(shown_path(each.path), 0, 0, Code.DUPLICATE_WORKFLOW, message))
        files[each.name] = each.path
    return problems


def read_definition(path: Path, name: str | None = None) -> Definition:
    """Return the one definition in a file or folder, or the one of that name.

    Raises:
        InvalidDefinition: There are several, or none of that name.
    """
    return read_with_called(path, name)[0]


def read_with_called(path: Path, name: str | None = None) -> tuple[Definition, list[Definition]]:
    """Return the one definition in a file or folder, or the one of that name, and those beside it that it calls.

    Raises:
        InvalidDefinition: There are several, or none of that name.
    """
    definitions = read_definitions(path)
    chosen = [each for each in definitions if name in (None, each.name)]
    if len(chosen) == 1:
        return chosen[0], _called(chosen[0], {each.name: each for each in definitions})
    names = ", ".join(each.name for each in definitions)
    what = "folder" if path.is_dir() else "file"
    message = f'the {what} has no workflow "{name}"' if name else f"the {what} has several workflows"
    raise _refused(shown_path(path), Code.WHICH_WORKFLOW, message, f"name one of them with --workflow: {names}")


def _called(definition: Definition, known: dict[str, Definition]) -> list[Definition]:
    """Return those of the known definitions whose newest version one calls, and which those call."""
    found = {definition.name: definition}
    waiting = [definition]
    while waiting:
        actions = [step["action"] for step in waiting.pop().translated.plan["steps"] if step["kind"] == "workflow"]
        for name in [action["workflow"] for action in actions if action.get("version") is None]:
            if name in known and name not in found:
                found[name] = known[name]
                waiting.append(known[name])
    return [*found.values()][1:]


def _read_text(path: Path, shown: str) -> str:
    try:
        data = path.read_bytes()
        if len(data) > MAX_SOURCE_BYTES:
            raise _refused(
                shown, Code.TOO_LARGE, f"has {len(data):,} bytes; a definition may have {MAX_SOURCE_BYTES:,}"
            )
        return data.decode("utf-8")
    except OSError as error:
        raise _refused(shown, Code.NO_FILE, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise _refused(shown, Code.NOT_TEXT, f"is not UTF-8 text: byte {error.start}") from None


def _refused(shown: str, code: str, message: str, hint: str = "") -> InvalidDefinition:
    return InvalidDefinition([Diagnostic(shown, 0, 0, code, message, hint)])
