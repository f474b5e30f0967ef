"""What the sync and the async client share: everything but I/O."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segue.discovery import Address
from segue.errors import RunFailed
from segue.models import Run


class ClientBase:
    """Where the service is, and what its answers mean."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def run_url(self, run: str) -> str:
        """Return the address of a run's page."""
        base, _, fragment = self.address.ui_url.partition("#")
        return f"{base.rstrip('/')}/runs/{run}" + (f"#{fragment}" if fragment else "")


def is_file(workflow: str | Path) -> bool:
    """Whether a workflow is given by its definition's file; a name has neither dot nor slash."""
    return isinstance(workflow, Path) or "." in workflow or "/" in workflow


def checked(run: Run) -> Run:
    """Return a run that succeeded.

    Raises:
        RunFailed: It did not.
    """
    if run.state == "succeeded":
        return run
    failure = run.first_failure
    message = f"The run {run.id} {'failed' if run.state == 'failed' else 'was cancelled'}"
    if failure is not None and failure.error is not None:
        message += f": step {failure.key}: {failure.error.type}: {failure.error.message}"
    elif run.reason:
        message += f": {run.reason}"
    hint = f"The step's log: segue logs {run.id} {failure.key}" if failure is not None else ""
    raise RunFailed(message, run, hint=hint)


def outcome(run: Run) -> dict[str, Any]:
    """Return a run's outcome as `segue run --json` prints it."""
    return {
        "run": run.id,
        "workflow": run.workflow,
        "state": run.state,
        "steps": {
            step.key: {
                "state": step.state,
                "attempts": max(each.attempt for each in run.steps if each.step == step.step),
                "output": step.output,
                "reason": _why(step.reason, step.error),
            }
            for step in run.steps
            if step.item is None
        },
        "output": run.output,
    }


def _why(reason: str, error: Any) -> str:
    return reason if error is None or reason else f"{error.type}: {error.message}"
