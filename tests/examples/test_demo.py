"""`make demo` as a person uses it: a run, Ctrl-C, a crash, and another run on what is there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until

DEMO = Path(__file__).parents[2] / "examples" / "train-digits" / "demo.py"


class Demo:
    """A demo in a process group of its own; what it says is in a file, its descendants carry a mark."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.mark = f"DEMO={uuid.uuid4().hex}"
        self._log = data.parent / f"{self.mark[-8:]}.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, DEMO, "--data", data, *arguments],
                env={**os.environ, "DEMO": self.mark.partition("=")[2]},
                cwd=data.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def processes(self) -> list[int]:
        """Return the ids of all its living processes."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def wait_for(self, words: str) -> None:
        until(lambda: words in self.said or self.process.poll() is not None, seconds=300, what=f"`{words}`")
        assert words in self.said, self.said


@contextmanager
def demo(data: Path, *arguments: str) -> Iterator[Demo]:
    running = Demo(data, *arguments)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        until(lambda: not running.processes(), what="the end of all its processes")


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.timeout(900)
def test_the_demo_releases_a_model_outlives_a_crash_and_stops_at_ctrl_c(tmp_path: Path) -> None:
    with demo(tmp_path / "data", "-p", "trees=20") as first:
        first.wait_for("until Ctrl-C")
        assert re.search(r"^Released train-digits-\w+: right on 9\d\.\d% of the rows", first.said, re.MULTILINE)
        released = re.findall(r"^  (http://\S+/models/digits/released)$", first.said, re.MULTILINE)[0]
        version = get(released)["version"]
        assert version in first.said
        assert len(first.processes()) > 5
        first.process.kill()  # a crash: nothing is told to stop
        until(lambda: not first.processes(), what="the end of all its processes")

    with demo(tmp_path / "data", "-p", "corrupt=0.4") as second:
        second.wait_for("until Ctrl-C")
        assert "Nothing was released: the data is bad." in second.said
        told = re.findall(r"^  (http://\S+/notifications)$", second.said, re.MULTILINE)[0]
        assert len(get(told)["notifications"]) == 1
        assert get(told.replace("notifications", "models/digits/released"))["version"] == version
        os.killpg(second.process.pid, signal.SIGINT)  # what a terminal does at Ctrl-C
        assert second.process.wait(timeout=20) == 0
        assert second.processes() == []
        assert "Traceback" not in second.said


@pytest.mark.timeout(400)
def test_the_demo_ends_with_the_run_when_asked_and_tells_a_script_how_it_was(tmp_path: Path) -> None:
    with demo(tmp_path / "data", "--once", "-p", "trees=none") as refused:
        assert refused.process.wait(timeout=300) == 2
        assert "trees" in refused.said
        assert "Traceback" not in refused.said
        until(lambda: not refused.processes(), seconds=1, what="the end of all its processes")
