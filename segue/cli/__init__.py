"""The command line: `segue`.

Exit codes: 0 succeeded, 1 a run failed, 2 the input is invalid, 3 the service cannot be reached. A user never sees a
stack trace; with `SEGUE_DEBUG=1`, whoever works on Segue does.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that `sys.argv` names, and end the process with its exit code."""
    try:
        from segue.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        print("segue: the command line needs a few packages more: pip install 'segue[cli]'", file=sys.stderr)
        sys.exit(2)
    app(prog_name="segue")
