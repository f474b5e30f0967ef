"""Which files a definition uses: the steps that several workflows share. Only names are made here; no file is read."""

from __future__ import annotations

import posixpath
import re

from translator.located import Node

MAX_FILES = 100
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*@[A-Za-z0-9][A-Za-z0-9._-]*")
_SUFFIXES = (".yaml", ".yml")


def is_file(uses: str) -> bool:
    """Tell whether `uses` names a file: a local one, or a package's with its version."""
    return is_local(uses) or _PACKAGE.fullmatch(uses) is not None


def is_local(uses: str) -> bool:
    """Tell whether `uses` names a file beside the definition."""
    return uses.startswith((".", "/", "~", "\\")) or uses.endswith(_SUFFIXES)


def path_of(uses: str) -> str | None:
    """Return the path of the file that `uses` names, relative to the definition's folder or to a library's.

    None when it leads out of the folder.
    """
    if not is_local(uses):
        return f"{uses}.yaml"
    path = posixpath.normpath(uses)
    outside = path.startswith(("/", "../", "~")) or path in (".", "..")
    return None if outside or "\\" in path or ":" in path or "\0" in path or "${{" in path else path


def files_named(tree: Node | None) -> list[str]:
    """Return the paths of the files that a definition's steps use, each once, in the order of the text."""
    found: dict[str, None] = {}
    for key in ("steps", "finally"):
        entry = tree.mapping.get(key) if tree is not None else None
        steps = entry.value.mapping.values() if entry is not None else ()
        for step in steps:
            uses = step.value.mapping.get("uses")
            text = uses.value.value if uses is not None else None
            path = path_of(text) if isinstance(text, str) and is_file(text) else None
            if path is not None:
                found[path] = None
    return list(found)[:MAX_FILES]
