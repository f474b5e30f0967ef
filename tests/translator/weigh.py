"""Compiles the large definitions one after the other, and prints what that took, memory in MB."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

from tests.translator.large import ACCEPTED, LARGE
from translator import DefinitionError, compile_yaml


def main() -> None:
    """Print a JSON object of name to what was found and what it took; seconds are the processor's.

    Memory is what compiling takes beyond what the process has before it compiles anything.
    """
    compile_yaml("{segue: 1, name: first, steps: {a: {uses: noop}}}", "first.yaml")
    before = _peak()
    json.dump({name: _weighed(text, before) for name, text in {**LARGE, **ACCEPTED}.items()}, sys.stdout)


def _peak() -> int:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 * 1024 if sys.platform == "darwin" else 1024)


def _weighed(text: str, before: int) -> dict[str, Any]:
    codes: list[str] = []
    rendered = 0
    start = time.process_time()
    try:
        compile_yaml(text, "demo.yaml")
    except DefinitionError as error:
        codes = [found.code for found in error.diagnostics]
        rendered = len(error.render())
    seconds = time.process_time() - start
    return {
        "seconds": seconds,
        "peak": _peak() - before,
        "problems": len(codes),
        "codes": codes[:5],
        "rendered": rendered,
    }


if __name__ == "__main__":
    main()
