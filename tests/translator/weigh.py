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
    """Print a JSON object of name to what was found and what it took; seconds are the processor's."""
    json.dump({name: _weighed(text) for name, text in {**LARGE, **ACCEPTED}.items()}, sys.stdout)


def _weighed(text: str) -> dict[str, Any]:
    codes: list[str] = []
    rendered = 0
    start = time.process_time()
    try:
        compile_yaml(text, "demo.yaml")
    except DefinitionError as error:
        codes = [found.code for found in error.diagnostics]
        rendered = len(error.render())
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 * 1024 if sys.platform == "darwin" else 1024)
    return {"seconds": seconds, "peak": peak, "problems": len(codes), "codes": codes[:5], "rendered": rendered}


if __name__ == "__main__":
    main()
