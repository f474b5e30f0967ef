"""What a worker says of itself, and what it learns of others."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import Client
from typer.testing import CliRunner

from segue.cli.app import app
from segue.cli.service import read_labels
from tests.waiting import eventually
from workers import machine, worker
from workers.fleet import Advertisement, OtherWorkers
from workers.machine import find_machine
from workers.stack import Stack
from workflows.fleet import Facts, read_facts

FACTS = Facts(4, {"zone": "a"}, {"cpu": 2.0, "memory": 2**30, "gpu": 1})


def test_what_a_worker_says_is_read_again() -> None:
    assert read_facts(["another.Plugin", Advertisement(FACTS).name()]) == FACTS


@pytest.mark.parametrize("name", ["segue {", "segue []", 'segue {"slots":"many"}', "other", "segue null"])
def test_what_is_no_worker_of_ours_says_nothing(name: str) -> None:
    assert read_facts([name]) is None


async def test_another_worker_is_found_when_it_is_large_enough(stack: Stack) -> None:
    others = OtherWorkers(await Client.connect(str(stack.service["temporal_address"])))
    found = await eventually(lambda: others.with_room("cpu", {"cpu": 0.5}, now=True), what="the stack's worker")
    assert found.startswith("cpu@")
    assert await others.with_room("cpu", {"cpu": 0.5, "gpu": 64}, now=False) is None
    assert await others.with_room("no-such-queue", {"cpu": 0.5}, now=False) is None


def test_a_machine_is_what_the_worker_is_told() -> None:
    found = find_machine(3, 2**30, 2)
    assert (found.cpu, found.memory, len(found.gpus)) == (3, 2**30, 2)


def test_devices_are_those_that_the_worker_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1, GPU-5,3")
    assert find_machine().gpus == ("1", "GPU-5", "3")
    assert find_machine(gpu=2).gpus == ("1", "GPU-5")
    assert find_machine(gpu=0).gpus == ()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert find_machine().gpus == ()


def test_a_container_has_what_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    whole = find_machine()
    assert whole.memory > 0
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("1048576\n")
    assert (find_machine().cpu, find_machine().memory) == (0.5, 2**20)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert find_machine() == whole


def test_labels_are_read_from_one_text_or_several() -> None:
    assert read_labels(["zone=a,team=vision", "rack=7"]) == {"zone": "a", "team": "vision", "rack": "7"}


@pytest.mark.parametrize("text", ["zone", "=a", "zone=", "zone=a=b", "zone=a,,b=c", "zo ne=a"])
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(SystemExit, match="is not NAME=VALUE"):
        read_labels([text])


@pytest.mark.parametrize(
    ("option", "value"),
    [("--memory", "16GB"), ("--memory", "0Gi"), ("--drain", "soon"), ("--cpu", "nan"), ("--cpu", "inf")],
)
def test_a_worker_is_not_started_with_what_it_cannot_read(
    option: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "main", lambda *_: None)
    ended = CliRunner().invoke(app, ["worker", "--queue", "cpu", option, value])
    assert ended.exit_code == 2
    assert value in ended.output
