"""The API as a process: one line, a clear refusal, a quick stop."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import Api
from workers.ports import free_port

REPOSITORY = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from api.serve import serve; from store.settings import Settings; serve(Settings())"]


@contextlib.contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "SEGUE_API_PORT": str(port),
        "SEGUE_DATABASE_URL": f"sqlite:///{folder}/segue.db",
        "SEGUE_OBJECT_STORE": (folder / "objects").as_uri(),
        "SEGUE_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
    }
    pipe = subprocess.PIPE
    with subprocess.Popen(COMMAND, env=environment, cwd=folder, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_address_and_stops_when_told(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.fullmatch(r"Segue API on (http://127\.0\.0\.1:\d+)\n", line)
        assert address is not None, line
        assert httpx.get(f"{address[1]}/api/v1/health", timeout=20).json()["status"] == "ok"
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
        assert (process.returncode, rest, errors) == (0, "", "")


def test_a_port_in_use_is_said_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with serving(tmp_path, port) as process:
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in errors
    assert "Address already in use" in errors
    assert "Traceback" not in errors


async def test_answers_are_not_held_back(api: Api) -> None:
    """Nagle's algorithm would cost 40 ms each; the best of twenty is not a matter of luck."""
    best = 1.0
    for _ in range(20):
        best = min(best, (await api.http.get("/vars")).elapsed.total_seconds())
    assert best < 0.03
