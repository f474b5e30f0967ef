"""The control queue's activities: a run is resolved once, and recorded soon."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.control import LINGER_SECONDS, ControlActivities
from store.database import Database
from store.runs import get_run, get_run_steps, list_runs
from store.vars import set_var
from store.workflows import deploy_workflow
from workflows.messages import RECORD_RUN, RESOLVE_RUN, Cause, RunRecords, RunRequest, Transition
from workflows.plan import Plan, Step, Trigger
from workflows.state import begin

PARAMS: dict[str, dict[str, Any]] = {
    "rows": {"type": "integer", "minimum": 1},
    "name": {"type": "string", "default": "digits"},
}
TEMPLATES = {"rows": "${{ event.rows }}", "name": "${{ vars.PREFIX }}-${{ event.name }}"}
EVENT = Trigger("event", {"name": "data"}, TEMPLATES)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/segue.db")
    await database.migrate()
    yield database
    await database.close()


def plan(*triggers: Trigger, **more: Any) -> Plan:
    return Plan("train", (Step("load", "noop"),), params=PARAMS, triggers=triggers, **more)


def environment(run: str) -> ActivityEnvironment:
    made = ActivityEnvironment()
    made.info = replace(made.info, workflow_id=run)
    return made


async def resolve(database: Database, request: RunRequest, run: str = "train-1") -> RunRequest:
    resolved: RunRequest = await environment(run).run(ControlActivities(database).resolve_run, request)
    return resolved


async def refusal(database: Database, request: RunRequest, run: str = "train-1") -> ApplicationError:
    with pytest.raises(ApplicationError) as refused:
        await resolve(database, request, run)
    assert refused.value.non_retryable
    return refused.value


def test_they_have_the_names_that_the_interpreter_calls() -> None:
    names = {
        activity._Definition.must_from_callable(a).name
        for a in (ControlActivities.resolve_run, ControlActivities.record_run)
    }
    assert names == {RESOLVE_RUN, RECORD_RUN}


async def test_a_large_plan_is_resolved_to_what_fits_into_one_message(database: Database) -> None:
    large = Plan("train", tuple(Step(f"s{n}", "shell", {"script": "train " * 30}) for n in range(2_000)))
    await deploy_workflow(database, large, {}, None)
    for _ in range(2):
        resolved = await resolve(database, RunRequest("train"))
        assert len(json.dumps(asdict(resolved))) < 100_000
        assert begin("train-1", resolved).graph.plan == large


async def test_a_scheduled_run_gets_the_newest_version_checked_params_and_vars(database: Database) -> None:
    await deploy_workflow(database, plan(), {}, "a" * 64)
    await deploy_workflow(database, plan(description="newer"), {}, "b" * 64)
    await set_var(database, "PREFIX", "p")
    request = RunRequest("train", params={"rows": 3}, cause=Cause("schedule", "segue-train-0"))
    resolved = await resolve(database, request, "train-scheduled-1")
    assert (resolved.version, resolved.bundle, resolved.vars) == (2, "b" * 64, {"PREFIX": "p"})
    assert resolved.params == {"rows": 3, "name": "digits"}
    assert resolved.plan == plan(description="newer").compact()
    run = await get_run(database, "train-scheduled-1")
    assert run is not None
    assert (run.state, run.version, run.cause_kind, run.cause_id) == ("pending", 2, "schedule", "segue-train-0")
    assert run.params == {"rows": 3, "name": "digits"}
    assert [s.key for s in await get_run_steps(database, run.id)] == ["load"]


async def test_a_version_that_was_asked_for_is_the_one_that_runs(database: Database) -> None:
    await deploy_workflow(database, plan(), {}, None)
    await deploy_workflow(database, plan(description="newer"), {}, None)
    resolved = await resolve(database, RunRequest("train", 1, {"rows": 1}))
    assert (resolved.version, resolved.plan) == (1, plan().compact())


async def test_resolving_again_gives_the_first_answer(database: Database) -> None:
    await deploy_workflow(database, plan(), {}, None)
    request = RunRequest("train", params={"rows": 1})
    first = await resolve(database, request)
    await deploy_workflow(database, plan(description="newer"), {}, None)
    await set_var(database, "X", 1)
    assert await resolve(database, request) == first
    assert len((await list_runs(database))[0]) == 1


async def test_two_workers_that_resolve_at_once_agree(database: Database) -> None:
    await deploy_workflow(database, plan(), {}, None)
    answers = await asyncio.gather(*(resolve(database, RunRequest("train", params={"rows": 1})) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)


async def test_an_events_params_are_computed_from_its_payload(database: Database) -> None:
    await deploy_workflow(database, plan(EVENT), {}, None)
    await set_var(database, "PREFIX", "p")
    request = RunRequest("train", cause=Cause("event", "e-1"), event={"rows": 7, "name": "x"})
    resolved = await resolve(database, request, "train-event-1")
    assert resolved.params == {"rows": 7, "name": "p-x"}
    assert resolved.event == {"rows": 7, "name": "x"}


async def test_an_events_params_are_those_of_the_trigger_that_it_matched(database: Database) -> None:
    await deploy_workflow(database, plan(EVENT, Trigger("event", {"name": "model"}, {"rows": 9})), {}, None)
    known = RunRequest("train", cause=Cause("event", "e-1"), event={"rows": 4}, event_name="model")
    resolved = await resolve(database, replace(known, params={"rows": "${{ event.rows * 2 }}"}))
    assert resolved.params == {"rows": 8, "name": "digits"}
    refused = await refusal(database, known, "train-2")
    assert "params.rows: is required" in refused.message, "a trigger without params has none, whatever others have"


@pytest.mark.parametrize(
    ("event", "said"),
    [({"rows": 0, "name": "x"}, "params.rows"), ({"name": "x"}, "event"), (None, "event"), ("text", "event")],
)
async def test_an_event_that_does_not_fit_fails_the_run_where_people_look(
    database: Database, event: Any, said: str
) -> None:
    await deploy_workflow(database, plan(EVENT), {}, None)
    await set_var(database, "PREFIX", "p")
    refused = await refusal(database, RunRequest("train", cause=Cause("event", "e-1"), event=event))
    assert refused.type == "InvalidParams"
    assert said in refused.message
    run = await get_run(database, "train-1")
    assert run is not None
    assert (run.state, run.reason, run.version) == ("failed", refused.message, 1)
    assert [s.state for s in await get_run_steps(database, "train-1")] == ["cancelled"]


async def test_every_problem_with_the_params_is_named(database: Database) -> None:
    await deploy_workflow(database, plan(), {}, None)
    refused = await refusal(database, RunRequest("train", params={"rows": "x", "nmae": "y"}))
    assert sorted(error["path"] for error in refused.details[0]["errors"]) == ["params.nmae", "params.rows"]


async def test_a_templates_text_in_the_params_of_a_schedule_stays_text(database: Database) -> None:
    await deploy_workflow(database, plan(), {}, None)
    request = RunRequest("train", params={"rows": 1, "name": "${{ vars.X }}"}, cause=Cause("schedule", "s"))
    assert (await resolve(database, request)).params["name"] == "${{ vars.X }}"


async def test_a_workflow_that_nobody_deployed_fails_the_run_where_people_look(database: Database) -> None:
    refused = await refusal(database, RunRequest("ghost"))
    assert (refused.type, refused.message) == ("UnknownWorkflow", "there is no workflow 'ghost'")
    await deploy_workflow(database, plan(), {}, None)
    missing = await refusal(database, RunRequest("train", 9), "train-9")
    assert missing.message == "there is no version 9 of workflow 'train'"
    assert {run.id: run.state for run in (await list_runs(database))[0]} == {"train-1": "failed", "train-9": "failed"}


@pytest.mark.parametrize(
    "request_", [RunRequest("ghost"), RunRequest("train", params={"rows": 0})], ids=["unknown", "params"]
)
async def test_a_refusal_that_got_lost_is_repeated(database: Database, request_: RunRequest) -> None:
    await deploy_workflow(database, plan(), {}, None)
    first = await refusal(database, request_)
    again = await refusal(database, request_)
    assert (again.type, again.message) == (first.type, first.message)


async def record(database: Database, *changes: Transition) -> float:
    started = time.monotonic()
    await environment("train-1").run(
        ControlActivities(database).record_run, RunRecords("train-1", "train", 1, list(changes))
    )
    return time.monotonic() - started


async def test_a_batch_is_written_at_once_and_answered_a_little_later(database: Database) -> None:
    await deploy_workflow(database, plan(), {}, None)
    await resolve(database, RunRequest("train", params={"rows": 1}))
    recording = asyncio.create_task(record(database, Transition(1, 1.0, "", "running")))
    async with asyncio.timeout(30):
        while (run := await get_run(database, "train-1")) is None or run.state == "pending":
            await asyncio.sleep(0.001)
    assert not recording.done()
    assert await recording >= LINGER_SECONDS


async def test_a_batch_of_many_changes_is_answered_later_still(database: Database) -> None:
    await deploy_workflow(database, plan(), {}, None)
    await resolve(database, RunRequest("train", params={"rows": 1}))
    changes = [Transition(1, 1.0, "", "running"), *(Transition(n, 1.0, "load", "queued") for n in range(2, 251))]
    assert await record(database, *changes) >= 2 * LINGER_SECONDS


async def test_the_end_of_a_run_is_answered_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.control.LINGER_SECONDS", 600.0)
    await deploy_workflow(database, plan(), {}, None)
    changes = [
        Transition(1, 1.0, "", "running"),
        Transition(2, 2.0, "load", "skipped"),
        Transition(3, 3.0, "", "succeeded"),
    ]
    async with asyncio.timeout(60):
        await record(database, *changes)
    run = await get_run(database, "train-1")
    assert run is not None
    assert run.state == "succeeded"


async def test_a_worker_that_is_to_stop_does_not_linger(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.control.LINGER_SECONDS", 60.0)
    await deploy_workflow(database, plan(), {}, None)
    stopping = environment("train-1")
    records = RunRecords("train-1", "train", 1, [Transition(1, 1.0, "", "running")])
    recording = asyncio.create_task(stopping.run(ControlActivities(database).record_run, records))
    async with asyncio.timeout(30):
        while await get_run(database, "train-1") is None:
            await asyncio.sleep(0.001)
        stopping.worker_shutdown()
        await recording
