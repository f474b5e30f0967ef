"""Runs one of `activities.clients` in a process of its own, for an operator whose library may hang, crash or block.

It is killed with the step like a step's own process, and sees as little of the worker's environment. It gets a job
file, and leaves an output or an error file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from activities.attempt import Attempt
from activities.endings import how_it_ended
from activities.errors import StepFailed
from activities.process import GRACE_SECONDS, Command, base_environment
from activities.references import Outputs
from activities.values import MAX_DOCUMENT_BYTES, check_size, decode
from activities.warm import Entry
from segue.runner import ERROR, JOB, OUTPUT
from workflows.messages import JSON

FOLDER = Path(__file__).parent
BOOT = """
import importlib, pathlib, sys
sys.path.insert(0, sys.argv[1])
import clients
del sys.path[0]
sys.exit(importlib.import_module("clients." + sys.argv[2]).main(pathlib.Path(sys.argv[3])))
"""
"""Loads the package by itself: beside it are modules that must shadow nothing, and Temporal's client."""

ENTRY = """
import importlib, pathlib
sys.path.insert(0, sys.argv[1])
import clients
del sys.path[0]
client = importlib.import_module("clients." + sys.argv[2])
main, strict = lambda folder: client.main(pathlib.Path(folder)), False
"""
"""The same in an interpreter that waits for steps: most of a client's time goes into loading its library."""


async def run_helper(
    attempt: Attempt, client: str, job: dict[str, Any], what: str, *, grace: float = GRACE_SECONDS
) -> JSON:
    """Run a client in this worker's own interpreter, and return its output.

    Args:
        attempt: The attempt.
        client: The name of its module.
        job: What it is to do, as JSON.
        what: What to call it in messages.
        grace: Seconds that it gets to end by itself when the step is cancelled.

    Raises:
        StepFailed: As the client reports it, or because it ended in another way.
    """
    folder = attempt.scratch / "exchange"
    folder.mkdir(mode=0o700)
    await attempt.blocking((folder / JOB).write_text, json.dumps(job), encoding="utf-8")
    argv = (sys.executable, "-I", "-c", BOOT, str(FOLDER), client, str(folder))
    base = base_environment() | {"PYTHONUNBUFFERED": "1"}
    command = Command(argv, base | {"TMPDIR": str(folder)}, folder, folder=str(folder))
    entry = Entry(ENTRY, (str(FOLDER), client), FOLDER / "clients" / f"{client}.py")
    exit = await attempt.workshop.warm.run(command, entry, base, attempt.log, grace=grace)
    if failure := await attempt.blocking(_reported, folder):
        raise failure
    if exit.code != 0:
        detail = {"exit_code": exit.code, "signal": exit.signal, "log_tail": attempt.log.tail("stderr")}
        raise StepFailed(
            "ExitCode", f"{what} {how_it_ended(exit)}", {name: fact for name, fact in detail.items() if fact}
        )
    return await Outputs(attempt, folder, folder).published(await attempt.blocking(_output, folder))


def _reported(folder: Path) -> StepFailed | None:
    try:
        report = json.loads((folder / ERROR).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return StepFailed(report["type"], report["message"], report.get("detail"), retryable=report["retryable"])


def _output(folder: Path) -> JSON:
    with (folder / OUTPUT).open("rb") as file:
        return decode(check_size(file.read(MAX_DOCUMENT_BYTES + 1)))
