"""The services of train-digits: real requests, real files, real kills."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "train-digits"


class ExampleServices:
    """One data folder, and the process that serves it at the moment."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "services", "--data", str(self.data)]
        self._process = subprocess.Popen(
            command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        assert ready.startswith("services ready on http://127.0.0.1:"), ready
        self.url = ready.split()[-1]

    def end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        status = self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        return status

    def ended(self) -> bool:
        return self._process is None

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return the status and what came: JSON read, anything else as bytes."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        url = path if path.startswith("http") else f"{self.url}/{path}"
        request = urllib.request.Request(url, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                status, content, kind = answer.status, answer.read(), answer.headers["Content-Type"]
        except urllib.error.HTTPError as error:
            with error:
                status, content, kind = error.code, error.read(), error.headers["Content-Type"]
        return status, json.loads(content) if kind == "application/json" else content


@pytest.fixture
def services(tmp_path: Path) -> Iterator[ExampleServices]:
    services = ExampleServices(tmp_path / "services")
    services.start()
    yield services
    if not services.ended():
        services.end(signal.SIGTERM)


def raw_rows(count: int) -> dict[str, Any]:
    chance = random.Random(1)
    rows = [[chance.gauss(row % 3, 0.1), chance.random(), 7.0] for row in range(count)]
    return {"features": ["a", "b", "constant"], "rows": rows, "labels": [row % 3 for row in range(count)]}


def finished(services: ExampleServices, key: str) -> dict[str, Any]:
    """Return the build once it has ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status, build = services.ask("GET", f"builds/{key}")
        assert status == 200
        if build["state"] != "running":
            return dict(build)
    raise AssertionError(f"still running: {build}")


def build(services: ExampleServices, key: str, corrupt: float = 0.0) -> list[list[str]]:
    """Return the cells of a build's CSV file, without its heading."""
    services.ask("POST", "builds", {"key": key, "dataset": "small", "corrupt": corrupt})
    document = finished(services, key)
    assert document["state"] == "finished", document
    status, data = services.ask("GET", document["uri"])
    assert status == 200
    assert hashlib.sha256(data).hexdigest() == document["sha256"]
    return [line.split(",") for line in data.decode().splitlines()[1:]]


def test_a_build_normalises_by_its_training_rows_and_holds_a_fifth_out(services: ExampleServices) -> None:
    services.ask("PUT", "datasets/small", raw_rows(500))
    rows = build(services, "one")
    training = [float(row[2]) for row in rows if row[0] == "train"]
    assert len(rows) == 500
    assert 0.15 < 1 - len(training) / len(rows) < 0.25
    assert abs(sum(training)) < 0.01
    assert abs(sum(value * value for value in training) / len(training) - 1) < 0.01
    assert {row[4] for row in rows} == {"0"}, "a constant column has no spread to divide by"


def test_the_split_is_the_same_in_every_build_and_known_to_the_embedding(services: ExampleServices) -> None:
    services.ask("PUT", "datasets/small", raw_rows(300))
    splits = [[row[0] for row in build(services, key)] for key in ("one", "two")]
    assert splits[0] == splits[1]
    _, training = services.ask("GET", "datasets/small/training-rows")
    assert len(training["rows"]) == splits[0].count("train")


def test_corrupt_damages_that_share_of_the_rows_and_the_same_ones_each_time(services: ExampleServices) -> None:
    services.ask("PUT", "datasets/small", raw_rows(1000))
    whole, damaged, again = build(services, "one"), build(services, "two", 0.4), build(services, "three", 0.4)
    assert damaged == again
    changed = sum(a[1] != b[1] or "" in b for a, b in zip(whole, damaged, strict=True))
    assert 330 < changed < 470


def test_asking_twice_with_one_key_gives_one_build(services: ExampleServices) -> None:
    services.ask("PUT", "datasets/small", raw_rows(10))
    build(services, "one")
    status, second = services.ask("POST", "builds", {"key": "one", "dataset": "small", "corrupt": 1})
    assert (status, second["state"], second["corrupt"]) == (202, "finished", 0.0)


def test_a_cancelled_build_ends_and_has_no_data(services: ExampleServices) -> None:
    services.ask("PUT", "datasets/small", raw_rows(20_000))
    services.ask("POST", "builds", {"key": "long", "dataset": "small", "corrupt": 0.1})
    status, document = services.ask("DELETE", "builds/long")
    assert (status, document["state"]) == (200, "cancelled")
    assert services.ask("GET", "builds/long/data.csv")[0] == 404


def test_a_build_that_was_running_at_a_kill_ends_after_the_restart(services: ExampleServices) -> None:
    services.ask("PUT", "datasets/small", raw_rows(20_000))
    services.ask("POST", "builds", {"key": "long", "dataset": "small", "corrupt": 0.1})
    assert services.end(signal.SIGKILL) == -signal.SIGKILL
    left = json.loads((services.data / "build" / "long.json").read_bytes())
    assert left["state"] == "running", "nothing was in flight when it was killed"
    services.start()
    document = finished(services, "long")
    assert (document["state"], document["rows"]) == ("finished", 20_000)
    assert document["href"].startswith(services.url), "links follow the address that the service has now"


def test_everything_acknowledged_outlives_a_kill(services: ExampleServices) -> None:
    model = b"\x00weights\xff" * 1000
    sha256 = hashlib.sha256(model).hexdigest()
    services.ask("PUT", "trainings/run-1", {"dataset": "small"})
    services.ask("POST", "trainings/run-1/executions", {"step": "train[0]", "attempt": 1, "event": "started"})
    services.ask("PUT", "models/small/versions/run-1", model)
    services.ask("PUT", "models/small/released", {"version": "run-1", "sha256": sha256, "accuracy": 0.9})
    services.ask("POST", "notifications", {"key": "run-1", "to": "a@example.com", "text": "hello"})
    services.end(signal.SIGKILL)
    with (services.data / "executions.ndjson").open("ab") as ledger:
        ledger.write(b'{"step": "torn')
    services.start()
    services.ask("POST", "trainings/run-1/executions", {"step": "train[0]", "attempt": 2, "event": "started"})
    assert services.ask("GET", "trainings/run-1")[1] == {"dataset": "small", "run": "run-1"}
    executions = services.ask("GET", "trainings/run-1/executions")[1]["executions"]
    assert [(e["step"], e["attempt"]) for e in executions] == [("train[0]", 1), ("train[0]", 2)]
    released = services.ask("GET", "models/small/released")[1]
    assert (released["version"], released["accuracy"]) == ("run-1", 0.9)
    assert services.ask("GET", released["href"]) == (200, model)
    assert len(services.ask("GET", "notifications")[1]["notifications"]) == 1


def test_a_notification_with_the_same_key_is_delivered_once(services: ExampleServices) -> None:
    for _ in range(2):
        assert services.ask("POST", "notifications", {"key": "run-1", "to": "a@example.com", "text": "x"})[0] == 201
    assert len(services.ask("GET", "notifications")[1]["notifications"]) == 1


def test_a_version_never_changes_and_only_what_is_there_is_released(services: ExampleServices) -> None:
    assert services.ask("PUT", "models/small/versions/run-1", b"one")[0] == 200
    assert services.ask("PUT", "models/small/versions/run-1", b"one")[0] == 200
    assert services.ask("PUT", "models/small/versions/run-1", b"two")[0] == 422
    wrong = {"version": "run-1", "sha256": hashlib.sha256(b"two").hexdigest()}
    assert services.ask("PUT", "models/small/released", wrong)[0] == 422
    assert services.ask("GET", "models/small/released")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "nothing", None, 404, "nothing answers"),
        ("GET", "builds/absent", None, 404, "no build called absent"),
        ("POST", "builds", {"key": "k", "dataset": "absent"}, 404, "no dataset called absent"),
        ("POST", "builds", {"key": "k", "dataset": "d", "corrupt": 2}, 422, "from 0 to 1"),
        ("POST", "builds", {"key": "../k", "dataset": "d"}, 422, "not a name"),
        ("PUT", "datasets/d", {"features": ["a"], "rows": [[1, 2]], "labels": [0]}, 422, "one value for each feature"),
        ("PUT", "datasets/%2e%2e", {"features": [], "rows": [], "labels": []}, 422, "not a name"),
        ("PUT", "datasets/d", b"{", 422, "not JSON"),
        ("POST", "notifications", {"to": "x"}, 422, "`key`"),
    ],
)
def test_mistakes_are_answered_in_words(
    services: ExampleServices, method: str, path: str, body: Any, status: int, words: str
) -> None:
    answered, document = services.ask(method, path, body)
    assert answered == status
    assert words in document["error"]


def test_a_second_instance_on_the_same_data_is_refused(services: ExampleServices) -> None:
    command = [sys.executable, "-m", "services", "--data", str(services.data)]
    second = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=10)
    assert second.returncode == 1
    assert "another instance uses" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_polite_stop_ends_it_at_once(services: ExampleServices) -> None:
    assert services.end(signal.SIGTERM) == 0
