"""`segue dev` as a person uses it: start, Ctrl-C, a second one, and what is left after `kill -9`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segue import Client
from tests.waiting import until

SLEEPY = """\
segue: 1
name: sleepy
params: {ledger: {type: string}}
defaults: {env: {LEDGER: "${{ params.ledger }}"}}
steps:
  first: {run: echo first >> "$LEDGER"}
  second: {needs: first, run: 'echo second >> "$LEDGER"; sleep 3'}
  third: {needs: second, run: echo third >> "$LEDGER"}
"""


class Dev:
    """A `segue dev` in a process of its own, whose descendants are known by a mark in their environment."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.mark = f"MARK={uuid.uuid4().hex}"
        name, _, value = self.mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "segue", "dev", "--data", str(data), *arguments],
            env={**os.environ, name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=data.parent,
        )
        self._service = data / "service.json"

    def service(self) -> dict[str, str]:
        """Wait until it is up and return its service file."""
        until(lambda: self._up() or self.process.poll() is not None, seconds=90)
        assert self.process.poll() is None, self.process.stdout and self.process.stdout.read()
        return dict(json.loads(self._service.read_text()))

    def _up(self) -> bool:
        """Whether the service file is there and is its own: one that was killed leaves its file behind."""
        return self._service.exists() and json.loads(self._service.read_text())["pid"] == self.process.pid

    def commands(self) -> list[str]:
        """Return the command lines of all its living processes, its own among them."""
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return [command for command in found if command]


@contextmanager
def dev(data: Path, *arguments: str) -> Iterator[Dev]:
    running = Dev(data, *arguments)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()
        until(lambda: not running.commands(), what="the end of all its processes")


def connect(service: dict[str, str]) -> Client:
    return Client(api_url=service["api_url"], api_key=service["api_key"])


def test_every_part_is_a_process_that_ps_names_and_ctrl_c_leaves_none(tmp_path: Path) -> None:
    with dev(tmp_path / "data") as running:
        running.service()
        commands = "\n".join(running.commands())
        for part in (
            "temporal server",
            "segue api",
            *(f"segue worker --queue {q}" for q in ("segue-control", "cpu", "gpu")),
        ):
            assert part in commands
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(timeout=20) == 0
        assert running.commands() == []
        assert not (tmp_path / "data" / "service.json").exists()


def test_a_second_one_on_the_same_folder_is_refused_in_words(tmp_path: Path) -> None:
    with dev(tmp_path / "data") as running:
        running.service()
        second = subprocess.run(
            [sys.executable, "-P", "-m", "segue", "dev", "--data", str(tmp_path / "data")],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert second.returncode == 3
        assert "is in use by another segue" in second.stderr
        assert "Traceback" not in second.stderr


@pytest.mark.timeout(240)
def test_after_kill_9_of_everything_it_goes_on_where_it_was(tmp_path: Path) -> None:
    definition, ledger = tmp_path / "sleepy.yaml", tmp_path / "ledger"
    definition.write_text(SLEEPY)
    with dev(tmp_path / "data") as running:
        with connect(running.service()) as client:
            client.deploy(definition)
            run = client.run("sleepy", params={"ledger": str(ledger)}).id
        until(lambda: ledger.exists() and "second" in ledger.read_text(), what="the second step in flight")
        running.process.kill()
        until(lambda: not running.commands(), what="the end of all its processes")
    with dev(tmp_path / "data") as running, connect(running.service()) as client:
        ended = client.handle(run).wait(timeout=90)
    assert ended.state == "succeeded", ended.reason
    assert ledger.read_text().split() == ["first", "second", "second", "third"]
