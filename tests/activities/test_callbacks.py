"""Steps whose service posts back: against a real service, and the store through which its answer comes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from store.callbacks import (
    CallbackClosed,
    CallbackUsed,
    UnknownCallback,
    check_open,
    folder_of,
    open_callback,
    post_answer,
)
from store.objects import ObjectStoreUnavailable
from tests.activities.conftest import Steps
from tests.activities.service import Service
from workflows.messages import SecretText

PUBLIC = "https://segue.example.com/"


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    return Steps(tmp_path, public_url=PUBLIC)


def job(service: Service, **callback: str) -> dict[str, Any]:
    return {
        "submit": {"method": "POST", "url": f"{service.url}/jobs", "json": {"notify": "${{ callback.url }}"}},
        "callback": callback,
        "cancel": {"method": "DELETE", "url": "${{ submit.json.href }}"},
    }


async def given_address(service: Service, times: int = 1) -> str:
    """Return the address that the service was given, once it was."""
    async with asyncio.timeout(30):
        while len(service.seen("POST")) < times or len(service.jobs) < times:
            await asyncio.sleep(0.01)
    posts = [request for request in service.requests if request["method"] == "POST"]
    return str(json.loads(posts[-1]["body"])["notify"])


def post(steps: Steps, address: str, text: str, kind: str = "application/json") -> None:
    """Do what the API does with a post."""
    folder = folder_of(steps.objects, address.removeprefix(f"{PUBLIC}api/v1/callbacks/"))
    post_answer(steps.objects, folder, {"headers": {"content-type": kind}, "text": text})


async def test_what_the_service_posts_is_the_response(steps: Steps, service: Service) -> None:
    declared = {"uri": {"value": "${{ response.json.uri }}"}, "id": {"value": "${{ submit.json.id }}"}}
    _, attempt = steps.start("http", action=job(service), output=declared)
    task = asyncio.ensure_future(attempt)
    address = await given_address(service)
    assert address.startswith("https://segue.example.com/api/v1/callbacks/")
    post(steps, address, '{"uri": "s3://x"}')
    result = await task
    assert result.value == {"uri": "s3://x", "id": "1"}
    assert service.seen("DELETE") == []
    assert not any(address.rpartition(".")[2] in line for line in steps.log(result.folder))


@pytest.mark.parametrize(
    ("text", "kind", "output"),
    [
        ('{"a": 1}', "application/json", {"json": {"a": 1}}),
        ("done", "text/plain", {"text": "done"}),
        ("", "application/json", {"text": ""}),
    ],
)
async def test_output_that_is_not_computed_is_what_was_posted(
    steps: Steps, service: Service, text: str, kind: str, output: Any
) -> None:
    _, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    post(steps, await given_address(service), text, kind)
    assert (await task).value == output


async def test_answer_may_come_before_that_to_the_submission(steps: Steps, service: Service) -> None:
    service.may_submit.clear()
    _, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    await asyncio.to_thread(service.submitting.wait, 30)
    post(steps, json.loads(service.requests[-1]["body"])["notify"], "1")
    service.may_submit.set()
    assert (await task).value == {"json": 1}


async def test_failure_that_is_posted_fails_the_step_and_is_submitted_anew(steps: Steps, service: Service) -> None:
    action = job(service, fail_if="${{ response.json.state == 'failed' }}")
    _, attempt = steps.start("http", action=action)
    task = asyncio.ensure_future(attempt)
    first = await given_address(service)
    post(steps, first, '{"state": "failed"}')
    failure = await steps.failure(task)
    assert (failure.type, failure.non_retryable) == ("JobFailed", False)
    expected = 'the job failed (${{ response.json.state == \'failed\' }}); it posted: {"state": "failed"}'
    assert failure.message == expected
    assert service.seen("DELETE") == []
    _, again = steps.start("http", {"attempt": 2}, action=action)
    task = asyncio.ensure_future(again)
    second = await given_address(service, 2)
    assert second != first
    post(steps, second, '{"state": "done"}')
    assert (await task).value == {"json": {"state": "done"}}


@pytest.mark.parametrize("generation", [0, 1])
async def test_next_worker_takes_the_answer_that_came_meanwhile(
    steps: Steps, service: Service, generation: int
) -> None:
    running, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    address = await given_address(service)
    async with asyncio.timeout(30):
        while not kept_jobs(steps):
            await asyncio.sleep(0.01)
    running.stop_worker()
    assert (await steps.failure(task)).type == "WorkerLost"
    post(steps, address, '"done"')
    result = await steps.run("http", {"attempt": 2}, action=job(service), generation=generation)
    assert result.value == {"json": "done"}
    assert service.seen("POST") == ["/jobs"]
    assert service.seen("DELETE") == []


def kept_jobs(steps: Steps) -> list[str]:
    return [found.key for found in steps.objects.list("runs/demo-1/s/") if found.key.endswith("/job.json")]


async def test_attempt_that_begins_anew_closes_the_callback_of_the_one_before(steps: Steps, service: Service) -> None:
    service.may_submit.clear()
    running, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    await asyncio.to_thread(service.submitting.wait, 30)
    first = str(json.loads(service.requests[-1]["body"])["notify"])
    # As after `kill -9`: it leaves no mark.
    for found in [*steps.objects.list("runs/demo-1/s/")]:
        assert found.key.endswith("/callback.json")
    _, again = steps.start("http", {"attempt": 2}, action=job(service))
    service.may_submit.set()
    second_task = asyncio.ensure_future(again)
    second = await given_address(service, 2)
    with pytest.raises(CallbackClosed, match="ended before it had called"):
        post(steps, first, "1")
    post(steps, second, "2")
    assert (await second_task).value == {"json": 2}
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_step_stops_its_job_and_takes_no_answer(steps: Steps, service: Service) -> None:
    running, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    address = await given_address(service)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert service.jobs["1"]["state"] == "cancelled"
    with pytest.raises(CallbackClosed, match="the step was ended"):
        post(steps, address, "1")


async def test_job_whose_callback_was_closed_is_not_gone_on_with(steps: Steps, service: Service) -> None:
    running, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    await given_address(service)
    async with asyncio.timeout(30):
        while not kept_jobs(steps):
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # As when the store was away after the callback had been closed.
    for found in [*steps.objects.list("runs/demo-1/s/")]:
        if found.key.endswith("/job-over.json"):
            steps.objects.delete(found.key)
    _, again = steps.start("http", {"attempt": 2}, action=job(service))
    task = asyncio.ensure_future(again)
    post(steps, await given_address(service, 2), "2")
    assert (await task).value == {"json": 2}


async def test_service_that_never_posts_is_said_when_the_time_is_over(steps: Steps, service: Service) -> None:
    failure = await steps.failure(steps.run("http", action=job(service), timeout=0.5))
    assert failure.type == "Timeout"
    assert failure.message == "the attempt took longer than 0.5 s: the service has not posted back"
    assert service.jobs["1"]["state"] == "cancelled"


async def test_store_that_is_away_for_a_while_loses_no_answer(
    steps: Steps, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, looks = steps.objects.get, []

    def failing(key: str) -> bytes:
        looks.append(key)
        if len(looks) <= 3:
            raise ObjectStoreUnavailable("here", "away")
        return get(key)

    _, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    address = await given_address(service)
    monkeypatch.setattr(steps.objects, "get", failing)
    async with asyncio.timeout(30):
        while len(looks) < 3:
            await asyncio.sleep(0.01)
    post(steps, address, "1")
    assert (await task).value == {"json": 1}


async def test_worker_that_does_not_know_the_address_of_the_api_says_so(tmp_path: Path, service: Service) -> None:
    steps = Steps(tmp_path)
    failure = await steps.failure(steps.run("http", action=job(service)))
    assert (failure.type, failure.non_retryable) == ("PublicUrlMissing", True)
    assert "start it with SEGUE_PUBLIC_URL=https://" in failure.message
    assert service.requests == []


async def test_secret_beside_the_address_reaches_the_service(
    steps: Steps, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_SECRET_TOKEN", "s3cr3t-value")
    action = job(service)
    action["submit"]["headers"] = {"X-Notify": None}
    parts = [{"secret": "TOKEN"}, {"text": " "}, {"late": "callback.url"}]
    secrets = [{"at": ["action", "submit", "headers", "X-Notify"], "parts": parts}]
    _, attempt = steps.start("http", action=action, secrets=[SecretText(**each) for each in secrets])
    task = asyncio.ensure_future(attempt)
    address = await given_address(service)
    assert service.requests[0]["headers"]["x-notify"] == f"s3cr3t-value {address}"
    post(steps, address, "1")
    await task


def test_token_holds_for_one_folder_and_one_answer(steps: Steps) -> None:
    one, other = "runs/a-1/s/000.001-x", "runs/a-1/s/000.002-x"
    token, second = open_callback(steps.objects, one), open_callback(steps.objects, other)
    assert folder_of(steps.objects, token) == one
    mixed = second.partition(".")[0] + "." + token.partition(".")[2]
    for wrong in (mixed, token[:-2] + "AA", token.partition(".")[0], "." + token, "LiwvLi4." + token.partition(".")[2]):
        with pytest.raises(UnknownCallback):
            folder_of(steps.objects, wrong)
    check_open(steps.objects, one)
    post_answer(steps.objects, one, {"text": "1", "headers": {}})
    with pytest.raises(CallbackUsed):
        post_answer(steps.objects, one, {"text": "2", "headers": {}})
    check_open(steps.objects, other)
