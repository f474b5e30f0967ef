"""The API in front of the real interpreter: what it starts runs, and what it shows is what happened."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client

from tests.api.conftest import Api, serving
from tests.api.samples import fresh
from tests.api.streams import followed

DEFINITION = """
segue: 1
name: {name}
params:
  seconds: {{type: number, default: 0}}
triggers: {triggers}
steps:
  say: {{run: 'echo "said=it" >> "$SEGUE_OUTPUT"; echo hello; echo oops >&2'}}
  wait: {{needs: say, run: sleep "$SECONDS_", env: {{SECONDS_: "${{{{ params.seconds }}}}"}}}}
"""


@pytest.fixture(scope="module", autouse=True)
async def workers(api: Api, temporal: Client) -> AsyncIterator[None]:
    """The workers of the control queue and of `cpu`."""
    async with serving(api, temporal, "cpu"):
        yield


async def deployed(api: Api, *triggers: Any) -> str:
    name = fresh("executed")
    text = DEFINITION.format(name=name, triggers=json.dumps(triggers))
    answer = await api.http.post("/workflows", json={"source": {"filename": "w.yaml", "text": text}})
    assert answer.status_code == 201, answer.text
    return name


async def ended(api: Api, run: str) -> Any:
    """Return the run once it has ended."""
    async with asyncio.timeout(30):
        while (await api.http.get(f"/runs/{run}")).status_code == 404:
            await asyncio.sleep(0.05)
        async with followed(api.http, run) as events:
            kinds = [kind async for kind, _, _ in events]
    assert kinds[-1] == "end"
    return await api.get(f"/runs/{run}")


async def test_a_run_is_followed_to_its_end(api: Api) -> None:
    name = await deployed(api)
    run = (await api.http.post("/runs", json={"workflow": name})).json()["id"]
    seen: dict[str, list[str]] = {}
    numbers = []
    async with followed(api.http, run) as events, asyncio.timeout(30):
        async for kind, number, data in events:
            if kind in ("step", "run"):
                seen.setdefault(data.get("key", ""), []).append(data["state"])
                numbers.append(number)
    assert (seen[""][0], seen[""][-1]) == ("pending", "succeeded")
    assert seen["say"][-1] == seen["wait"][-1] == "succeeded"
    assert numbers == list(range(1, len(numbers) + 1))

    shown = await api.get(f"/runs/{run}")
    assert (shown["state"], shown["seq"]) == ("succeeded", numbers[-1])
    assert shown["steps"][0]["output"] == {"said": "it"}
    assert shown["steps"][0]["attempts"][0]["state"] == "succeeded"
    assert await api.get(f"/runs/{run}/steps/say/output") == {"said": "it"}
    log = await api.get(f"/runs/{run}/steps/say/logs")
    assert {(line["stream"], line["text"]) for line in log["lines"]} == {("stdout", "hello"), ("stderr", "oops")}
    assert log["complete"] is True
    assert log["attempt"] == shown["steps"][0]["folder"].rsplit("/", 1)[-1]


async def test_a_running_step_is_cancelled(api: Api) -> None:
    name = await deployed(api)
    run = (await api.http.post("/runs", json={"workflow": name, "params": {"seconds": 600}})).json()["id"]
    async with followed(api.http, run) as events, asyncio.timeout(30):
        async for kind, _, data in events:
            if kind == "step" and data["key"] == "wait" and data["state"] == "running":
                break
    assert (await api.http.post(f"/runs/{run}/cancel", json={"reason": "enough"})).status_code == 202
    shown = await ended(api, run)
    assert shown["state"] == "cancelled"
    assert [step["state"] for step in shown["steps"]] == ["succeeded", "cancelled"]
    assert (await api.http.post(f"/runs/{run}/cancel")).status_code == 200


async def test_a_schedule_starts_runs(api: Api, temporal: Client) -> None:
    name = await deployed(api, {"schedule": {"cron": "0 0 1 1 *"}, "params": {"seconds": 0.1}})
    await temporal.get_schedule_handle(f"segue-{name}-0").trigger()
    async with asyncio.timeout(20):
        while not (runs := (await api.get("/runs", params={"workflow": name}))["runs"]):
            await asyncio.sleep(0.05)
    shown = await ended(api, runs[0]["id"])
    assert (shown["state"], shown["version"], shown["params"]) == ("succeeded", 1, {"seconds": 0.1})
    assert shown["cause"] == {"kind": "schedule", "id": f"segue-{name}-0"}
    assert shown["id"].startswith(f"{name}-scheduled-")


async def test_an_event_starts_one_run_however_often_it_comes(api: Api) -> None:
    event = {"event": {"name": "data"}, "params": {"seconds": "${{ event.seconds }}"}}
    name = await deployed(api, event)
    body = {"id": "upload-1", "payload": {"seconds": 0.2}}
    answers = await asyncio.gather(*(api.http.post(f"/workflows/{name}/events", json=body) for _ in range(20)))
    expected = f"{name}-event-{hashlib.sha256(b'upload-1').hexdigest()[:16]}"
    assert {answer.json()["run"] for answer in answers} == {expected}
    shown = await ended(api, expected)
    assert (shown["state"], shown["params"]) == ("succeeded", {"seconds": 0.2})
    assert shown["cause"] == {"kind": "event", "id": "upload-1"}
    assert len((await api.get("/runs", params={"workflow": name}))["runs"]) == 1
