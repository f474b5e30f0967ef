"""`answers`: what an http step makes of what a service says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from segue.testing import MockError, Result, answers, run

REQUEST = """\
segue: 1
name: flow
params: {unit: {type: string, default: rows}}
steps:
  ask:
    http: {url: "http://service/x?key=secret", expect: [200, 404]}
    output: {n: "${{ response.json.n + 1 }}", unit: "${{ params.unit + string(response.status) }}"}
    retry: {attempts: 3, delay: 1s, backoff: 1}
  plain: {http: {method: POST, url: "http://service/y"}}
"""
JOB = """\
segue: 1
name: flow
steps:
  build:
    http:
      submit: {method: POST, url: "http://service/builds", json: {n: 1}}
      poll:
        url: "${{ submit.json.href }}"
        every: 15s
        until: "${{ response.json.state != 'running' }}"
        fail_if: "${{ response.json.state == 'failed' }}"
    output: {uri: "${{ response.json.uri }}", href: "${{ submit.json.href }}"}
    timeout: {run: 1h}
"""
RUNNING = {"state": "running"}


def request(mock: Any, plain: Any = None) -> Result:
    return run(REQUEST, steps={"ask": mock, "plain": plain})


def job(*polls: Any, **options: Any) -> Result:
    return run(JOB, steps={"build": answers(*polls, submit={"href": "http://service/1"}, **options)})


def test_the_output_is_computed_from_the_answer() -> None:
    result = request(answers({"n": 4}), answers("some text", status=202))
    assert result.steps["ask"].output == {"n": 5, "unit": "rows200"}
    assert result.steps["plain"].output == {"status": 202, "text": "some text"}
    assert request(answers({"n": 4}), answers({"a": 1})).steps["plain"].output == {"status": 200, "json": {"a": 1}}


def test_an_answer_without_what_the_output_reads_fails_the_step() -> None:
    error = request(answers({"m": 4}, status=404)).steps["ask"].error
    assert error is not None
    assert (error.type, error.detail["where"]) == ("ExpressionError", "output.n")


def test_a_status_that_is_not_expected_fails_the_attempt() -> None:
    step = request(answers({"error": "busy"}, status=503, times=2).then(answers({"n": 1}))).steps["ask"]
    assert (step.state, len(step.attempts)) == ("succeeded", 3)
    error = step.attempts[0].error
    assert error is not None
    assert error.type == "HttpStatus"
    assert error.message == 'GET http://service/x answered 503, not 200 or 404: {"error": "busy"}'
    assert error.detail == {"status": 503, "method": "GET"}
    assert len(request(answers(None, status=403)).steps["ask"].attempts) == 1, "it would be refused again"


def test_a_job_is_polled_in_virtual_time_until_it_has_ended() -> None:
    result = job(RUNNING, RUNNING, {"state": "done", "uri": "s3://x"})
    assert result.steps["build"].output == {"uri": "s3://x", "href": "http://service/1"}
    assert result.duration == timedelta(seconds=30)


def test_a_job_that_fails_fails_the_step() -> None:
    result = job(RUNNING, {"state": "failed"})
    assert result.why("build").startswith("JobFailed: the job failed (${{ response.json.state == 'failed' }})")
    assert result.duration == timedelta(seconds=15)


def test_a_job_that_never_ends_runs_into_its_limit() -> None:
    result = job(RUNNING)
    assert (result.why("build"), result.duration) == (
        "Timeout: the attempt took longer than 3600 s",
        timedelta(hours=1),
    )


def test_a_submission_that_is_refused_fails_the_step() -> None:
    assert job(RUNNING, status=400).why("build").startswith("HttpStatus: POST http://service/builds answered 400")


def test_only_an_http_step_hears_answers() -> None:
    with pytest.raises(MockError, match="one is a python step"):
        run("segue: 1\nname: flow\nsteps:\n  one: {python: 'm:f'}\n", steps={"one": answers({})})


def test_what_a_service_posts_back_is_the_response() -> None:
    text = JOB.partition("      poll:")[0] + "      callback: {fail_if: \"${{ response.json.state == 'failed' }}\"}\n"
    text = text.replace("json: {n: 1}", 'json: {to: "${{ callback.url }}"}')
    output = '    output: {uri: "${{ response.json.uri }}", href: "${{ submit.json.href }}"}\n'
    posted = answers({"state": "done", "uri": "s3://x"}, submit={"href": "http://service/1"})
    result = run(text + output, steps={"build": posted})
    assert result.steps["build"].output == {"uri": "s3://x", "href": "http://service/1"}
    assert run(text, steps={"build": posted}).steps["build"].output == {"json": {"state": "done", "uri": "s3://x"}}
    failed = run(text, steps={"build": answers({"state": "failed"}, submit={})})
    assert failed.why("build").startswith(
        "JobFailed: the job failed (${{ response.json.state == 'failed' }}); it posted"
    )
