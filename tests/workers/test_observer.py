"""The observer, against a real Temporal server and runs whose interpreter records nothing by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from store.database import Database
from store.events import events_after
from store.recording import OpenRun, apply_records, open_runs
from store.rows import Run, Step
from store.runs import create_run, get_run, get_step
from store.workflows import deploy_workflow
from tests.servers import Temporal
from workers import observer
from workers.observer import Observer
from workflows.messages import STATE_QUERY, Cause, RunRecords, RunRequest, StepResult, Transition
from workflows.plan import CONTROL_QUEUE, Plan
from workflows.plan import Step as PlanStep

PLAN = Plan("tiny", (PlanStep("load", "python"), PlanStep("check", "noop")))

STARTED = Transition(1, 1_700_000_000.0, "", "running", "started")
QUEUED = Transition(2, 1_700_000_000.0, "load", "queued", "waits", queue="cpu")
DONE = Transition(3, 1_700_000_001.0, "load", "succeeded", "done", result=StepResult(1, None, "runs/r/load/000.001-x"))
SKIPPED = Transition(4, 1_700_000_001.0, "check", "skipped", "not needed")
ENDED = Transition(5, 1_700_000_002.0, "", "succeeded", "2 steps ended", value={"x": 1})


@workflow.defn(dynamic=True)
class Tiny:
    """Does as its request's params say: what it tells when asked, and how it ends."""

    @workflow.init
    def __init__(self, args: Sequence[RawValue]) -> None:
        self.request = workflow.payload_converter().from_payload(args[0].payload, RunRequest)

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> None:
        how = self.request.params
        if how.get("step"):
            await workflow.execute_activity(
                "python",
                how["step"],
                activity_id="load",
                start_to_close_timeout=timedelta(minutes=1),
                heartbeat_timeout=timedelta(seconds=30),
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=300), maximum_attempts=3),
            )
        if how.get("end") == "fail":
            raise ApplicationError("a mistake of ours", non_retryable=True)
        if how.get("end") == "never":
            await workflow.wait_condition(lambda: False)

    @workflow.query(name=STATE_QUERY)
    def state(self, after: int = 0) -> RunRecords:
        if self.request.params.get("mute"):
            raise ApplicationError("cannot tell")
        told = [STARTED, QUEUED, DONE, SKIPPED, ENDED][: self.request.params.get("tells", 5)]
        return RunRecords(workflow.info().workflow_id, "tiny", 1, told[after:])


GATES: dict[str, asyncio.Event] = {}


