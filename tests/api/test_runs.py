"""Runs: started once, listed, looked at, cancelled; with and without a Temporal."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from api.run_ids import new_run_id
from store.recording import get_request
from store.vars import set_var
from tests.api.conftest import Api, posted
from tests.api.samples import deployed, fresh, mapped, move, plan, recorded_run
from workflows.plan import Concurrency, Step

PARAMS = {"rows": {"type": "integer", "minimum": 1}, "name": {"type": "string", "default": "digits"}}


async def test_a_run_is_noted_and_started(api: Api, temporal: Client) -> None:
    made = await deployed(api.database, plan(fresh("start"), params=PARAMS, description="Trains.", timeout=60.0))
    await set_var(api.database, "START_URL", "http://x")
    answer = await api.http.post("/runs", json={"workflow": made.workflow, "params": {"rows": 5}})
    run = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/runs/{run['id']}"
    assert run["id"].startswith(f"{made.workflow}-")
    assert (run["workflow"], run["version"], run["state"]) == (made.workflow, 1, "pending")
    assert run["cause"] == {"kind": "manual", "id": "tests"}
    assert run["params"] == {"rows": 5, "name": "digits"}
    assert run["plan_hash"] == made.content_hash
    assert [(step["key"], step["state"], step["attempt"]) for step in run["steps"]] == [
        ("first", "waiting", 0),
        ("second", "waiting", 0),
    ]
    assert run["temporal_url"] == f"http://127.0.0.1:8233/namespaces/default/workflows/{run['id']}"
    assert run["created_at"].endswith("Z")
    assert len(run["created_at"]) == len("2026-11-24T06:00:00.000000Z")
    assert await api.get(f"/runs/{run['id']}") == run

    description = await temporal.get_workflow_handle(run["id"]).describe()
    assert description.workflow_type == made.workflow
    assert description.task_queue == "segue-control"
    config = description.raw_description.execution_config
    assert config.workflow_execution_timeout.ToSeconds() == 60 + 15 * 60
    assert config.default_workflow_task_timeout.ToSeconds() == 2
    assert description.search_attributes["SegueWorkflow"] == [made.workflow]
    assert description.search_attributes["SegueVersion"] == [1]
    assert await description.static_summary() == f"{made.workflow} v1, manual (tests)"
    assert await description.static_details() == "Trains."
    assert (await description.memo())["plan_hash"] == made.content_hash
    request = await get_request(api.database, run["id"])
    assert request is not None
    assert request.vars["START_URL"] == "http://x"
    assert request.plan == made.compact()


async def test_temporal_gives_a_run_that_may_have_to_wait_for_a_place_the_time_to_do_so(
    api: Api, temporal: Client
) -> None:
    made = await deployed(api.database, plan(fresh("limited"), timeout=60.0, concurrency=Concurrency("all")))
    run = (await api.http.post("/runs", json={"workflow": made.workflow})).json()
    description = await temporal.get_workflow_handle(run["id"]).describe()
    allowed = description.raw_description.execution_config.workflow_execution_timeout.ToSeconds()
    assert allowed == 60 + 15 * 60 + 30 * 86_400


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"rows": "five"}, "params.rows"),
        ({"rows": 0}, "params.rows"),
        ({}, "params.rows"),
        ({"rows": 1, "rwos": 2}, "params.rwos"),
        ({"rows": 1, "name": {"$segue": "json"}}, "params.name"),
    ],
)
async def test_params_that_do_not_fit_are_named(api: Api, params: dict[str, Any], path: str) -> None:
    made = await deployed(api.database, plan(fresh("params"), params=PARAMS))
    answer = await api.http.post("/runs", json={"workflow": made.workflow, "params": params})
    assert answer.status_code == 422
    assert answer.json()["code"] == "params_invalid"
    assert path in [error["path"] for error in answer.json()["errors"]]
    assert (await api.get("/runs", params={"workflow": made.workflow}))["runs"] == []


async def test_a_run_of_what_does_not_exist_is_refused(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("known")))
    unknown = await api.http.post("/runs", json={"workflow": "unknown"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "workflow_not_found")
    version = await api.http.post("/runs", json={"workflow": made.workflow, "version": 2})
    assert (version.status_code, version.json()["code"]) == (404, "workflow_version_not_found")


async def test_an_older_version_can_be_run(api: Api) -> None:
    name = fresh("older")
    first = await deployed(api.database, plan(name))
    await deployed(api.database, plan(name, steps=(Step("only", "noop"),)))
    old = (await api.http.post("/runs", json={"workflow": name, "version": 1})).json()
    new = (await api.http.post("/runs", json={"workflow": name})).json()
    assert (old["version"], old["plan_hash"]) == (1, first.content_hash)
    assert (new["version"], [step["key"] for step in new["steps"]]) == (2, ["only"])


async def test_fifty_requests_with_one_key_make_one_run(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("same"), params=PARAMS))
    body = {"workflow": made.workflow, "params": {"rows": 1}}
    headers = {"Idempotency-Key": fresh("key")}
    answers = await asyncio.gather(*(posted(api, body, headers) for _ in range(50)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert len((await api.get("/runs", params={"workflow": made.workflow}))["runs"]) == 1

    other = await api.http.post("/runs", json={**body, "params": {"rows": 2}}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "ä"])
async def test_an_idempotency_key_must_be_plain_text(api: Api, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("utf-8")}
    answer = await api.http.post("/runs", json={"workflow": "any"}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == "idempotency-key"


async def test_pages_of_runs_have_each_run_once_newest_first(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("paged")))
    expected = [await recorded_run(api.database, made) for _ in range(7)][::-1]
    seen, cursor = [], None
    while True:
        query = {"workflow": made.workflow, "limit": 3, **({"cursor": cursor} if cursor else {})}
        page = await api.get("/runs", params=query)
        seen += [run["id"] for run in page["runs"]]
        cursor = page["next"]
        # What starts while one pages is newer than the page, and moves nothing.
        await recorded_run(api.database, made)
        if cursor is None:
            break
    assert seen == expected


async def test_runs_can_be_listed_by_state(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("states")))
    pending, running = [await recorded_run(api.database, made) for _ in range(2)]
    await move(api.database, made, running, 1, "", "running")
    listed = await api.get("/runs", params={"workflow": made.workflow, "state": "running"})
    assert [run["id"] for run in listed["runs"]] == [running]
    listed = await api.get("/runs", params={"workflow": made.workflow, "state": "pending"})
    assert [run["id"] for run in listed["runs"]] == [pending]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": "all"}, "limit"),
        ({"state": "done"}, "state"),
        ({"cursor": "xyz"}, "cursor"),
        ({"cursor": "%00"}, "cursor"),
        ({"workflow": "' OR 1=1 --"}, "workflow"),
    ],
)
async def test_a_question_that_makes_no_sense_is_named(api: Api, query: dict[str, Any], path: str) -> None:
    answer = await api.http.get("/runs", params=query)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, path)


async def test_a_run_shows_its_map_items_behind_their_step(api: Api) -> None:
    made = await deployed(api.database, mapped(fresh("mapped")))
    run = await recorded_run(api.database, made)
    await move(api.database, made, run, 1, "train", "running")
    await move(api.database, made, run, 2, "train[1]", "queued", queue="gpu")
    await move(api.database, made, run, 3, "train[0]", "queued", queue="gpu")
    steps = (await api.get(f"/runs/{run}"))["steps"]
    assert [(step["key"], step["step"], step["item"]) for step in steps] == [
        ("train", "train", None),
        ("train[0]", "train", 0),
        ("train[1]", "train", 1),
    ]


async def test_a_run_is_cancelled_with_its_reason(api: Api, temporal: Client) -> None:
    made = await deployed(api.database, plan(fresh("cancel")))
    run = (await api.http.post("/runs", json={"workflow": made.workflow})).json()["id"]
    answer = await api.http.post(f"/runs/{run}/cancel", json={"reason": "wrong data"})
    assert (answer.status_code, answer.json()["id"]) == (202, run)
    reasons = [
        event.workflow_execution_cancel_requested_event_attributes.cause
        async for event in temporal.get_workflow_handle(run).fetch_history_events()
        if event.HasField("workflow_execution_cancel_requested_event_attributes")
    ]
    assert reasons == ["wrong data"]
    again = await api.http.post(f"/runs/{run}/cancel")
    assert again.status_code == 202


async def test_a_run_that_temporal_never_heard_of_is_started_to_be_cancelled(api: Api, temporal: Client) -> None:
    made = await deployed(api.database, plan(fresh("unheard")))
    run = await recorded_run(api.database, made)
    assert (await api.http.post(f"/runs/{run}/cancel")).status_code == 202
    description = await temporal.get_workflow_handle(run).describe()
    assert description.status == WorkflowExecutionStatus.RUNNING
    history = await temporal.get_workflow_handle(run).fetch_history()
    assert any(e.HasField("workflow_execution_cancel_requested_event_attributes") for e in history.events)


async def test_a_run_that_has_ended_is_not_cancelled(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("ended")))
    run = await recorded_run(api.database, made)
    await move(api.database, made, run, 1, "", "succeeded", value={"accuracy": 0.9})
    answer = await api.http.post(f"/runs/{run}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")
    assert answer.json()["output"] == {"accuracy": 0.9}


async def test_an_unknown_run_is_a_404_everywhere(api: Api) -> None:
    for method, path in [
        ("GET", "/runs/none"),
        ("POST", "/runs/none/cancel"),
        ("GET", "/runs/none/events"),
        ("GET", "/runs/none/steps/a/logs"),
        ("GET", "/runs/none/steps/a/output"),
        ("GET", "/runs/none/steps/a/files"),
    ]:
        answer = await api.http.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found"), path


async def test_without_temporal_a_run_is_noted_and_the_answer_is_quick(lonely_api: Api) -> None:
    api = lonely_api
    made = await deployed(api.database, plan(fresh("lonely")))
    headers = {"Idempotency-Key": fresh("key")}
    async with asyncio.timeout(20):
        answer = await api.http.post("/runs", json={"workflow": made.workflow}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    again = await api.http.post("/runs", json={"workflow": made.workflow}, headers=headers)
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, answer.json()["run"], "pending")
    listed = await api.get("/runs", params={"workflow": made.workflow})
    assert [run["id"] for run in listed["runs"]] == [answer.json()["run"]]
    assert (await api.http.post(f"/runs/{answer.json()['run']}/cancel")).status_code == 503


async def test_a_plan_too_large_for_temporal_is_refused_before_it_is_noted(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("large"), params={"text": {"type": "string"}}))
    body = {"workflow": made.workflow, "params": {"text": "x" * 1_900_000}}
    answer = await api.http.post("/runs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "run_too_large")
    assert (await api.get("/runs", params={"workflow": made.workflow}))["runs"] == []


def test_ids_made_later_sort_later() -> None:
    ids = []
    for _ in range(200):
        ids.append(new_run_id("w"))
        until = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 == until:
            pass
    assert ids == sorted(ids)
    assert {len(run) for run in ids} == {len("w-") + 12}
    assert not set("ilou") & set("".join(ids))
