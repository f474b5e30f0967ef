"""Translates a definition to its plan on this machine, in a child process that holds the translator.

The translator belongs to the server's packages, whose import names (`workflows`, `api` ...) may be a user's own; so
it is never imported here, where the user's code may be running.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.errors import Diagnostic, InvalidDefinition, MissingPackage, UnexpectedAnswer

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Translated:
    """A definition that is valid.

    Attributes:
        plan: The plan as JSON.
        plan_hash: `sha256:` and 64 hex digits.
        files: The texts of the files that it uses, by path.
    """

    plan: dict[str, Any]
    plan_hash: str
    files: dict[str, str]


def translate(filename: str, text: str, document: Mapping[str, Any] | None, folder: Path) -> Translated:
    """Return the plan of a definition.

    Args:
        filename: What messages call the definition.
        text: Its source.
        document: The evaluated document of a Python definition; None for YAML.
        folder: Where it lies. The shared steps that it uses lie there too, or in a folder of `SEGUE_LIBRARY`.

    Raises:
        InvalidDefinition: With everything that is wrong.
        MissingPackage: The translator is not installed beside this package.
    """
    library = [each for each in os.environ.get("SEGUE_LIBRARY", "").split(os.pathsep) if each]
    folders = [str(each) for each in (folder.absolute(), *(Path(each).absolute() for each in library))]
    request = json.dumps({"filename": filename, "text": text, "document": document, "folders": folders})
    # -I: neither the current folder nor PYTHONPATH can put something else in the translator's place.
    child = subprocess.run(
        [sys.executable, "-I", "-m", "segue.cli.translator_child"],
        input=request.encode(),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    try:
        answer = json.loads(child.stdout)
    except ValueError:
        last = child.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"status {child.returncode}"]
        raise UnexpectedAnswer(f"The translator could not read {filename}: {last[0]}") from None
    return _read(answer)


def _read(answer: dict[str, Any]) -> Translated:
    if "missing" in answer:
        raise MissingPackage(
            f"Checking a definition here needs Segue's server packages ({answer['missing']}): pip install segue-server"
        )
    if "diagnostics" in answer:
        raise InvalidDefinition([Diagnostic.from_json(each) for each in answer["diagnostics"]])
    return Translated(answer["plan"], answer["plan_hash"], answer["files"])
