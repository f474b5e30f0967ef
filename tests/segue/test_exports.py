"""What `import segue` offers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import segue


def test_all_is_sorted_and_everything_in_it_is_there() -> None:
    assert segue.__all__ == sorted(segue.__all__, key=_order)
    assert len(set(segue.__all__)) == len(segue.__all__)
    for name in segue.__all__:
        assert getattr(segue, name) is not None


def test_all_names_what_the_type_checker_is_told_and_what_is_loaded_on_demand() -> None:
    tree = ast.parse(Path(segue.__file__).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    told = {
        (node.module, alias.name) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    loaded = {(f"segue.{home}", name) for home, names in segue._HOMES.items() for name in names}
    assert told == loaded
    assert {name for _, name in loaded} == set(segue.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        segue.nothing  # noqa: B018


def test_importing_the_package_loads_nothing_of_it_and_the_client_no_http_library() -> None:
    """A step's process imports `segue`, and should not wait for what it does not use."""
    code = "import segue, sys; print(sorted(m for m in sys.modules if m.startswith('segue') or m == 'dataclasses'))"
    assert _output(code) == "['segue']"
    assert _output("import segue, sys; segue.Client; print('httpx' in sys.modules)") == "False"


def _output(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()


def _order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as ruff sorts `__all__`."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)
