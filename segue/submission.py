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
from segue.translation import Translated, translate

SUFFIXES = (".yaml", ".yml", ".py")


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition that is valid.

    Attributes:
        path: Its file.
        text: The file's text.
        document: The evaluated document of a Python definition; None for YAML.
        translated: Its plan.
    """

    path: Path
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
        code = self.translated.plan["code"]
        return make_bundle(self.path.absolute().parent, code["include"], code["requirements"], self._own_file())

    def _own_file(self) -> list[str]:
        """Return the definition's own file when a step calls a function of it."""
        own = f"{self.path.stem}:"
        steps = self.translated.plan["steps"]
        called = any(str(step["action"].get("callable", "")).startswith(own) for step in steps)
        return [self.path.name] if self.document is not None and called else []


def read_definitions(path: Path) -> list[Definition]:
    """Return the definitions in a file: one in YAML, one for each DAG in Python.

    The environment variable `SEGUE_PYTHON` names the interpreter that evaluates Python; without it, this one does.

    Raises:
        InvalidDefinition: The file cannot be read, or something in it is wrong.
    """
    shown = shown_path(path)
    if path.suffix not in SUFFIXES:
        raise _refused(shown, Code.SUFFIX, f"a definition's file ends in {', '.join(SUFFIXES)}")
    if path.suffix != ".py":
        text = _read_text(path, shown)
        return [Definition(path, text, None, translate(shown, text, None, path.parent))]
    documents = evaluate(path, os.environ.get("SEGUE_PYTHON"))
    found = []
    problems: list[Diagnostic] = []
    for document in documents:
        try:
            translated = translate(shown, "", document, path.parent)
            found.append(Definition(path, document["source"], document, translated))
        except InvalidDefinition as error:
            problems += error.diagnostics
    if problems:
        raise InvalidDefinition(problems)
    return found


def read_definition(path: Path, name: str | None = None) -> Definition:
    """Return the one definition in a file, or the one of that name.

    Raises:
        InvalidDefinition: There are several, or none of that name.
    """
    definitions = read_definitions(path)
    chosen = [each for each in definitions if name in (None, each.name)]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(each.name for each in definitions)
    message = f'the file has no workflow "{name}"' if name else "the file has several workflows"
    raise _refused(shown_path(path), Code.WHICH_WORKFLOW, message, f"name one of them with --workflow: {names}")


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
