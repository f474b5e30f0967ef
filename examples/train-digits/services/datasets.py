"""The data set service: raw rows in, and builds, which are jobs that go on while nobody waits.

A build is asked for by a key of the caller's, so asking twice gives the same build. One that was running when the
service was killed starts again with it, under the same id.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

from services.documents import (
    InvalidError,
    NotFoundError,
    checked_name,
    read_document,
    write_bytes,
    write_document,
)
from services.rows import Row, csv_lines, damage

CHUNK_ROWS = 200
"""Rows between two looks at whether the build was cancelled."""


class Datasets:
    """Raw data sets and their builds, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._raw = folder / "dataset"
        self._builds = folder / "build"
        self._lock = threading.Lock()
        for path in sorted(self._builds.glob("*.json")):
            if read_document(path)["state"] == "running":
                self._start(path)

    def put_raw(self, name: str, document: dict[str, Any]) -> dict[str, Any]:
        """Keep the raw rows of a data set, in place of those it had."""
        features, rows, labels = (document.get(key) for key in ("features", "rows", "labels"))
        if not (isinstance(features, list) and isinstance(rows, list) and isinstance(labels, list)):
            raise InvalidError("a data set has lists `features`, `rows` and `labels`")
        if len(rows) != len(labels) or any(len(row) != len(features) for row in rows):
            raise InvalidError("a data set has one label for each row, and one value for each feature")
        write_document(self._raw / f"{checked_name(name)}.json", document)
        return {"name": name, "rows": len(rows), "features": len(features), "classes": len(set(labels))}

    def training_rows(self, name: str) -> dict[str, Any]:
        """Return the raw rows that are not held out, without their labels."""
        features, rows = self._read_raw(name)
        return {"features": features, "rows": [row.values for row in rows if row.split == "train"]}

    def submit(self, document: dict[str, Any]) -> dict[str, Any]:
        """Start the build that `document` asks for, or return the one already known by its key."""
        key = checked_name(str(document.get("key", "")))
        corrupt = document.get("corrupt", 0)
        if not isinstance(corrupt, (int, float)) or not 0 <= corrupt <= 1:
            raise InvalidError("`corrupt` is the share of rows to damage: a number from 0 to 1")
        dataset = checked_name(str(document.get("dataset", "")))
        with self._lock:
            path = self._path(key)
            if path.exists():
                return read_document(path)
            self._read_raw(dataset)
            started = {"id": key, "state": "running", "dataset": dataset, "corrupt": corrupt, "rows": 0}
            build = write_document(path, started)
            self._start(path)
            return build

    def build(self, key: str) -> dict[str, Any]:
        """Return a build as it stands."""
        return read_document(self._path(key))

    def cancel(self, key: str) -> dict[str, Any]:
        """Stop a build that is running; one that has ended stays as it is."""
        with self._lock:
            build = read_document(self._path(key))
            if build["state"] != "running":
                return build
            return write_document(self._path(key), {**build, "state": "cancelled"})

    def data(self, key: str) -> bytes:
        """Return the CSV file of a finished build."""
        if self.build(key)["state"] != "finished":
            raise NotFoundError(f"build {key} is not finished")
        return self._path(key).with_suffix(".csv").read_bytes()

    def _path(self, key: str) -> Path:
        return self._builds / f"{checked_name(key)}.json"

    def _read_raw(self, name: str) -> tuple[list[str], list[Row]]:
        document = read_document(self._raw / f"{checked_name(name)}.json")
        labelled = zip(document["labels"], document["rows"], strict=True)
        return document["features"], [Row(n, label, tuple(row)) for n, (label, row) in enumerate(labelled)]

    def _start(self, path: Path) -> None:
        threading.Thread(target=self._run, args=(path,), name=f"build {path.stem}", daemon=True).start()

    def _run(self, path: Path) -> None:
        build = read_document(path)
        try:
            features, rows = self._read_raw(build["dataset"])
            rows = list(damage(rows, build["corrupt"], seed=build["dataset"]))
            lines: list[str] = []
            for line in csv_lines(features, rows):
                lines.append(line)
                if len(lines) % CHUNK_ROWS == 0 and not self._progress(path, len(lines) - 1):
                    return
            data = "".join(lines).encode()
            write_bytes(path.with_suffix(".csv"), data)
            self._progress(path, len(rows), state="finished", sha256=hashlib.sha256(data).hexdigest())
        except Exception as error:  # whatever it is, the one who polls must hear of it
            self._progress(path, 0, state="failed", error=f"{type(error).__name__}: {error}")

    def _progress(self, path: Path, rows: int, **changes: Any) -> bool:
        """Record how far a build is; False: it was cancelled meanwhile."""
        with self._lock:
            build = read_document(path)
            if build["state"] != "running":
                return False
            write_document(path, {**build, "rows": rows, **changes})
            return True
