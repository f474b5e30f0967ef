"""Temporal comes, hangs, goes and comes back; the API says so quickly and goes on."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest, RemoveSearchAttributesRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from api.temporal import tell_run
from store.executions import task_timeout
from tests.api.conftest import Api, connected, running_api, running_temporal, settings_in
from tests.api.samples import deployed, fresh, plan
from workers.ports import free_port
from workflows.messages import Operation
from workflows.plan import MAX_PLAN_STEPS
from workflows.renewal import EVENTS_PER_EXECUTION, MAX_EVENTS


async def start(api: Api, workflow: str) -> httpx.Response:
    return await api.http.post("/runs", json={"workflow": workflow})


async def test_the_api_follows_temporal_through_its_troubles(tmp_path: Path) -> None:
    port = free_port()
    async with running_api(settings_in(tmp_path, port)) as api:
        made = await deployed(api.database, plan(fresh("troubled")))
        assert (await start(api, made.workflow)).status_code == 503

        with running_temporal(tmp_path, port) as server:
            await connected(port)
            assert (await start(api, made.workflow)).status_code == 201

            server.send_signal(signal.SIGSTOP)
            hung = await start(api, made.workflow)
            server.send_signal(signal.SIGCONT)
            assert hung.status_code == 503
            assert hung.elapsed.total_seconds() < 2.5
            assert (await start(api, made.workflow)).status_code == 201

        gone = await start(api, made.workflow)
        assert gone.status_code == 503
        assert gone.elapsed.total_seconds() < 2.5

        # With another database it has forgotten our search attributes, too.
        (tmp_path / "new").mkdir()
        with running_temporal(tmp_path / "new", port):
            await connected(port)
            assert (await start(api, made.workflow)).status_code == 201


async def test_search_attributes_that_are_missing_are_registered(api: Api, temporal: Client) -> None:
    made = await deployed(api.database, plan(fresh("attributes")))
    operator = temporal.operator_service
    await operator.remove_search_attributes(
        RemoveSearchAttributesRequest(namespace="default", search_attributes=["SegueWorkflow"])
    )
    listed = await operator.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    assert "SegueWorkflow" not in listed.custom_attributes
    answer = await start(api, made.workflow)
    assert answer.status_code == 201, answer.text
    described = await temporal.get_workflow_handle(answer.json()["id"]).describe()
    assert described.search_attributes["SegueWorkflow"] == [made.workflow]


def test_the_largest_plan_can_be_replayed_within_its_task_timeout() -> None:
    assert task_timeout(2).total_seconds() < 2.1
    # An execution has so many steps at the most, each of which costs four to six events and some 2 ms.
    steps = EVENTS_PER_EXECUTION * MAX_EVENTS / 4
    assert task_timeout(MAX_PLAN_STEPS).total_seconds() >= 2 * steps * 0.002


async def test_a_run_that_begins_anew_in_that_moment_is_told_again(
    monkeypatch: pytest.MonkeyPatch, temporal: Client
) -> None:
    told: list[str] = []

    async def execute_update(_handle: Any, _update: str, wish: Operation, *, id: str, result_type: type) -> str:
        told.append(id)
        if len(told) < 3:
            status = (RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.ABORTED)[len(told) - 1]
            raise RPCError("unexpected workflow task failure", status, b"")
        return "paused"

    monkeypatch.setattr(WorkflowHandle, "execute_update", execute_update)
    assert await tell_run(temporal, "demo-1", Operation("o-1", "pause", "ada")) == "paused"
    assert told == ["o-1"] * 3


async def test_a_run_that_temporal_does_not_know_is_not_told_again(temporal: Client) -> None:
    with pytest.raises(RPCError) as refused:
        await tell_run(temporal, "nobody-1", Operation("o-1", "pause", "ada"))
    assert refused.value.status is RPCStatusCode.NOT_FOUND
