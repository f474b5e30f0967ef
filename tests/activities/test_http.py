"""The http operator against a real server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from temporalio.common import RetryPolicy

from activities.operators import remote_job
from tests.activities.conftest import Steps
from tests.activities.service import Service, job
from workflows.messages import StepResult


async def request(steps: Steps, fields: dict[str, Any], **task: Any) -> StepResult:
    return await steps.run("http", action={"request": {"method": "GET", **fields}}, **task)


async def test_answer_is_the_output(steps: Steps, service: Service) -> None:
    result = await request(steps, {"url": f"{service.url}/echo?a=1", "headers": {"X-Number": 3}})
    assert result.value["status"] == 200
    assert result.value["json"]["path"] == "/echo?a=1"
    assert result.value["json"]["headers"]["x-number"] == "3"
    assert "idempotency-key" not in result.value["json"]["headers"]
    [line] = steps.log(result.folder)
    assert line.startswith(f"GET {service.url}/echo -> 200 in ")


async def test_text_answer_is_text(steps: Steps, service: Service) -> None:
    result = await request(steps, {"url": f"{service.url}/raw/text"})
    assert result.value == {"status": 200, "text": "plain é"}


async def test_request_carries_json_query_and_a_key_for_each_attempt(steps: Steps, service: Service) -> None:
    fields = {"method": "POST", "url": f"{service.url}/echo", "json": {"é": [1, None]}, "params": {"q": "a b", "n": 2}}
    result = await request(steps, fields, generation=1, key="notify[3]")
    echo = result.value["json"]
    assert json.loads(echo["body"]) == {"é": [1, None]}
    assert echo["path"] == "/echo?q=a+b&n=2" or echo["path"] == "/echo?q=a%20b&n=2"
    assert echo["headers"]["content-type"] == "application/json"
    assert echo["headers"]["idempotency-key"] == "demo-1/notify[3]/1.1"


@pytest.mark.parametrize(("body", "sent"), [("text é", "text é"), ({"a": 1}, '{"a":1}')])
async def test_body_is_sent_as_it_is(steps: Steps, service: Service, body: Any, sent: str) -> None:
    result = await request(steps, {"method": "PUT", "url": f"{service.url}/echo", "body": body})
    assert result.value["json"]["body"] == sent


async def test_file_is_streamed_as_the_body_and_nowhere_else(steps: Steps, service: Service) -> None:
    made = await steps.python(
        "import pathlib\ndef f():\n  p = pathlib.Path('x'); p.write_text('z' * 2_000_000); return p"
    )
    result = await request(steps, {"method": "PUT", "url": f"{service.url}/status/200", "body": made.value})
    assert result.value["status"] == 200
    assert service.requests[-1]["body"] == "z" * 2_000_000
    failure = await steps.failure(request(steps, {"method": "PUT", "url": service.url, "json": {"a": [made.value]}}))
    assert (failure.type, failure.message) == (
        "InputInvalid",
        "http.json.a[0] is a file, which can be sent as `body` alone",
    )


async def test_large_value_is_sent_whole(steps: Steps, service: Service) -> None:
    made = await steps.python("def f(): return ['x'] * 10_000")
    await request(steps, {"method": "POST", "url": f"{service.url}/status/200", "json": {"rows": made.value}})
    assert json.loads(service.requests[-1]["body"]) == {"rows": ["x"] * 10_000}


async def test_output_is_computed_from_the_answer(steps: Steps, service: Service) -> None:
    declared = {
        "path": {"value": "${{ response.json.path }}"},
        "text": {"value": "code ${{ response.status }} of ${{ params.name }}"},
        "type": {"value": "${{ response.headers['content-type'] }}"},
        "given": {"value": "${{ 1 + }} is what a person wrote"},
    }
    result = await request(steps, {"url": f"{service.url}/echo"}, output=declared, scope={"params": {"name": "demo"}})
    assert result.value == {
        "path": "/echo",
        "text": "code 200 of demo",
        "type": "application/json",
        "given": "${{ 1 + }} is what a person wrote",
    }


async def test_expression_that_fails_names_the_output(steps: Steps, service: Service) -> None:
    declared = {"rows": {"value": "${{ response.json.rows }}"}}
    failure = await steps.failure(request(steps, {"url": f"{service.url}/echo"}, output=declared))
    assert failure.type == "ExpressionError"
    assert failure.message.startswith("output.rows: ")
    assert failure.details[0]["where"] == "output.rows"


@pytest.mark.parametrize(
    ("status", "final"), [(400, True), (404, True), (409, True), (408, False), (425, False), (429, False), (503, False)]
)
async def test_unexpected_status_fails_and_may_be_worth_another_try(
    steps: Steps, service: Service, status: int, final: bool
) -> None:
    failure = await steps.failure(request(steps, {"url": f"{service.url}/status/{status}?token=secret"}))
    assert (failure.type, failure.non_retryable) == ("HttpStatus", final)
    assert failure.message == f"GET {service.url}/status/{status} answered {status}: <p>code {status}</p>"
    assert failure.details[0] == {"status": status, "method": "GET"}
    assert "secret" not in " ".join(steps.log(failure.details[1]["folder"]))


async def test_expected_status_is_the_users_choice(steps: Steps, service: Service) -> None:
    result = await request(steps, {"url": f"{service.url}/status/404", "expect": [200, 404]})
    assert result.value["status"] == 404
    failure = await steps.failure(request(steps, {"url": f"{service.url}/status/200", "expect": [201]}))
    assert "answered 200, not 201" in failure.message


@pytest.mark.parametrize(
    ("path", "type", "message"),
    [
        ("/raw/marker", "OutputInvalid", "output.json has the key $segue"),
        ("/huge", "OutputInvalid", "answered with more than 67,108,864 bytes"),
    ],
)
async def test_poison_answer_is_a_typed_failure(
    steps: Steps, service: Service, path: str, type: str, message: str
) -> None:
    failure = await steps.failure(request(steps, {"url": service.url + path}))
    assert failure.type == type
    assert message in failure.message


@pytest.mark.parametrize("path", ["/raw/nan", "/raw/cut"])
async def test_answer_that_is_not_json_after_all_is_text(steps: Steps, service: Service, path: str) -> None:
    result = await request(steps, {"url": service.url + path})
    assert set(result.value) == {"status", "text"}


@pytest.mark.parametrize(
    ("url", "type", "final"),
    [
        ("http://127.0.0.1:1/x", "HttpError", False),
        ("ftp://127.0.0.1/x", "InputInvalid", True),
        ("nonsense", "InputInvalid", True),
        ("http://[::1", "InputInvalid", True),
    ],
)
async def test_request_that_gets_no_answer_says_why(steps: Steps, url: str, type: str, final: bool) -> None:
    failure = await steps.failure(request(steps, {"url": url}))
    assert (failure.type, failure.non_retryable) == (type, final)


async def test_redirect_is_followed(steps: Steps, service: Service) -> None:
    result = await request(steps, {"method": "POST", "url": f"{service.url}/moved", "json": 1})
    assert (result.value["json"]["path"], result.value["json"]["body"]) == ("/echo", "1")


async def test_cookie_of_one_step_never_reaches_another(steps: Steps, service: Service) -> None:
    await request(steps, {"url": f"{service.url}/cookie"})
    result = await request(steps, {"url": f"{service.url}/echo"})
    assert "cookie" not in result.value["json"]["headers"]


async def polled(service: Service, name: str, times: int = 2) -> None:
    async with asyncio.timeout(10):
        while service.jobs.get(name, {"polls": 0})["polls"] < times:
            await asyncio.sleep(0.01)


async def test_remote_job_is_submitted_once_and_polled_to_its_end(steps: Steps, service: Service) -> None:
    declared = {"id": {"value": "${{ submit.json.id }}"}, "polls": {"value": "${{ response.json.polls }}"}}
    _, attempt = steps.start("http", action=job(service), output=declared)
    task = asyncio.ensure_future(attempt)
    await polled(service, "1", 3)
    service.jobs["1"]["state"] = "done"
    result = await task
    assert result.value["id"] == "1"
    assert result.value["polls"] >= 3
    assert service.seen("POST") == ["/jobs"]
    assert service.seen("DELETE") == []
    assert service.requests[0]["headers"]["idempotency-key"] == "demo-1/s/0.1"


@pytest.mark.parametrize(
    ("info", "generation"), [({"attempt": 2}, 0), ({"attempt": 1, "retry_policy": RetryPolicy(maximum_attempts=1)}, 1)]
)
async def test_next_attempt_goes_on_with_the_job(
    steps: Steps, service: Service, info: dict[str, Any], generation: int
) -> None:
    running, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    await polled(service, "1")
    running.stop_worker()
    failure = await steps.failure(task)
    assert (failure.type, failure.non_retryable) == ("WorkerLost", True)
    assert service.seen("DELETE") == [], "the job is left running for the next attempt"
    service.jobs["1"]["state"] = "done"
    result = await steps.run("http", info=info, action=job(service), generation=generation)
    assert result.value["json"]["state"] == "done"
    assert service.seen("POST") == ["/jobs"]


async def test_cancelled_step_stops_its_job(steps: Steps, service: Service) -> None:
    running, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    await polled(service, "1")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert service.jobs["1"]["state"] == "cancelled"


async def test_job_that_was_being_submitted_at_the_cancel_is_stopped(steps: Steps, service: Service) -> None:
    service.may_submit.clear()
    running, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    await asyncio.to_thread(service.submitting.wait, 10)
    running.cancel()
    await asyncio.sleep(0.05)
    service.may_submit.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert service.jobs["1"]["state"] == "cancelled"


async def test_job_that_takes_too_long_is_stopped_and_forgotten(steps: Steps, service: Service) -> None:
    for number in ("1", "2"):
        attempt = steps.run("http", {"attempt": int(number)}, action=job(service), timeout=0.4)
        assert (await steps.failure(attempt)).type == "Timeout"
        assert service.jobs[number]["state"] == "cancelled"


async def test_failed_job_fails_the_step_and_is_submitted_anew(steps: Steps, service: Service) -> None:
    _, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    await polled(service, "1")
    service.jobs["1"]["state"] = "failed"
    failure = await steps.failure(task)
    assert (failure.type, failure.non_retryable) == ("JobFailed", False)
    assert "response.json.state == 'failed'" in failure.message
    assert '"state": "failed"' in failure.message
    assert service.seen("DELETE") == []
    _, again = steps.start("http", info={"attempt": 2}, action=job(service))
    task = asyncio.ensure_future(again)
    await polled(service, "2", 1)
    service.jobs["2"]["state"] = "done"
    await task
    assert service.seen("POST") == ["/jobs", "/jobs"]


async def test_polls_that_fail_for_a_while_do_not_fail_the_job(steps: Steps, service: Service) -> None:
    _, attempt = steps.start("http", action=job(service))
    task = asyncio.ensure_future(attempt)
    await polled(service, "1")
    service.outages = remote_job.MAX_FAILED_POLLS - 1
    await polled(service, "1", service.jobs["1"]["polls"] + 2)
    service.jobs["1"]["state"] = "done"
    assert (await task).value["json"]["state"] == "done"
    assert service.outages == 0


async def test_polls_that_fail_too_often_stop_the_job(steps: Steps, service: Service) -> None:
    service.outages = remote_job.MAX_FAILED_POLLS
    failure = await steps.failure(steps.run("http", action=job(service)))
    assert failure.type == "HttpStatus"
    assert service.jobs["1"]["state"] == "cancelled"


async def test_condition_that_is_no_condition_is_the_users_to_read(steps: Steps, service: Service) -> None:
    failure = await steps.failure(steps.run("http", action=job(service, until="${{ response.json.state }}")))
    assert (failure.type, failure.message) == ("ExpressionError", "poll.until is 'running', not true or false")
    assert service.jobs["1"]["state"] == "cancelled"
