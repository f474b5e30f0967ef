"""Finds the modules below a folder that may hold workflows, without running any of them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from segue.bundle import files_below

_MAKERS = {"DAG", "workflow", "*"}


@dataclass(frozen=True, slots=True)
class Module:
    """A module that is to be evaluated.

    Attributes:
        path: Its file.
        name: What it is imported as.
        root: The folder that it is imported from, which is also that of its bundle.
    """

    path: Path
    name: str
    root: Path

    @property
    def package(self) -> str | None:
        """The package at the top that it belongs to, if it belongs to one."""
        first = self.name.partition(".")[0]
        return first if (self.root / first / "__init__.py").is_file() else None


def modules_below(folder: Path) -> list[Module]:
    """Return the modules of a folder that import what makes workflows, in the order of their paths.

    A folder with an `__init__.py` is a package, and imported from the folder around it.
    """
    folder = folder.absolute()
    root = folder
    while (root / "__init__.py").is_file():
        root = root.parent
    paths = [folder / path for path in files_below(folder) if path.endswith(".py")]
    return [Module(path, _name(path, root), root) for path in paths if _may_hold_workflows(path)]


def _name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _may_hold_workflows(path: Path) -> bool:
    try:
        text = path.read_bytes()
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return b"segue" in text  # so that what is wrong with it is said
    except OSError:
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "segue" and not node.level:
            if _MAKERS & {alias.name for alias in node.names}:
                return True
        elif isinstance(node, ast.Import) and any(alias.name == "segue" for alias in node.names):
            return True
    return False
