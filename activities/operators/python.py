"""The python operator: calls `module:function` of the bundle in a child process, in the step's own environment.

The call happens in `segue.runner`, which knows the standard library alone. It gets a job file and leaves an output or
an error file; the step's own prints go to the log and are never read as a result.
"""

from __future__ import annotations

import json
from typing import Any

from activities.attempt import Attempt
from activities.errors import StepFailed
from activities.left_files import read_left
from activities.operators.shell import exit_failure
from activities.process import Command
from activities.references import Inputs, Outputs
from activities.values import MAX_DOCUMENT_BYTES, check_size, decode
from activities.warm import Entry
from activities.workplace import Workplace, finish, memory_of, prepare
from segue.runner import ERROR, JOB, OUTPUT
from workflows.messages import JSON

BOOT = """
import sys
sys.path[:] = [sys.argv[1], *filter(None, sys.path)]
import runner
del sys.modules["runner"]
sys.exit(runner.main(sys.argv[2]))
"""
"""Starts the runner. An import, unlike a script, is compiled only once (6 ms); by its bare name it needs no package."""

ENTRY = """
sys.path[:] = [sys.argv[1], *filter(None, sys.path)]
import runner
del sys.modules["runner"]
main, strict = runner.main, True
"""
"""The same in an interpreter that waits for steps."""


class PythonOperator:
    """Runs `action.callable` with the step's inputs as keyword arguments."""

    async def run(self, attempt: Attempt) -> JSON:
        """Call the function; see `Operator`."""
        inputs = Inputs(attempt)
        place = await prepare(attempt, inputs)
        await _write_job(attempt, place, await inputs.local(attempt.task.inputs))
        runner = attempt.workshop.import_path / "segue"
        argv = (*place.interpreter, "-c", BOOT, str(runner), str(place.exchange))
        command = Command(argv, place.env, place.work, folder=str(place.exchange), memory=memory_of(attempt))
        entry = Entry(ENTRY, (str(runner), ""), runner / "runner.py")
        exit = await place.start(attempt, command, entry)
        failure = await attempt.blocking(_reported, place) or exit_failure(exit, "the Python process", attempt)
        outputs = Outputs(attempt, place.artifacts, place.work)
        await finish(attempt, outputs, failure)
        if failure:
            raise _with_tail(failure, attempt)
        return await outputs.published(await attempt.blocking(_returned, place))


async def _write_job(attempt: Attempt, place: Workplace, inputs: JSON) -> None:
    job = {
        "callable": attempt.task.action["callable"],
        "inputs": inputs,
        "work": str(place.work),
        "path": str(attempt.workshop.import_path),
        "requirements": attempt.task.requirements or (None if attempt.task.packages is None else "its requirements"),
    }
    await attempt.blocking(lambda: (place.exchange / JOB).write_text(json.dumps(job), encoding="utf-8"))


def _reported(place: Workplace) -> StepFailed | None:
    """Return what the runner says went wrong, if it says so; a step's code may have written anything there."""
    try:
        report: dict[str, Any] = json.loads(read_left(place.exchange / ERROR, MAX_DOCUMENT_BYTES))
        return StepFailed(
            str(report["type"]),
            str(report["message"]),
            dict(report.get("detail", {})),
            retryable=bool(report.get("retryable", True)),
            ancestors=tuple(str(name) for name in report.get("ancestors", ())),
        )
    except (ValueError, TypeError, KeyError, OSError):
        return None


def _returned(place: Workplace) -> JSON:
    try:
        return decode(check_size(read_left(place.exchange / OUTPUT, MAX_DOCUMENT_BYTES + 1)))
    except OSError:
        raise StepFailed(
            "OutputInvalid", "the Python process ended with code 0 before the function returned", retryable=False
        ) from None


def _with_tail(failure: StepFailed, attempt: Attempt) -> StepFailed:
    tail = attempt.log.tail("stderr")
    if tail:
        failure.detail.setdefault("log_tail", tail)
    return failure
