"""The child process that translates one definition: a request as JSON on stdin, the plan or diagnostics on stdout.

Reads the files with shared steps that the definition uses, and no others. Never runs a user's code; a Python definition
comes here evaluated.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from segue.cli.shared_files import read_files


def main() -> None:
    """Translate what stdin holds."""
    request = json.load(sys.stdin)
    json.dump(_answer(request), sys.stdout)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        from translator import DefinitionError, compile_document, compile_yaml, files_of_document, files_of_yaml
    except ModuleNotFoundError as error:
        return {"missing": error.name}
    text, document, filename = request["text"], request["document"], request["filename"]
    named = files_of_yaml(text) if document is None else files_of_document(document)
    files = read_files(named, request["folders"])
    try:
        plan = compile_yaml(text, filename, files) if document is None else compile_document(document, filename, files)
    except DefinitionError as error:
        return {"diagnostics": [asdict(diagnostic) for diagnostic in error.diagnostics]}
    return {"plan": plan.to_json(), "plan_hash": plan.content_hash, "files": files}


if __name__ == "__main__":
    main()