@activity.defn(name="python")
async def gated(gate: str) -> None:
    """Fails the first time; the second time it waits until the test lets it go."""
    if activity.info().attempt == 1:
        raise ApplicationError("no luck", {"exit_code": 3}, type="ExitCode")
    await GATES.setdefault(gate, asyncio.Event()).wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Temporal]:
    server = Temporal(tmp_path_factory.mktemp("temporal"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
async def client(server: Temporal) -> Client:
    return await server.client()


@pytest.fixture
async def worker(client: Client) -> AsyncIterator[Worker]:
    """The worker of the control queue."""
    async with Worker(
        client,
        task_queue=CONTROL_QUEUE,
        workflows=[Tiny],
        activities=[gated],
        workflow_runner=UnsandboxedWorkflowRunner(),
        workflow_failure_exception_types=[],
    ) as running:
        yield running


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/segue.db")
    await database.migrate()
    await deploy_workflow(database, PLAN, {}, None)
    yield database
    await database.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test would only sit through."""
    monkeypatch.setattr(observer, "RPC_TIMEOUT", timedelta(seconds=2))
    monkeypatch.setattr(observer, "START_AFTER", timedelta(0))
    monkeypatch.setattr(observer, "LAG_SECONDS", 0.3)
    monkeypatch.setattr(observer, "GONE_SECONDS", 0.3)
    monkeypatch.setattr(observer, "MUTE_SECONDS", 0.5)
    monkeypatch.setattr(observer, "MAX_BACKOFF_SECONDS", 0.1)


async def accepted(database: Database, *recorded: Transition, **params: Any) -> str:
    """Give a run its row and records, as the API and the interpreter would, but start nothing."""
    run = f"tiny-{uuid.uuid4().hex[:12]}"
    await create_run(database, run, RunRequest("tiny", 1, params, Cause("manual", "ada"), plan=PLAN.to_json()))
    await apply_records(database, RunRecords(run, "tiny", 1, list(recorded)))
    return run


async def begun(client: Client, database: Database, *recorded: Transition, **params: Any) -> str:
    """Likewise, and start its execution."""
    run = await accepted(database, *recorded, **params)
    request = RunRequest("tiny", 1, params, plan=PLAN.to_json())
    await client.start_workflow("tiny", request, id=run, task_queue=CONTROL_QUEUE)
    return run


async def found(database: Database, run: str) -> Run:
    row = await get_run(database, run)
    assert row is not None
    return row


async def the_step(database: Database, run: str, key: str = "load") -> Step:
    row = await get_step(database, run, key)
    assert row is not None
    return row


async def observed(looking: Observer, database: Database, run: str, *states: str) -> Run:
    """Observe until the run is in one of these states."""
    async with asyncio.timeout(30):
        while (row := await found(database, run)).state not in states:
            await looking.observe()
            await asyncio.sleep(0.05)
    return row


async def step_observed(looking: Observer, database: Database, run: str, *state: Any) -> Step:
    """Observe until the step `load` is in this state and attempt."""
    async with asyncio.timeout(30):
        while ((row := await the_step(database, run)).state, row.attempt) != state:
            await looking.observe()
            await asyncio.sleep(0.02)
    return row


async def test_attempts_are_seen_while_they_last(client: Client, database: Database, worker: Worker) -> None:
    run = await begun(client, database, STARTED, QUEUED, step="attempts", tells=2)
    looking = Observer(client, database, interval=0.02)
    retrying = await step_observed(looking, database, run, "retrying", 1)
    assert retrying.reason == "attempt 1 failed: ExitCode: no luck"
    running = await step_observed(looking, database, run, "running", 2)
    assert running.started_at is not None
    assert [(a.attempt, a.state) for a in running.attempts] == [(1, "failed"), (2, "running")]
    assert running.attempts[0].error == {"type": "ExitCode", "message": "no luck", "detail": {"exit_code": 3}}
    assert running.worker == running.attempts[1].worker == client.identity
    told = await events_after(database, run, 0)
    assert [e.seq for e in told] == list(range(1, len(told) + 1))
    GATES["attempts"].set()
    await client.get_workflow_handle(run).result()


async def test_records_that_never_arrived_are_brought_while_the_run_goes_on(
    client: Client, database: Database, worker: Worker
) -> None:
    run = await begun(client, database, STARTED, step="lag", tells=2)
    row = await step_observed(Observer(client, database, interval=0.02), database, run, "queued", 0)
    assert row.reason == "waits"
    GATES.setdefault("lag", asyncio.Event()).set()
    await client.get_workflow_handle(run).result()


async def test_a_run_whose_record_cannot_be_mended_says_so_until_it_can(
    client: Client, database: Database, worker: Worker
) -> None:
    run = await begun(client, database, STARTED, QUEUED, end="never", mute=True)
    looking = Observer(client, database, interval=0.02)
    async with asyncio.timeout(30):
        while (stuck := (await found(database, run)).stuck) is None:
            await looking.observe()
            await asyncio.sleep(0.05)
    assert stuck == f"{observer.MUTE}; it says: cannot tell"
    await apply_records(database, RunRecords(run, "tiny", 1, [DONE, SKIPPED]))
    async with asyncio.timeout(30):
        while (await found(database, run)).stuck is not None:
            await looking.observe()
            await asyncio.sleep(0.05)
    told = [event.data["stuck"] for event in await events_after(database, run, 0) if event.kind == "run"]
    assert told == [None, None, stuck, None], "once each, and not at every look"
    await client.get_workflow_handle(run).terminate()


@pytest.mark.parametrize("recorded", [(), (STARTED, QUEUED), (STARTED, QUEUED, DONE, SKIPPED)], ids=len)
async def test_an_end_that_was_never_recorded_is_brought(
    client: Client,
    database: Database,
    worker: Worker,
    recorded: tuple[Transition, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(observer, "MUTE_SECONDS", 60.0)  # what is slow to answer is not taken for mute
    run = await begun(client, database, *recorded)
    await client.get_workflow_handle(run).result()
    ended = await observed(Observer(client, database, interval=0.02), database, run, "succeeded")
    assert (ended.reason, ended.output, ended.applied) == ("2 steps ended", {"x": 1}, 5)
    assert (await the_step(database, run)).state == "succeeded"
    assert (await the_step(database, run, "check")).state == "skipped"
    told = await events_after(database, run, 0)
    assert [e.seq for e in told] == list(range(1, 7))


async def test_a_run_whose_end_is_recorded_while_it_is_looked_at_is_not_asked(
    client: Client,
    database: Database,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = await begun(client, database, STARTED, mute=True)
    await client.get_workflow_handle(run).result()
    listed = await open_runs(database)

    async def just_before(_database: Database, *, after: str, limit: int) -> list[OpenRun]:
        return [] if after else listed

    monkeypatch.setattr(observer, "open_runs", just_before)
    await apply_records(database, RunRecords(run, "tiny", 1, [QUEUED, DONE, SKIPPED, ENDED]))
    with caplog.at_level(logging.WARNING, "segue.workers"):
        await Observer(client, database, interval=0.02).observe()
    assert [record.getMessage() for record in caplog.records if run in record.getMessage()] == []


async def test_a_run_terminated_in_temporal_is_failed_with_the_reason(
    client: Client, database: Database, worker: Worker
) -> None:
    run = await begun(client, database, STARTED, QUEUED, end="never", tells=2)
    await client.get_workflow_handle(run).terminate(reason="the operator said so")
    ended = await observed(Observer(client, database, interval=0.02), database, run, "failed")
    assert ended.reason == "terminated in Temporal: the operator said so"
    assert (await the_step(database, run)).state == "cancelled"
    assert (await the_step(database, run, "check")).state == "cancelled"


async def test_a_run_that_ended_without_a_word_is_recorded_as_it_ended(
    client: Client, database: Database, worker: Worker
) -> None:
    failed = await begun(client, database, STARTED, end="fail", tells=1)
    silent = await begun(client, database, STARTED, tells=1)
    cancelled = await begun(client, database, STARTED, end="never", tells=1)
    await client.get_workflow_handle(cancelled).cancel()
    looking = Observer(client, database, interval=0.02)
    assert (await observed(looking, database, failed, "failed")).reason == "failed: a mistake of ours"
    assert (await observed(looking, database, silent, "failed")).reason.startswith("the run ended in Temporal")
    assert (await observed(looking, database, cancelled, "cancelled")).reason == "cancelled in Temporal"


async def test_an_execution_that_cannot_be_asked_is_recorded_as_it_ended_in_the_end(
    client: Client, database: Database, worker: Worker
) -> None:
    run = await begun(client, database, STARTED, end="fail", mute=True)
    ended = await observed(Observer(client, database, interval=0.02), database, run, "failed")
    assert ended.reason == "failed: a mistake of ours"


async def test_a_run_that_was_accepted_but_not_started_is_started_once(
    client: Client, database: Database, worker: Worker
) -> None:
    run = await accepted(database)
    await asyncio.gather(*(Observer(client, database, interval=0.02).observe() for _ in range(3)))
    ended = await observed(Observer(client, database, interval=0.02), database, run, "succeeded")
    assert ended.applied == 5
    description = await client.get_workflow_handle(run).describe()
    assert description.workflow_type == "tiny"
    assert description.task_queue == CONTROL_QUEUE
    assert await description.memo() == {"workflow": "tiny", "version": 1, "plan_hash": PLAN.content_hash}
    attributes = {pair.key.name: pair.value for pair in description.typed_search_attributes}
    attributes.pop("BuildIds")
    assert attributes == {
        "SegueWorkflow": "tiny",
        "SegueVersion": 1,
        "SegueTriggeredBy": "manual",
    }
    history = await client.get_workflow_handle(run).fetch_history()
    assert history.run_id == description.run_id


async def test_a_run_just_accepted_is_left_to_who_accepted_it(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "START_AFTER", timedelta(minutes=1))
    run = await accepted(database)
    await Observer(client, database, interval=0.02).observe()
    assert [w async for w in client.list_workflows(f"WorkflowId = '{run}'")] == []
    assert (await found(database, run)).state == "pending"


async def test_a_run_too_old_to_know_whether_it_ran_is_not_started(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "START_WITHIN", timedelta(0))
    run = await accepted(database)
    assert (
        await observed(Observer(client, database, interval=0.02), database, run, "failed")
    ).reason == "the run was never started"


async def test_a_run_that_temporal_has_forgotten_is_failed_and_not_run_again(
    client: Client, database: Database, worker: Worker
) -> None:
    run = await accepted(database, STARTED, QUEUED)
    looking = Observer(client, database, interval=0.02)
    await looking.observe()
    assert (await found(database, run)).state == "running"
    ended = await observed(looking, database, run, "failed")
    assert ended.reason.startswith("Temporal does not know this run any more")
    assert [w async for w in client.list_workflows(f"WorkflowId = '{run}'")] == []


async def test_a_run_that_temporal_has_forgotten_while_it_waited_for_a_place_is_failed_and_not_started_again(
    client: Client, database: Database, worker: Worker
) -> None:
    run = await accepted(database, Transition(1, 1_700_000_000.0, "", "pending", "waits for a place"))
    ended = await observed(Observer(client, database, interval=0.02), database, run, "failed")
    assert ended.reason.startswith("Temporal does not know this run any more")
    assert [w async for w in client.list_workflows(f"WorkflowId = '{run}'")] == []


async def test_one_bad_row_stops_no_other_run(
    client: Client, database: Database, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    runs = sorted([await accepted(database) for _ in range(3)])
    async with database.write() as connection:
        await connection.execute(text("UPDATE runs SET request = 'not json' WHERE id = :id"), {"id": runs[0]})
    with caplog.at_level(logging.WARNING, "segue.workers"):
        looking = Observer(client, database, interval=0.02)
        for run in runs[1:]:
            await observed(looking, database, run, "succeeded")
    assert (await found(database, runs[0])).state == "pending"
    assert any(runs[0] in record.getMessage() and "failed" in record.getMessage() for record in caplog.records)


async def test_more_runs_than_one_round_looks_at_take_their_turns(
    client: Client, database: Database, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "LOOKS", 4)
    waiting = [await begun(client, database, STARTED, QUEUED, end="never", tells=2) for _ in range(8)]
    late = await begun(client, database)
    looking = Observer(client, database, interval=0.02)
    await observed(looking, database, late, "succeeded")
    for run in waiting:
        await client.get_workflow_handle(run).terminate()
    for run in waiting:
        await observed(looking, database, run, "failed")


@contextlib.asynccontextmanager
async def going(looking: Observer) -> AsyncIterator[asyncio.Task[None]]:
    """Let it observe by itself, as the control worker does."""
    task = asyncio.create_task(looking.run())
    try:
        async with asyncio.timeout(30):
            yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_while_temporal_is_away_it_says_so_once_and_goes_on(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Temporal(tmp_path / "temporal")
    server.start()
    try:
        client = await server.client()
        run = await begun(client, database, STARTED, QUEUED, end="never")
        server.stop()
        with caplog.at_level(logging.INFO, "segue.workers"):
            async with going(Observer(client, database, interval=0.02)):
                while not caplog.records:
                    await asyncio.sleep(0.02)
                server.start()
                while len(caplog.records) < 2:
                    await asyncio.sleep(0.02)
    finally:
        server.stop()
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("cannot observe runs: Temporal does not answer")
    assert said[1:] == ["observing runs again"]
    assert (await found(database, run)).state == "running"


async def test_a_database_that_is_away_stops_nothing(
    client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(f"sqlite:///{tmp_path}/missing/segue.db")
    with caplog.at_level(logging.INFO, "segue.workers"):
        async with going(Observer(client, database, interval=0.02)):
            while not caplog.records:
                await asyncio.sleep(0.02)
            await database.migrate()
            while len(caplog.records) < 2:
                await asyncio.sleep(0.02)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("cannot observe runs: the database sqlite")
    assert said[1:] == ["observing runs again"]
    await database.close()
