"""Runs that do not move for a reason that is not of their plan: what is said of them, and that they go on.

In a Temporal namespace of their own, so that no other test's control worker is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    RegisterNamespaceRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from tests.api.conftest import Api, running_api, serving, settings_in
from tests.api.samples import deployed, fresh, plan
from tests.segue.commands import segue
from workers import observer
from workers.versions import DEPLOYMENT
from workers.worker import control_worker
from workflows import interpreter
from workflows.plan import Concurrency, Edge, Step
from workflows.wire import CONVERTER

# What a worker had begun and never went on with is a coroutine that the SDK never awaits.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine '_WorkflowInstanceImpl:RuntimeWarning")

PATIENCE = 30
UNSERVED = "nobody serves the control queue"


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """Have such coroutines collected here, where they are expected, and not in the middle of another test."""
    yield
    gc.collect()


@pytest.fixture
async def away(temporal: Client, temporal_port: int) -> Client:
    """A client of a namespace that nobody has used."""
    name = fresh("stuck")
    keep = Duration()
    keep.FromTimedelta(timedelta(days=1))
    await temporal.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=keep)
    )
    client = await Client.connect(f"127.0.0.1:{temporal_port}", namespace=name, data_converter=CONVERTER)
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await client.count_workflows()
                return client
            except RPCError:  # not every part of the server has heard of it
                await asyncio.sleep(0.1)


@pytest.fixture
async def api(away: Client, tmp_path: Path, temporal_port: int) -> AsyncIterator[Api]:
    """An API of that namespace."""
    settings = settings_in(tmp_path, temporal_port).model_copy(update={"temporal_namespace": away.namespace})
    async with running_api(settings) as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "QUIET_INTERVALS", 1)


async def begun(api: Api, **more: Any) -> str:
    made = await deployed(api.database, plan(fresh("w"), **{"steps": (Step("ask", "approve", {}),), **more}))
    async with asyncio.timeout(PATIENCE):
        while (answer := await api.http.post("/runs", json={"workflow": made.workflow})).status_code != 201:
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.1)
    return str(answer.json()["id"])


async def until(api: Api, run: str, what: Any) -> Any:
    """Return the run once this is true of it."""
    async with asyncio.timeout(PATIENCE):
        while not what(shown := await api.get(f"/runs/{run}")):
            await asyncio.sleep(0.05)
    return shown


async def asked(api: Api, away: Client) -> str:
    """Return a run that waits for an answer, whose control worker is gone."""
    async with serving(api, away):
        run = await begun(api)
        await until(api, run, lambda shown: shown["steps"][0]["state"] == "running")
    return run


async def answered(api: Api, run: str, key: str = "ask") -> None:
    answer = await api.http.post(f"/runs/{run}/steps/{key}/answer", json={"approved": True})
    assert answer.status_code == 202, answer.text


async def test_a_run_without_a_control_worker_says_so_wherever_it_is_shown(api: Api, away: Client) -> None:
    run = await begun(api)
    shown = await until(api, run, lambda shown: shown["stuck"])
    assert shown["stuck"].startswith(UNSERVED)
    assert "segue worker --queue segue-control" in shown["stuck"]
    assert shown["state"] == "pending"
    listed = (await api.get("/runs"))["runs"]
    assert [each["stuck"] for each in listed] == [shown["stuck"]]
    said = await typed(api, "show", run)
    assert said[0].startswith(f"{run}  version 1  pending (stuck)")
    assert said[1] == f"Stuck: {shown['stuck']}"
    said = await typed(api, "runs")
    assert said[1].startswith(f"{run}  pending (stuck)  ")
    assert said[2] == f"Stuck: {shown['stuck']}"
    refused = await api.http.post(f"/runs/{run}/pause", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "run_stuck")
    assert shown["stuck"] in refused.json()["detail"]
    async with serving(api, away):
        await until(api, run, lambda shown: shown["stuck"] is None and shown["steps"][0]["state"] == "running")
        await answered(api, run)
        await until(api, run, lambda shown: shown["state"] == "succeeded")


async def typed(api: Api, *command: str) -> list[str]:
    """Return the lines that a command prints."""
    environment = {"SEGUE_API_URL": api.url.removesuffix("/api/v1"), "SEGUE_API_KEY": api.key}
    ended = await asyncio.to_thread(segue, *command, cwd=Path.cwd(), environment=environment)
    assert ended.code == 0, ended.err
    return ended.out.splitlines()


def unequal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the interpreter decide otherwise than it did."""
    monkeypatch.setattr(interpreter, "RECORD_RUN", "another")


