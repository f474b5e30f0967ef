"""Runs whose steps a service posts back to, through the API of a whole stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from segue import Client
from tests.activities.service import Service, running_service
from tests.waiting import until

DEFINITION = """
segue: 1
name: called-back
params: {url: {type: string}}
steps:
  build:
    http:
      submit: {url: "${{ params.url }}/jobs", json: {notify: "${{ callback.url }}"}}
      callback: {fail_if: "${{ response.json.state == 'failed' }}"}
      cancel: {url: "${{ submit.json.href }}"}
    output: {uri: "${{ response.json.uri }}", job: "${{ submit.json.id }}"}
  use: {run: 'echo "$URI"', env: {URI: "${{ steps.build.output.uri }}"}}
output: "${{ steps.build.output }}"
"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running_service() as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def deployed(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("callbacks") / "called-back.yaml"
    file.write_text(DEFINITION)
    client.deploy(file)
    return file


def submitted(service: Service, number: int) -> str:
    """Return the `number`-th job, once it was submitted."""
    until(lambda: "notify" in service.jobs.get(str(number), {}), what="the submission")
    return str(number)


def test_a_run_goes_on_with_what_the_service_posts(client: Client, service: Service) -> None:
    before = len(service.jobs)
    run = client.run("called-back", params={"url": service.url})
    job = submitted(service, before + 1)
    assert service.notify(job, {"state": "done", "uri": "s3://models/1"}) == 202
    assert service.notify(job, {"state": "failed"}) in (409, 410)
    ended = run.wait(timeout=60)
    assert (ended.state, ended.output) == ("succeeded", {"uri": "s3://models/1", "job": job})
    assert service.notify(job, {"state": "failed"}) in (409, 410)


def test_a_run_fails_with_what_the_service_posts(client: Client, service: Service) -> None:
    before = len(service.jobs)
    run = client.run("called-back", params={"url": service.url})
    job = submitted(service, before + 1)
    assert service.notify(job, {"state": "failed", "why": "no data"}) == 202
    ended = run.wait(timeout=60, check=False)
    assert ended.state == "failed"
    error = ended.step("build").error
    assert error is not None
    assert error.type == "JobFailed"
    assert "no data" in error.message


def test_a_cancelled_run_stops_the_job_and_takes_no_post(client: Client, service: Service) -> None:
    before = len(service.jobs)
    run = client.run("called-back", params={"url": service.url})
    job = submitted(service, before + 1)
    run.cancel()
    assert run.wait(timeout=60, check=False).state == "cancelled"
    assert service.jobs[job]["state"] == "cancelled"
    assert service.notify(job, {"state": "done"}) == 410
