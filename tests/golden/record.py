"""Writes the golden files anew: `python -m tests.golden.record`. Read every difference before you commit it."""

from __future__ import annotations

import json
from pathlib import Path

from translator import DefinitionError, compile_yaml, files_of_yaml
from workflows.plan import Plan

FOLDER = Path(__file__).parent
BROKEN = sorted((FOLDER / "broken").glob("*.yaml"))
VALID = sorted((FOLDER / "valid").glob("*.yaml"))


def compiled(path: Path) -> Plan:
    """Return the plan of a definition, with the shared steps beside it.

    Raises:
        DefinitionError: It is not valid.
    """
    text = path.read_text(encoding="utf-8")
    found = {name: path.parent / name for name in files_of_yaml(text)}
    files = {name: file.read_text(encoding="utf-8") for name, file in found.items() if file.is_file()}
    return compile_yaml(text, path.name, files)


def messages(path: Path) -> str:
    """Return what a user reads about a broken definition."""
    try:
        compiled(path)
    except DefinitionError as error:
        return error.render() + "\n"
    return "nothing is wrong\n"


def plan(path: Path) -> str:
    """Return the plan of a valid definition, and its hash, as text; what has its default is left out."""
    found = compiled(path)
    document = {"content_hash": found.content_hash, "plan": found.compact()}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for source in BROKEN:
        source.with_suffix(".txt").write_text(messages(source), encoding="utf-8")
    for source in VALID:
        source.with_suffix(".json").write_text(plan(source), encoding="utf-8")
