"""Workflows that are functions and call each other: how they are found, deployed, tested and stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.submission import read_with_called
from segue.testing import fails, run, runs, takes
from tests.segue.conftest import Bench
from tests.segue.definitions import write

SOURCE = """
@step
def grow(n: int) -> int:
    if n > 8:
        raise ValueError(f"{n} is too much")
    return n + 1

@step
def sweep(n: int) -> None:
    print("swept", n)

@workflow
def twice(n: int) -> int:
    return grow(grow(n))

@workflow
def several(ns: list[int]) -> list:
    return [twice(n) for n in ns]

@workflow
def unlike(n: int = 1) -> int:
    return grow(n)

@workflow
def whole(n: int = 1):
    start = grow(n)
    try:
        try:
            found = several([start, 4])
        except StepFailed:
            found = []
        return {"found": found, "start": start}
    finally:
        sweep(start)

if __name__ == "__main__":
    import sys
    print(whole(int(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("called"), SOURCE)


def test_a_workflow_brings_along_those_of_its_file_that_it_calls(flow: Path) -> None:
    definition, called = read_with_called(flow, "whole")
    assert (definition.name, [each.name for each in called]) == ("whole", ["several", "twice"])
    assert read_with_called(flow, "unlike")[1] == []


def test_a_run_of_a_file_deploys_what_the_workflow_calls_and_gives_what_the_call_gives(
    bench: Bench, flow: Path
) -> None:
    for n, output in ((1, {"found": [4, 6], "start": 2}), (7, {"found": [], "start": 8})):
        ended = bench.segue("run", flow, "--workflow", "whole", "-p", f"n={n}", "--json")
        assert ended.code == 0, ended.err
        assert ended.json["output"] == output
        assert ended.json["steps"]["sweep"]["state"] == "succeeded"


def test_a_test_runs_what_is_called_in_memory_too(flow: Path) -> None:
    inner = runs(flow, workflow="twice", steps={"grow": lambda task: task.inputs["n"] + 1, "grow_2": 7})
    middle = runs(flow, workflow="several", steps={"twice": inner})
    steps = {"grow": 2, "several": middle, "sweep": None}
    assert run(flow, workflow="whole", steps=steps).output == {"found": [7, 7], "start": 2}


def test_a_finally_that_ends_the_workflow_runs_when_the_run_is_cancelled(flow: Path) -> None:
    stopped = run(flow, workflow="whole", steps={"grow": 2, "several": takes("1h", []), "sweep": None}, cancel_at="1m")
    assert (stopped.state, stopped.states["several"]) == ("cancelled", "cancelled")
    assert stopped.states["sweep"] == "succeeded"
    assert stopped.steps["sweep"].inputs == {"n": 2}


def test_what_is_cancelled_or_fails_before_the_try_keeps_its_finally_from_running(flow: Path) -> None:
    steps = {"several": [], "sweep": None}
    for grow, cancel_at in ((takes("1h", 2), "1m"), (fails(ValueError("no")), None)):
        ended = run(flow, workflow="whole", steps=steps | {"grow": grow}, cancel_at=cancel_at)
        assert ended.states["sweep"] == "skipped"
