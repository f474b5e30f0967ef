"""Reads the kinds whose code a step's own process runs: `run`, a shell script, and `python`, a function."""

from __future__ import annotations

import re

from translator.diagnostics import Code, shown
from translator.embedded import refuse_expressions
from translator.fields import Fields
from workflows.templates import OPENING

_CALLABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*")
_MAX_SCRIPT = 256 * 1024


def read_script(found: Fields) -> str:
    """Return the script under `run`."""
    text, node = found.text("run"), found.get("run")
    if text is None or node is None:
        return ""
    message = "an expression in a script is an open door for whoever chooses the value"
    value = f'env: {{VALUE: "{_first_expression(text)}"}}'
    hint = f'pass it through the environment: {value}, and write "$VALUE" in the script'
    refuse_expressions(node, Code.IN_SCRIPT, message, hint, found.report)
    if len(text) > _MAX_SCRIPT:
        found.report.add(node, Code.LIMIT, "the script is longer than 256 KiB", "put it into a file of the bundle")
    # Where YAML and Python differ in the blank lines around a script, its meaning does not.
    return text.strip("\n")


def read_callable(found: Fields) -> str:
    """Return the function under `python`."""
    text, node = found.text("python"), found.get("python")
    if text is None or node is None or _CALLABLE.fullmatch(text):
        return text or ""
    hint = "write module:function, such as pipeline.train:train"
    if text.endswith(".py") or "/" in text:
        hint = "a module, not a file: " + hint
    elif ":" not in text and text.count(".") > 1:
        hint = f'did you mean "{":".join(text.rsplit(".", 1))}"?'
    found.report.add(node, Code.CALLABLE, f'"python" is "{shown(text)}", which names no function', hint)
    return ""


def _first_expression(text: str) -> str:
    start = text.find(OPENING)
    end = text.find("}}", start)
    return shown(text[start : end + 2], 60) if end >= 0 else OPENING + " ... }}"