def unable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the interpreter fail before it can say so of the run."""

    def broken(arguments: Any) -> Any:
        raise RuntimeError("no such plan")

    monkeypatch.setattr(interpreter, "request_of", broken)


@pytest.mark.parametrize(
    ("mistake", "says"), [(unequal, "of another version than the one that began it"), (unable, "RuntimeError: no such")]
)
async def test_a_run_at_which_the_control_worker_fails_is_stuck_until_a_better_one_comes(
    api: Api, away: Client, monkeypatch: pytest.MonkeyPatch, mistake: Any, says: str
) -> None:
    run = await asked(api, away)
    await answered(api, run)
    with monkeypatch.context() as patch:
        mistake(patch)
        async with serving(api, away):
            shown = await until(api, run, lambda shown: shown["stuck"])
            assert says in shown["stuck"]
            assert shown["state"] == "running", "a wrong worker ends no run"
            refused = await api.http.post(f"/runs/{run}/pause", json={})
            assert (refused.status_code, refused.json()["code"]) == (409, "run_stuck")
            assert says in refused.json()["detail"]
    async with serving(api, away):
        await until(api, run, lambda shown: shown["state"] == "succeeded" and shown["stuck"] is None)
    told = (await api.http.get(f"/runs/{run}/events")).text
    assert says in told, "whoever watches the run hears of it"


async def test_a_run_that_has_ended_goes_on_only_where_somebody_can_say_how_far_it_was(
    api: Api, away: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.control_queue.KNOWN_SECONDS", 0.0)
    async with serving(api, away):
        run = await begun(api)
        await until(api, run, lambda shown: shown["steps"][0]["state"] == "running")
        assert (await api.http.post(f"/runs/{run}/cancel", json={})).status_code == 202
        await until(api, run, lambda shown: shown["state"] == "cancelled")
    monkeypatch.setattr("api.control_queue.SILENCE", timedelta(0))
    monkeypatch.setattr("api.routes.operations.ANSWER_SECONDS", 1.0)
    refused = await api.http.post(f"/runs/{run}/retry", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "run_stuck")
    assert UNSERVED in refused.json()["detail"]


async def make_current(away: Client, build: str) -> None:
    """Make a build of the control worker the current one, once Temporal knows it."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=away.namespace, deployment_name=DEPLOYMENT, build_id=build, ignore_missing_task_queues=True
    )
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await away.workflow_service.set_worker_deployment_current_version(request)
                return
            except RPCError:
                await asyncio.sleep(0.1)


async def let_move(away: Client, run: str) -> None:
    """Do what `temporal workflow update-options` does."""
    options = WorkflowExecutionOptions(versioning_override=VersioningOverride(auto_upgrade=True))
    request = UpdateWorkflowExecutionOptionsRequest(
        namespace=away.namespace,
        workflow_execution=WorkflowExecution(workflow_id=run),
        workflow_execution_options=options,
        update_mask=FieldMask(paths=["versioning_override"]),
    )
    await away.workflow_service.update_workflow_execution_options(request)


@contextlib.asynccontextmanager
async def build(api: Api, away: Client, name: str) -> AsyncIterator[None]:
    settings = api.settings.model_copy(update={"build_id": name})
    async with control_worker(away, settings) as worker, worker:
        yield


async def test_a_run_stays_with_its_build_and_says_when_that_is_gone(
    api: Api, away: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.watchdog.TAKEN_WITHIN", timedelta(seconds=1))
    async with contextlib.AsyncExitStack() as second:
        async with build(api, away, "one"):
            run = await begun(api, concurrency=Concurrency("all"))
            shown = await until(api, run, lambda shown: shown["stuck"] and "not the current one" in shown["stuck"])
            assert "set-current-version --deployment-name segue --build-id one" in shown["stuck"]
            await make_current(away, "one")
            await until(api, run, lambda shown: shown["stuck"] is None and shown["steps"][0]["state"] == "running")
            await second.enter_async_context(build(api, away, "two"))
            await make_current(away, "two")
        monkeypatch.setattr("workers.watchdog.SILENCE", timedelta(seconds=1))
        await answered(api, run)
        shown = await until(api, run, lambda shown: shown["stuck"] and "stays with the build one" in shown["stuck"])
        assert shown["state"] == "running"
        await let_move(away, run)
        await until(api, run, lambda shown: shown["state"] == "succeeded" and shown["stuck"] is None)
        other = await begun(api, concurrency=Concurrency("all"))
        await until(api, other, lambda shown: shown["steps"][0]["state"] == "running")


async def test_a_run_with_a_long_history_moves_to_the_current_build_when_it_begins_anew(
    api: Api, away: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.renewal.EVENTS_PER_EXECUTION", 20)
    asks = [f"ask{number}" for number in range(6)]
    steps = [Step(each, "approve", {}, needs=tuple(map(Edge, asks[:at][-1:]))) for at, each in enumerate(asks)]
    async with build(api, away, "one"):
        await make_current(away, "one")
        run = await begun(api, steps=tuple(steps))
        first = (await away.get_workflow_handle(run).describe()).run_id
        await until(api, run, lambda shown: shown["steps"][0]["state"] == "running")
        async with build(api, away, "two"):
            await make_current(away, "two")
            for at, each in enumerate(asks):
                await until(api, run, lambda shown, at=at: shown["steps"][at]["state"] == "running")
                await answered(api, run, each)
            await until(api, run, lambda shown: shown["state"] == "succeeded")
    assert await build_of(away, run, first) == "one"
    assert await build_of(away, run) == "two"


async def build_of(away: Client, run: str, execution: str | None = None) -> str:
    described = await away.get_workflow_handle(run, run_id=execution).describe()
    return str(described.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id)
