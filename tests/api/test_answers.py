"""Approving, releasing and sending events over HTTP, with the real interpreter behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client

from tests.api.conftest import Api, serving
from tests.api.samples import deployed, fresh, plan, recorded_run
from workflows.plan import Edge, Plan, Step


@pytest.fixture(scope="module", autouse=True)
async def workers(api: Api, temporal: Client) -> AsyncIterator[None]:
    """The workers of the control queue and of `cpu`."""
    async with serving(api, temporal, "cpu"):
        yield


def approval(**action: Any) -> Plan:
    ask = Step("ask", "approve", action)
    return plan(fresh("asked"), steps=(ask, Step("then", "noop", needs=(Edge("ask", "output.approved"),))))


async def started(api: Api, made: Plan) -> str:
    await deployed(api.database, made)
    answer = await api.http.post("/runs", json={"workflow": made.workflow})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def step_in(api: Api, run: str, key: str, state: str) -> Any:
    """Return the run once a step is in a state."""
    async with asyncio.timeout(30):
        while True:
            shown = await api.get(f"/runs/{run}")
            if any(step["key"] == key and step["state"] == state for step in shown["steps"]):
                return shown
            await asyncio.sleep(0.05)


def of(run: Any, key: str) -> Any:
    return next(step for step in run["steps"] if step["key"] == key)


async def tell(api: Api, path: str, body: Any, status: int = 202) -> Any:
    answer = await api.http.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_an_approval_over_http_lets_the_run_go_on(api: Api) -> None:
    run = await started(api, approval(form={"rollout": {"type": "integer", "default": 10}}))
    asked = of(await step_in(api, run, "ask", "running"), "ask")
    assert asked["reason"].startswith("waits for an approval by anybody")
    assert asked["detail"]["approval"]["form"] == {"rollout": {"type": "integer", "default": 10}}
    assert await tell(api, f"/runs/{run}/steps/ask/answer", {"approved": True, "comment": "good"}) == {"run": run}
    done = await step_in(api, run, "then", "succeeded")
    assert of(done, "ask")["output"] == {"rollout": 10, "approved": True, "by": ["tests"]}
    assert of(done, "ask")["reason"] == "approved by tests: good"


async def test_values_that_do_not_fit_the_form_are_refused_with_their_place(api: Api) -> None:
    run = await started(api, approval(form={"rollout": {"type": "integer"}}))
    await step_in(api, run, "ask", "running")
    path = f"/runs/{run}/steps/ask/answer"
    wrong = await tell(api, path, {"approved": True, "values": {"rollout": "many", "more": 1}}, 422)
    assert wrong["code"] == "values_invalid"
    assert [each["path"] for each in wrong["errors"]] == ["values.more", "values.rollout"]
    assert wrong["errors"][0]["message"].startswith("is not in the step's form; there are rollout")
    missing = await tell(api, path, {"approved": True}, 422)
    assert missing["errors"][0]["path"] == "values.rollout"
    await tell(api, path, {"approved": False})
    done = await step_in(api, run, "then", "skipped")
    assert of(done, "ask")["output"]["approved"] is False


async def test_somebody_who_is_not_asked_cannot_answer(api: Api) -> None:
    run = await started(api, approval(by=["grace"]))
    await step_in(api, run, "ask", "running")
    refused = await tell(api, f"/runs/{run}/steps/ask/answer", {"approved": True}, 403)
    assert refused["detail"] == "tests is not among those who are asked: grace."
    await api.http.post(f"/runs/{run}/cancel")
    await step_in(api, run, "ask", "cancelled")


async def test_what_waits_for_nothing_cannot_be_told(api: Api) -> None:
    run = await started(api, approval())
    await step_in(api, run, "ask", "running")
    assert (await tell(api, f"/runs/{run}/steps/then/answer", {"approved": True}, 409))["code"] == "not_asked"
    assert (await tell(api, f"/runs/{run}/steps/ask/release", {"action": "retry"}, 409))["code"] == "not_held"
    assert (await tell(api, f"/runs/{run}/steps/nothing/answer", {"approved": True}, 404))["code"] == "step_not_found"
    await tell(api, f"/runs/{run}/steps/ask/answer", {"approved": True})
    await step_in(api, run, "then", "succeeded")
    async with asyncio.timeout(30):
        while (await api.get(f"/runs/{run}"))["state"] == "running":
            await asyncio.sleep(0.05)
    assert (await tell(api, f"/runs/{run}/steps/ask/answer", {"approved": True}, 409))["code"] == "run_over"
    assert (await tell(api, f"/runs/{run}/events", {"id": "e", "name": "n"}, 409))["code"] == "run_over"
    assert (await tell(api, "/runs/nobody/events", {"id": "e", "name": "n"}, 404))["code"] == "run_not_found"


async def test_a_run_that_temporal_does_not_know_cannot_be_told_either(api: Api) -> None:
    made = await deployed(api.database, approval())
    run = await recorded_run(api.database, made)
    assert (await tell(api, f"/runs/{run}/events", {"id": "e", "name": "n"}, 409))["code"] == "run_over"


async def test_an_event_over_http_ends_a_wait_and_is_its_output(api: Api) -> None:
    wait = Step("wait", "wait", {"event": {"name": "data", "if": "event.rows > 1"}})
    run = await started(api, plan(fresh("waits"), steps=(wait,)))
    assert of(await step_in(api, run, "wait", "running"), "wait")["detail"]["wait"]["event"] == "data"
    await tell(api, f"/runs/{run}/events", {"id": "e1", "name": "data", "payload": {"rows": 1}})
    await tell(api, f"/runs/{run}/events", {"id": "e2", "name": "data", "payload": {"rows": 2}})
    assert of(await step_in(api, run, "wait", "succeeded"), "wait")["output"] == {"rows": 2}


async def test_an_event_that_is_too_large_is_refused(api: Api) -> None:
    run = await started(api, approval())
    await step_in(api, run, "ask", "running")
    refused = await tell(api, f"/runs/{run}/events", {"id": "e", "name": "n", "payload": "x" * 70_000}, 422)
    assert refused["errors"][0]["path"] == "payload"
    await tell(api, f"/runs/{run}/steps/ask/answer", {"approved": False})


async def test_a_held_step_shows_its_error_and_is_tried_again_over_http(api: Api) -> None:
    script = 'echo "try" >> "$TRIES"; test "$(wc -l < "$TRIES")" -gt 1'
    bad = Step("bad", "shell", {"script": script}, env={"TRIES": f"{api.settings.cache_dir}/tries"})
    run = await started(api, plan(fresh("held"), steps=(bad,), on_failure="hold"))
    held = of(await step_in(api, run, "bad", "held"), "bad")
    assert held["reason"].endswith("it waits for somebody to say what now")
    assert [each["state"] for each in held["attempts"]] == ["failed"]
    await tell(api, f"/runs/{run}/steps/bad/release", {"action": "retry"})
    done = of(await step_in(api, run, "bad", "succeeded"), "bad")
    assert [each["state"] for each in done["attempts"]] == ["failed", "succeeded"]
    assert [each["generation"] for each in done["attempts"]] == [0, 1]


async def test_the_child_of_a_step_is_a_run_of_its_own_with_its_cause(api: Api) -> None:
    inner = await deployed(api.database, plan(fresh("inner")))
    call = Step("sub", "workflow", {"workflow": inner.workflow, "version": None})
    run = await started(api, plan(fresh("outer"), steps=(call,)))
    done = of(await step_in(api, run, "sub", "succeeded"), "sub")
    child = await api.get(f"/runs/{done['detail']['child']['run']}")
    assert (child["state"], child["cause"]) == ("succeeded", {"kind": "workflow", "id": run})
    assert child["workflow"] == inner.workflow
