"""`dag.test()`: runs a definition's file through the command line, on the real engine.

The engine lives in processes of its own, so the calling one (a debugger's, a notebook's) is only told the outcome.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from segue.errors import RunFailed, SegueError, ServiceUnreachable, SubmitError
from segue.place import misuse

evaluating = False
"""Set in the child process that evaluates definitions, where a run would evaluate the file again, and so on."""


def run_file(file: Path, workflow: str, params: dict[str, Any]) -> dict[str, Any]:
    """Run a workflow of a Python file and return its outcome; progress goes to stderr.

    Raises:
        RunFailed: It did not succeed.
        SegueError: It could not be run.
    """
    if evaluating:
        raise misuse(
            "dag.test() would run this file again, and so on", hint='put it under `if __name__ == "__main__":`'
        )
    command = [sys.executable, "-P", "-m", "segue", "run", str(file), "--workflow", workflow, "--params", "-", "--json"]
    ended = subprocess.run(command, input=json.dumps(params).encode(), stdout=subprocess.PIPE, check=False)
    try:
        outcome: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        raise _unsaid(ended.returncode, workflow) from None
    if outcome["state"] != "succeeded":
        raise RunFailed(f"The run {outcome['run']} of {workflow} is {outcome['state']}; the reason is shown above.")
    return outcome


def _unsaid(status: int, workflow: str) -> SegueError:
    kinds: dict[int, type[SegueError]] = {2: SubmitError, 3: ServiceUnreachable}
    return kinds.get(status, SegueError)(f"{workflow} could not be run; the reason is shown above.")
