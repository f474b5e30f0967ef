"""Plants a bug in a second copy of the core, and lets the simulator look for it.

The copy is made in this process: the modules of `workflows` and the simulator's are imported anew, one of them from a
changed text. Nothing of it is left behind.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.simulator.mutants import Mutant

ROOM = Path(__file__).parents[2] / "workflows"
_OURS = ("workflows", "tests.simulator", "tests.workflows.meaning")


class MutantOutdated(Exception):
    """The text that a mutant changes is not there, or more than once."""


def mutated(mutant: Mutant) -> str:
    """Return the text of a module with the bug in it.

    Raises:
        MutantOutdated: It cannot be planted any more.
    """
    text = (ROOM / f"{mutant.module}.py").read_text(encoding="utf-8")
    count = text.count(mutant.was)
    if count != 1:
        raise MutantOutdated(f"{mutant.name!r}: its text is {count} times in workflows/{mutant.module}.py, not once")
    return text.replace(mutant.was, mutant.now)


def hunt(mutant: Mutant, seeds: Iterator[int] | range) -> tuple[int, str] | None:
    """Return the first seed that finds the bug, and what it breaks; None: no seed does."""
    with _planted(mutant) as shrinking:
        cases = sys.modules["tests.simulator.cases"]
        for seed in seeds:
            failure = shrinking.failure_of(cases.case_of(seed))
            if failure is not None:
                return seed, failure.promise
    return None


class _Planter(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, and loads it from another text."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the module, if it is the one."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill the module."""
        exec(compile(self.text, f"<{self.name}, mutated>", "exec"), module.__dict__)


@contextmanager
def _planted(mutant: Mutant) -> Iterator[types.ModuleType]:
    """Give the simulator (`tests.simulator.shrinking`) over a core with a bug."""
    planter = _Planter(f"workflows.{mutant.module}", mutated(mutant))
    real = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_ours(name)}
    sys.meta_path.insert(0, planter)
    try:
        yield importlib.import_module("tests.simulator.shrinking")
    finally:
        sys.meta_path.remove(planter)
        for name in [name for name in sys.modules if _is_ours(name)]:
            del sys.modules[name]
        sys.modules.update(real)


def _is_ours(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in _OURS)
