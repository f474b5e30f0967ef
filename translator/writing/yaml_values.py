"""Values as YAML writes them: plain or quoted scalars, blocks of text, lists and mappings on one line.

What is written is read back as the same value, by a reader of YAML 1.2 and, so that no other tool is led astray, by one
of YAML 1.1 too: `"no"`, `"on"` and `"12:30"` keep their quotes.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from translator.yaml_scalars import scalar_value

_PLAIN = re.compile(
    r"[A-Za-z0-9_./<=+~$(^\\\u00a1-\ud7ff-][^\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ue000-\uf8ff]*\Z"
)
_SPECIAL_IN_FLOW = re.compile(r"[\[\]{},]")
_PRINTABLE = re.compile("[^\n\x20-\x7e\u00a1-\u2027\u202a-\ud7ff]")
_resolve: Any = yaml.SafeLoader("").resolve


def scalar(value: Any, *, flow: bool = False) -> str:
    """Return a scalar on one line."""
    if not isinstance(value, str):
        return json.dumps(value) if not isinstance(value, float) else _float(value)
    if _is_plain(value, flow):
        return value
    return quoted(value)


def quoted(text: str) -> str:
    """Return a text in quotes: double ones, but single ones where that saves backslashes."""
    if ('"' in text or "\\" in text) and "'" not in text and not _PRINTABLE.search(text) and "\n" not in text:
        return f"'{text}'"
    parts = []
    for character in text:
        code = ord(character)
        if character in '"\\':
            parts.append("\\" + character)
        elif character == "\n":
            parts.append("\\n")
        elif character == "\t":
            parts.append("\\t")
        elif not _PRINTABLE.match(character):
            parts.append(character)
        else:
            parts.append(f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(parts) + '"'


def block_text(text: str, indent: str) -> list[str] | None:
    """Return a text of several lines as a block, header first; None when a block cannot hold it."""
    body = text.rstrip("\n")
    lines = body.split("\n")
    bad = "\n" not in text or not body or lines[0][:1] in ("", " ", "\t") or _PRINTABLE.search(text.replace("\t", ""))
    if bad or any(line.strip(" \t") == "" and line for line in lines):
        return None
    ends = len(text) - len(body)
    # More ends than one would need "|+", to which an empty line before the next key belongs.
    header = {0: "|-", 1: "|"}.get(ends)
    return None if header is None else [header, *(indent + line if line else "" for line in lines)]


def flow(value: Any) -> str:
    """Return a value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key(name, flow=True)}: {flow(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(inner) for inner in value) + "]"
    return scalar(value, flow=True)


def key(name: str, *, flow: bool = False) -> str:
    """Return a key of a mapping."""
    # A key of more than 1,024 characters would have to be marked as one with "? ".
    return scalar(name, flow=flow)


def _is_plain(text: str, flow: bool) -> bool:
    if not _PLAIN.match(text) or text != text.strip() or ": " in text or " #" in text or text.endswith(":"):
        return False
    if text.startswith(("- ", "? ", "---", "...")) or text in ("-", "=", "<<") or "\t" in text:
        return False
    # Cron text and glob patterns are written in quotes everywhere, as are expressions.
    if "${{" in text or "*" in text:
        return False
    if flow and _SPECIAL_IN_FLOW.search(text):
        return False
    if flow and text.startswith("-") and text[1:2] in ("", " "):
        return False
    try:
        same = scalar_value(text) == text
    except ValueError:
        return False
    return same and _resolve(yaml.ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str"


def _float(value: float) -> str:
    text = repr(value)
    # Without a point, YAML 1.1 takes `1e+16` for text.
    return text if "e" not in text or "." in text else text.replace("e", ".0e")
