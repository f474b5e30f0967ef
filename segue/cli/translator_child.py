"""The child process that translates one definition: a request as JSON on stdin, the plan or diagnostics on stdout.

Never runs a user's code; a Python definition comes here evaluated.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any


def main() -> None:
    """Translate what stdin holds."""
    request = json.load(sys.stdin)
    json.dump(_answer(request), sys.stdout)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        from translator import DefinitionError, compile_document, compile_yaml
    except ModuleNotFoundError as error:
        return {"missing": error.name}
    try:
        if request["document"] is None:
            plan = compile_yaml(request["text"], request["filename"])
        else:
            plan = compile_document(request["document"], request["filename"])
    except DefinitionError as error:
        return {"diagnostics": [asdict(diagnostic) for diagnostic in error.diagnostics]}
    return {"plan": plan.to_json(), "plan_hash": plan.content_hash}


if __name__ == "__main__":
    main()
