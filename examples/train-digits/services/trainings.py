"""The training service: what each training run is, every execution of a step's code, and messages to the data team.

The executions are a ledger, written as they happen. Whoever wants to know whether a step ran twice counts its lines.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from services.documents import InvalidError, Ledger, checked_name, read_document, write_document


class Trainings:
    """Training records, executions and notifications, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._trainings = folder / "training"
        self._executions = Ledger(folder / "executions.ndjson")
        self._notifications = Ledger(folder / "notifications.ndjson")
        self._lock = threading.Lock()

    def put(self, run: str, document: dict[str, Any]) -> dict[str, Any]:
        """Keep what is known of a training run."""
        return write_document(self._trainings / f"{checked_name(run)}.json", {**document, "run": run})

    def get(self, run: str) -> dict[str, Any]:
        """Return what is known of a training run."""
        return read_document(self._trainings / f"{checked_name(run)}.json")

    def add_execution(self, run: str, document: dict[str, Any]) -> dict[str, Any]:
        """Note that a step's code started or ended: `{"step", "attempt", "event", ...}`."""
        if not {"step", "attempt", "event"} <= set(document):
            raise InvalidError("an execution has `step`, `attempt` and `event`")
        entry = {**document, "run": checked_name(run), "at": time.time()}
        self._executions.append(entry)
        return entry

    def executions(self, run: str) -> dict[str, Any]:
        """Return the executions of a run, oldest first."""
        return {"executions": [entry for entry in self._executions.entries() if entry["run"] == run]}

    def notify(self, document: dict[str, Any]) -> dict[str, Any]:
        """Deliver a message; one with a key that was delivered before is not delivered again."""
        if not {"key", "to", "text"} <= set(document):
            raise InvalidError("a notification has `key`, `to` and `text`")
        with self._lock:
            for entry in self._notifications.entries():
                if entry["key"] == document["key"]:
                    return entry
            entry = {**document, "at": time.time()}
            self._notifications.append(entry)
        return entry

    def notifications(self) -> dict[str, Any]:
        """Return every message, oldest first."""
        return {"notifications": self._notifications.entries()}
