"""The golden expressions: `tests/golden/expressions/*.txt`, each with all that the language says of it.

A line that starts with `> ` is an expression; the lines below it are what `python -m tests.golden.record` wrote: its
canonical text where that differs, its static type and what is wrong with the types, its value or error with the place
of the error, and the operands that were looked at. `«text»*3` stands for the text three times. All expressions share
the scope in `scope.json`, and the types there.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from translator.schema_types import type_of_schema
from workflows.expressions import ExpressionError, Opaque, evaluate, explain, parse
from workflows.expressions.inference import infer
from workflows.expressions.types import notation

FOLDER = Path(__file__).parent / "expressions"
FILES = sorted(FOLDER.glob("*.txt"))
SHOWN = 240

_REPEATED = re.compile(r"«(.*?)»\*(\d+) ?")
_SCOPE = json.loads((FOLDER / "scope.json").read_text(encoding="utf-8"))
TYPES = {name: type_of_schema(schema) for name, schema in _SCOPE["types"].items()}


def _with_stored(value: Any) -> Any:
    if isinstance(value, dict):
        return Opaque(value) if "$segue" in value else {key: _with_stored(part) for key, part in value.items()}
    return value


VALUES: dict[str, Any] = _with_stored(_SCOPE["values"])


def expressions(path: Path) -> list[str]:
    """Return the expressions of a file as they are written."""
    return [line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("> ")]


def written(path: Path) -> str:
    """Return a file anew: its comment, and each expression with what the language says of it."""
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    blocks = ["\n".join(head)] + ["\n".join([f"> {text}", *_said(text)]) for text in expressions(path)]
    return "\n\n".join(blocks) + "\n"


def _said(text: str) -> list[str]:
    source = _REPEATED.sub(lambda match: match[1] * int(match[2]), text)
    try:
        parsed = parse(source)
    except ExpressionError as error:
        return [f"  refused at {error.offset}: {_cut(error.message)}"]
    lines = [] if parsed.text == source else [f"  reads: {_cut(parsed.text)}"]
    type_, problems = infer(parsed, TYPES)
    lines.append(f"  type: {_cut(notation(type_))}")
    for problem in problems:
        choices = f" [{', '.join(problem.choices)}]" if problem.choices else ""
        hint = f" ({problem.hint})" if problem.hint else ""
        lines.append(f"  {problem.kind} at {problem.offset}: {_cut(problem.message)}{choices}{hint}")
    try:
        lines.append(f"  value: {_cut(_json(evaluate(parsed, VALUES)))}")
    except ExpressionError as error:
        lines.append(f"  error at {error.offset}: {_cut(error.message)}")
    lines += [f"  saw: {name} = {_cut(_json(value))}" for name, value in explain(parsed, VALUES).items()]
    return lines


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    text = re.sub("[\\x00-\\x1f\\x7f]", lambda found: json.dumps(found[0])[1:-1], text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"
