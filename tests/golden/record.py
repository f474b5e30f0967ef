"""Writes the golden files anew: `python -m tests.golden.record`. Read every difference before you commit it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.golden.written import FILES, written
from translator import DefinitionError, compile_yaml

FOLDER = Path(__file__).parent
BROKEN = sorted((FOLDER / "broken").glob("*.yaml"))
VALID = sorted((FOLDER / "valid").glob("*.yaml"))


def messages(path: Path) -> str:
    """Return what a user reads about a broken definition."""
    try:
        compile_yaml(path.read_text(encoding="utf-8"), path.name)
    except DefinitionError as error:
        return error.render() + "\n"
    return "nothing is wrong\n"


def plan(path: Path) -> str:
    """Return the plan of a valid definition, and its hash, as text."""
    compiled = compile_yaml(path.read_text(encoding="utf-8"), path.name)
    document = {"content_hash": compiled.content_hash, "plan": compiled.to_json()}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for source in BROKEN:
        source.with_suffix(".txt").write_text(messages(source), encoding="utf-8")
    for source in VALID:
        source.with_suffix(".json").write_text(plan(source), encoding="utf-8")
    for source in FILES:
        source.write_text(written(source), encoding="utf-8")
