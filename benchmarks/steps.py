"""What a step costs on its worker beyond its own work: whole attempts beside bare subprocesses that do the same.

An attempt is all that the worker does for it: the bundle's copy, the process and its guard, the log and the output in a
store on disk. Both take turns. Prints a line per kind; `ratio` is the attempt's time over the subprocess's, by the
medians of the rounds.

    python benchmarks/steps.py [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import hashlib
import io
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.testing import ActivityEnvironment

sys.path.insert(0, str(Path(__file__).parents[1]))

from activities.step import StepActivities
from store.objects import open_object_store
from workflows.messages import StepTask

CODE = "def f(): return 1\n"
PYTHON = [sys.executable, "-s", "-S", "-c", "import sys; sys.path[:0] = ['.']; import m; m.f()"]
SQLITE = "import sqlite3; sqlite3.connect(':memory:').execute('SELECT 1').fetchall()"
KINDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "shell": ({"kind": "shell", "action": {"script": "true"}}, ["bash", "-c", "true"]),
    "python": ({"kind": "python", "action": {"callable": "m:f"}}, PYTHON),
    "python-cold": ({"kind": "python", "action": {"callable": "m:f"}, "env": {"PYTHONHASHSEED": "random"}}, PYTHON),
    "sql": ({"kind": "sql", "inputs": {"url": "sqlite://", "sql": "SELECT 1"}}, [sys.executable, "-c", SQLITE]),
}
"""A step of each kind, and the same as a bare command. `python-cold` starts an interpreter for each step."""


class Worker:
    """The step activities of a worker, without Temporal."""

    def __init__(self, folder: Path) -> None:
        objects = open_object_store((folder / "objects").as_uri())
        self._bundle = _bundle(objects.put)
        steps = StepActivities(objects, folder / "cache", None, "benchmark")
        self._by_kind = {activity._Definition.must_from_callable(each).name: each for each in steps.all()}
        self._runs = 0

    async def attempt(self, **fields: Any) -> None:
        """Run one attempt of a step."""
        self._runs += 1
        environment = ActivityEnvironment()
        given = {"workflow_run_id": f"{self._runs:08}-0000", "start_to_close_timeout": timedelta(minutes=1)}
        environment.info = dataclasses.replace(environment.info, **given)  # type: ignore[arg-type]
        task = StepTask("benchmark", "benchmark", 1, "s", "s", 0, **{"action": {}, **fields}, bundle=self._bundle)
        await environment.run(self._by_kind[task.kind], task)


def _bundle(put: Callable[[str, bytes], None]) -> str:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("m.py", CODE)
    digest = hashlib.sha256(data.getvalue()).hexdigest()
    put(f"bundles/{digest}.zip", data.getvalue())
    return digest


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000


async def measure(rounds: int) -> None:
    """Print a line for each kind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "m.py").write_text(CODE)
        worker = Worker(folder)
        for kind, (fields, command) in KINDS.items():

            async def bare(command: list[str] = command) -> None:
                await asyncio.to_thread(subprocess.run, command, cwd=folder, check=True)

            await worker.attempt(**fields)  # the first one unpacks the bundle and starts what is kept
            times: dict[str, list[float]] = {"step": [], "bare": []}
            for _ in range(rounds):
                times["step"].append(await _timed(lambda fields=fields: worker.attempt(**fields)))  # type: ignore[misc]
                times["bare"].append(await _timed(bare))
            step, alone = (statistics.median(each) for each in times.values())
            print(f"{kind:<12} step {step:.1f} ms, subprocess {alone:.1f} ms, more {step - alone:+.1f} ms, ", end="")
            print(f"ratio {step / alone:.2f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    asyncio.run(measure(parser.parse_args().rounds))
