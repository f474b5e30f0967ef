"""A small workflow, and transitions of its runs."""

from __future__ import annotations

from typing import Any

from store.database import Database
from store.rows import Run, Version
from store.runs import create_run
from store.workflows import deploy_workflow
from workflows.messages import Cause, RunRecords, RunRequest, StepError, StepResult, Transition
from workflows.plan import Edge, Map, Plan, Step

NOON = 1_800_000_000.0
"""The time at which all sample runs happen."""


def plan(name: str = "train", **more: Any) -> Plan:
    steps = (
        Step("load", "python", {"callable": "code:load"}),
        Step("train", "python", {"callable": "code:train"}, (Edge("load"),), map=Map([1, 2]), queue="gpu"),
        Step("check", "shell", {"script": "true"}, (Edge("train"),)),
    )
    return Plan(name, steps, **more)


async def deployed(database: Database, name: str = "train") -> Version:
    version, _ = await deploy_workflow(database, plan(name), {"text": "segue: 1"}, None)
    return version


async def created(database: Database, run: str = "train-1", **more: Any) -> Run:
    version = await deployed(database)
    request = RunRequest("train", version.version, plan=version.plan, cause=Cause("manual", "ada"), **more)
    made, _ = await create_run(database, run, request)
    return made


def records(*transitions: Transition, run: str = "train-1") -> RunRecords:
    return RunRecords(run, "train", 1, list(transitions))


def change(seq: int, key: str, state: str, **more: Any) -> Transition:
    return Transition(seq, NOON + seq, key, state, f"reason {seq}", **more)


def result(key: str, number: int = 1, generation: int = 0, value: Any = None, run: str = "train-1") -> StepResult:
    """Return the result of an attempt, as a step with two attempts a generation gives it."""
    folder = f"runs/{run}/{key}/{generation:03}.{number:03}-3f2a9c1e"
    reference = {"$segue": "json", "key": f"{folder}/output.json", "size": 2, "sha256": "0" * 64}
    return StepResult(value, reference, folder, generation * 2 + number, "gpu@host:1", NOON + 1, NOON + 2)


def a_whole_run() -> list[Transition]:
    """Return the transitions of a run with a map of two, of which the second item fails."""
    broken = StepError("ValueError", "bad", {"log_tail": ["x"]})
    return [
        change(1, "", "running"),
        change(2, "load", "queued", queue="cpu", detail={"rule": "all_success"}),
        change(3, "load", "succeeded", result=result("load", value={"rows": 3})),
        change(4, "train", "running", detail={"items": 2}),
        change(5, "train[0]", "queued", queue="gpu"),
        change(6, "train[1]", "queued", queue="gpu"),
        change(7, "train[1]", "failed", error=broken, result=result("train[1]")),
        change(8, "train[0]", "succeeded", result=result("train[0]", value=0.9)),
        change(9, "train", "failed", error=StepError("ValueError", "item 1: bad")),
        change(10, "check", "upstream_failed"),
        change(11, "", "failed", value=None, error=StepError("ValueError", "step train failed: bad")),
    ]
