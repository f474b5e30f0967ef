"""Workflows and runs for the API's tests, put where the API finds them without compiling or executing anything."""

from __future__ import annotations

import itertools
from typing import Any

from store.database import Database
from store.recording import apply_records
from store.runs import create_run
from store.workflows import deploy_workflow
from workflows.messages import RunRecords, RunRequest, StepResult, Transition
from workflows.plan import Edge, Map, Plan, Step, Trigger

_numbers = itertools.count()


def fresh(name: str) -> str:
    """Return a workflow name that no other test has."""
    return f"{name}-{next(_numbers)}"


def plan(name: str, **more: Any) -> Plan:
    """Return a plan of two noop steps, one behind the other."""
    values: dict[str, Any] = {"steps": (Step("first", "noop"), Step("second", "noop", needs=(Edge("first"),)))}
    return Plan(name, **{**values, **more})


def mapped(name: str) -> Plan:
    """Return a plan whose only step is a map."""
    return plan(name, steps=(Step("train", "shell", {"script": "true"}, map=Map(over=[1, 2])),))


async def deployed(database: Database, made: Plan, bundle: str | None = None) -> Plan:
    source = {"filename": "w.yaml", "text": "segue: 1", "language": "yaml"}
    await deploy_workflow(database, made, source, bundle)
    return made


async def recorded_run(database: Database, made: Plan, run: str | None = None) -> str:
    """Return the id of a new run that is only a row: no execution stands behind it."""
    run = run or fresh(f"{made.workflow}-run")
    await create_run(database, run, RunRequest(made.workflow, 1, plan=made.to_json()))
    return run


async def move(database: Database, made: Plan, run: str, seq: int, key: str, state: str, **more: Any) -> None:
    """Record one transition; `key` is empty for the run itself."""
    change = Transition(seq=seq, at=1_800_000_000.0 + seq, key=key, state=state, **more)
    await apply_records(database, RunRecords(run, made.workflow, 1, [change]))


async def succeed(database: Database, made: Plan, run: str, seq: int, key: str, result: StepResult) -> None:
    await move(database, made, run, seq, key, "succeeded", result=result)


def schedule(cron: str = "0 6 * * *", **more: Any) -> Trigger:
    spec = {"cron": cron, "timezone": "Europe/Paris", "overlap": "skip", "catchup": 3600.0}
    return Trigger("schedule", {**spec, **more}, {"rows": 5})
