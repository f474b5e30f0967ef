"""Deploying: a version per change, diagnostics for what cannot be compiled, triggers live in Temporal."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from temporalio.client import Client, ScheduleOverlapPolicy
from temporalio.service import RPCError, RPCStatusCode

from api.routes.bundles import bundle_key
from tests.api.conftest import Api
from tests.api.samples import deployed, fresh, plan, recorded_run, schedule
from workflows.messages import Cause, Event, EventTrigger, RunRequest, TriggerUpdate
from workflows.plan import Trigger

HELLO = """
segue: 1
name: {name}
description: Says hello
labels: {{team: data}}
params:
  who: {{type: string, default: world}}
triggers: {triggers}
steps:
  hello: {{run: echo hello}}
"""


async def deploy(api: Api, name: str, triggers: list[Any] | None = None, **more: Any) -> Any:
    text = HELLO.format(name=name, triggers=json.dumps(triggers or []))
    body = {"source": {"filename": "hello.yaml", "text": text, "language": "yaml"}, **more}
    return await api.http.post("/workflows", json=body)


async def test_a_definition_becomes_a_version_and_the_same_one_no_other(api: Api) -> None:
    name = fresh("hello")
    first = await deploy(api, name)
    assert first.status_code == 201, first.text
    assert first.json()["created"] is True
    assert (first.json()["name"], first.json()["version"], first.json()["triggers"]) == (name, 1, [])
    again = await deploy(api, name)
    assert (again.status_code, again.json()) == (200, {**first.json(), "created": False})

    shown = await api.get(f"/workflows/{name}")
    assert (shown["description"], shown["labels"], shown["version"]) == ("Says hello", {"team": "data"}, 1)
    assert [version["version"] for version in shown["versions"]] == [1]
    version = await api.get(f"/workflows/{name}/versions/1")
    assert version["plan"]["steps"][0]["action"] == {"script": "echo hello"}
    assert version["source"]["filename"] == "hello.yaml"
    assert version["plan_hash"] == first.json()["plan_hash"]


async def test_another_bundle_is_another_version(api: Api) -> None:
    name = fresh("bundled")
    await deploy(api, name)
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    missing = await deploy(api, name, bundle=sha256)
    assert (missing.status_code, missing.json()["code"]) == (422, "bundle_missing")
    api.objects.put(bundle_key(sha256), b"PK")
    second = await deploy(api, name, bundle=sha256)
    assert (second.status_code, second.json()["version"]) == (201, 2)
    assert (await api.get(f"/workflows/{name}/versions/2"))["bundle"] == sha256


async def test_fifty_deploys_at_once_make_one_version(api: Api) -> None:
    name = fresh("together")
    answers = await asyncio.gather(*(deploy(api, name) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert {answer.json()["version"] for answer in answers} == {1}


async def test_a_definition_with_mistakes_is_refused_with_all_of_them(api: Api) -> None:
    text = "segue: 1\nname: broken\nsteps:\n  a: {run: echo, needs: [b]}\n  c: {rum: echo}\n"
    answer = await api.http.post("/workflows", json={"source": {"filename": "broken.yaml", "text": text}})
    assert (answer.status_code, answer.json()["code"]) == (422, "definition_invalid")
    found = answer.json()["diagnostics"]
    assert {(one["file"], one["line"]) for one in found} >= {("broken.yaml", 4), ("broken.yaml", 5)}
    assert all(one["column"] > 0 and one["code"] and one["message"] for one in found)
    assert (await api.http.get("/workflows/broken")).status_code == 404


@pytest.mark.parametrize("text", ["", "\t", "[" * 50_000, "a: &a [*a]", "- 1", "name: [", "😀", "segue: 1\r\rname:"])
async def test_text_that_is_no_definition_is_refused(api: Api, text: str) -> None:
    answer = await api.http.post("/workflows", json={"source": {"filename": "bad.yaml", "text": text}})
    assert (answer.status_code, answer.json()["code"]) == (422, "definition_invalid")
    assert answer.json()["diagnostics"]


async def test_a_python_definition_comes_evaluated(api: Api) -> None:
    name = fresh("python")
    document = {
        "language": "python",
        "definition": {"segue": 1, "name": name, "steps": {"hello": {"run": "echo hello"}}},
        "positions": {},
        "source": "raise SystemExit('this is never run')",
    }
    source = {"filename": "hello.py", "text": document["source"], "language": "python"}
    answer = await api.http.post("/workflows", json={"source": source, "document": document})
    assert answer.status_code == 201, answer.text
    without = await api.http.post("/workflows", json={"source": source})
    assert (without.status_code, without.json()["errors"][0]["path"]) == (422, "document")
    mixed = await api.http.post("/workflows", json={"source": {**source, "language": "yaml"}, "document": document})
    assert (mixed.status_code, mixed.json()["errors"][0]["path"]) == (422, "document")


SHARED = """
segue: 1
step: greet
inputs: {{who: {{type: string}}}}
run: ./greet
env: {{WHO: "${{{{ inputs.who }}}}"{more}}}
"""


async def test_shared_steps_come_with_the_definition_that_uses_them(api: Api) -> None:
    name = fresh("shared")
    text = f"segue: 1\nname: {name}\nsteps: {{a: {{uses: ./common/greet.yaml, with: {{who: you}}}}}}\n"
    body = {"source": {"filename": "hello.yaml", "text": text}, "files": {"common/greet.yaml": SHARED.format(more="")}}
    first = await api.http.post("/workflows", json=body)
    assert first.status_code == 201, first.text
    version = (await api.http.get(f"/workflows/{name}/versions/1")).json()
    [step] = version["plan"]["steps"]
    assert step["env"] == {"WHO": "you"}
    assert (step["origin"]["uses"], step["origin"]["file"]) == ("./common/greet.yaml", "common/greet.yaml")
    again = await api.http.post("/workflows", json=body)
    assert (again.status_code, again.json()["version"]) == (200, 1)
    changed = {**body, "files": {"common/greet.yaml": SHARED.format(more=", MORE: x")}}
    assert (await api.http.post("/workflows", json=changed)).json()["version"] == 2


@pytest.mark.parametrize(
    ("files", "code", "place"),
    [
        ({}, "E0213", ("hello.yaml", 3)),
        ({"common/greet.yaml": SHARED.format(more=", MORE: ${{ nothing }}")}, "E0103", ("common/greet.yaml", 6)),
        ({"common/greet.yaml": SHARED.format(more=', MORE: "${{ nothing }}"')}, "E0302", ("common/greet.yaml", 6)),
    ],
)
async def test_what_is_wrong_with_a_shared_step_is_named_in_its_file(
    api: Api, files: dict[str, str], code: str, place: tuple[str, int]
) -> None:
    text = "segue: 1\nname: shared\nsteps: {a: {uses: ./common/greet.yaml, with: {who: you}}}\n"
    body = {"source": {"filename": "hello.yaml", "text": text}, "files": files}
    answer = await api.http.post("/workflows", json=body)
    assert answer.status_code == 422
    [problem] = answer.json()["diagnostics"]
    assert (problem["code"], (problem["file"], problem["line"])) == (code, place)


@pytest.mark.parametrize(
    "files",
    [{str(n): "" for n in range(101)}, {"": "x"}, {"x": 5}, {"x" * 501: ""}, {"x": "y" * (1024 * 1024 + 1)}, []],
    ids=["too many", "no path", "no text", "a long path", "too large", "a list"],
)
async def test_files_beyond_their_bounds_are_refused(api: Api, files: Any) -> None:
    answer = await deploy(api, fresh("bounds"), files=files)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"].startswith("files")


async def test_a_list_shows_the_newest_version_and_the_last_run(api: Api) -> None:
    name = fresh("listed")
    made = await deployed(api.database, plan(name, triggers=(schedule(), Trigger("event", {"name": "data"}))))
    await recorded_run(api.database, made)
    run = await recorded_run(api.database, made)
    [shown] = [one for one in (await api.get("/workflows"))["workflows"] if one["name"] == name]
    assert shown["last_run"]["id"] == run
    assert shown["triggers"] == [
        {
            "kind": "schedule",
            "id": f"segue-{name}-0",
            "cron": "0 6 * * *",
            "timezone": "Europe/Paris",
            "overlap": "skip",
            "catchup": 3600.0,
        },
        {"kind": "event", "id": f"segue-trigger-{name}", "name": "data"},
    ]


async def exists(temporal: Client, schedule: str) -> bool:
    try:
        await temporal.get_schedule_handle(schedule).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def test_schedules_follow_the_definition(api: Api, temporal: Client) -> None:
    name = fresh("scheduled")
    morning = {"schedule": {"cron": "0 6 * * MON", "timezone": "Europe/Paris", "overlap": "queue", "catchup": "1h"}}
    evening = {"schedule": {"cron": "0 18 * * *"}, "params": {"who": "evening"}}
    answer = await deploy(api, name, [morning, evening])
    assert answer.status_code == 201, answer.text
    assert [trigger["id"] for trigger in answer.json()["triggers"]] == [f"segue-{name}-0", f"segue-{name}-1"]

    described = await temporal.get_schedule_handle(f"segue-{name}-0").describe()
    assert described.schedule.spec.time_zone_name == "Europe/Paris"
    assert described.schedule.policy.overlap == ScheduleOverlapPolicy.BUFFER_ALL
    assert described.schedule.policy.catchup_window.total_seconds() == 3600
    assert json.loads(described.schedule.state.note or "")["cron"] == "0 6 * * MON"
    assert described.info.next_action_times[0].hour in (4, 5)
    action = described.schedule.action
    assert (action.workflow, action.id, action.task_queue) == (name, f"{name}-scheduled", "segue-control")
    [request] = await temporal.data_converter.decode(action.args, [RunRequest])
    assert (request.workflow, request.version) == (name, None)
    assert request.cause == Cause("schedule", f"segue-{name}-0")
    second = await temporal.get_schedule_handle(f"segue-{name}-1").describe()
    [request] = await temporal.data_converter.decode(second.schedule.action.args, [RunRequest])
    assert request.params == {"who": "evening"}
    assert second.schedule.action.id != action.id

    # Paused by hand, it stays paused; the rest follows the definition.
    await temporal.get_schedule_handle(f"segue-{name}-0").pause()
    assert (await deploy(api, name, [evening])).status_code == 201
    described = await temporal.get_schedule_handle(f"segue-{name}-0").describe()
    assert json.loads(described.schedule.state.note or "")["cron"] == "0 18 * * *"
    assert described.schedule.state.paused
    assert not await exists(temporal, f"segue-{name}-1")

    assert (await deploy(api, name)).status_code == 201
    assert not await exists(temporal, f"segue-{name}-0")


async def test_an_interrupted_deploy_is_completed_by_the_next(api: Api, temporal: Client) -> None:
    name = fresh("mended")
    triggers = [{"schedule": {"cron": "0 6 * * *"}}]
    await deploy(api, name, triggers)
    await temporal.get_schedule_handle(f"segue-{name}-0").delete()
    again = await deploy(api, name, triggers)
    assert again.status_code == 200
    assert await exists(temporal, f"segue-{name}-0")


async def test_a_deploy_without_temporal_is_noted_and_says_so(lonely_api: Api) -> None:
    name = fresh("noted")
    answer = await deploy(lonely_api, name)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.elapsed.total_seconds() < 2
    assert (await lonely_api.get(f"/workflows/{name}"))["version"] == 1


async def test_a_listener_comes_and_goes_with_the_event_trigger(api: Api, temporal: Client) -> None:
    name = fresh("listening")
    await deploy(api, name, [{"event": {"name": "data.ready"}}])
    handle = temporal.get_workflow_handle(f"segue-trigger-{name}")
    described = await handle.describe()
    assert (described.workflow_type, described.task_queue) == ("SegueTrigger", "segue-control")
    await deploy(api, name)
    history = await handle.fetch_history()
    assert any(e.HasField("workflow_execution_cancel_requested_event_attributes") for e in history.events)


async def test_an_event_is_handed_to_the_listener(api: Api, temporal: Client) -> None:
    name = fresh("fired")
    await deploy(api, name, [{"event": {"name": "data.ready"}}])
    answers = [
        await api.http.post(f"/workflows/{name}/events", json={"id": "upload-1", "payload": {"rows": 5}})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    expected = f"{name}-event-{hashlib.sha256(b'upload-1').hexdigest()[:16]}"
    # No worker is there that could say more.
    kept = {"run": expected, "state": "accepted", "reason": "", "seen": False}
    assert [answer.json() for answer in answers] == [kept] * 2
    history = await temporal.get_workflow_handle(f"segue-trigger-{name}").fetch_history()
    signals = [
        event.workflow_execution_signaled_event_attributes
        for event in history.events
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert [signal.signal_name for signal in signals] == ["triggers", "fire", "fire"]
    [update] = await temporal.data_converter.decode(signals[0].input.payloads, [TriggerUpdate])
    assert update == TriggerUpdate(1, [EventTrigger("data.ready")])
    [event] = await temporal.data_converter.decode(signals[1].input.payloads, [Event])
    assert event == Event("upload-1", "data.ready", {"rows": 5})


async def test_an_event_whose_run_is_there_is_not_handed_on(api: Api, temporal: Client) -> None:
    name = fresh("again")
    made = await deployed(api.database, plan(name, triggers=(Trigger("event", {"name": "data"}),)))
    run = f"{name}-event-{hashlib.sha256(b'1').hexdigest()[:16]}"
    await recorded_run(api.database, made, run)
    answer = await api.http.post(f"/workflows/{name}/events", json={"id": "1"})
    known = {"run": run, "state": "started", "reason": f"started run {run}", "seen": True}
    assert (answer.status_code, answer.json()) == (202, known)
    assert await api.get(f"/workflows/{name}/events", params={"id": "1"}) == known
    with pytest.raises(RPCError):
        await temporal.get_workflow_handle(f"segue-trigger-{name}").describe()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "id"),
        ({"id": ""}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"id": 5}, "id"),
        ({"id": "x", "name": "other"}, "name"),
        ({"id": "x", "payload": "x" * 70_000}, "payload"),
        ({"id": "x", "paylod": 1}, "paylod"),
    ],
)
async def test_an_event_that_does_not_fit_is_refused(api: Api, body: dict[str, Any], path: str) -> None:
    made = await deployed(api.database, plan(fresh("fits"), triggers=(Trigger("event", {"name": "data"}),)))
    answer = await api.http.post(f"/workflows/{made.workflow}/events", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, path)


async def test_an_event_nobody_waits_for_is_refused(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("deaf")))
    answer = await api.http.post(f"/workflows/{made.workflow}/events", json={"id": "x"})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_event_trigger")
    answer = await api.http.post("/workflows/unknown/events", json={"id": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "workflow_not_found")


async def test_an_event_of_several_must_be_named(api: Api) -> None:
    triggers = (Trigger("event", {"name": "data"}), Trigger("event", {"name": "model"}))
    made = await deployed(api.database, plan(fresh("several"), triggers=triggers))
    answer = await api.http.post(f"/workflows/{made.workflow}/events", json={"id": "x"})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "name")
    answer = await api.http.post(f"/workflows/{made.workflow}/events", json={"id": "x", "name": "model"})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"timezone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        ({"cron": "61 6 * * *"}, "Temporal refuses this schedule: "),
        ({"start": "soon"}, "start is no time or date"),
    ],
)
async def test_a_schedule_that_cannot_tick_is_named(
    api: Api, monkeypatch: pytest.MonkeyPatch, spec: dict[str, str], said: str
) -> None:
    """Whatever passes our own check and not Temporal's must not become a 500."""
    from api.routes import workflows as routes

    name = fresh("refused")
    refused = plan(name, triggers=(schedule(**spec),))
    monkeypatch.setattr(routes, "compile_yaml", lambda text, filename, files: refused)
    answer = await deploy(api, name)
    assert (answer.status_code, answer.json()["code"]) == (422, "trigger_invalid")
    [error] = answer.json()["errors"]
    assert error["path"] == "triggers[0].schedule"
    assert error["message"].startswith(said)
