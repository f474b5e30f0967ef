"""`kill -9` between the request and the post of its service: the post is taken, and nothing is submitted twice."""

from __future__ import annotations

import urllib.error
from pathlib import Path

import pytest

from tests.activities.service import Service, running_service
from tests.faults.conftest import Victim
from tests.waiting import until

DEFINITION = """
segue: 1
name: called-back
params: {url: {type: string}}
steps:
  build:
    http:
      submit: {url: "${{ params.url }}/jobs", json: {notify: "${{ callback.url }}"}}
      callback: true
    output: {uri: "${{ response.json.uri }}", job: "${{ submit.json.id }}"}
    timeout: {heartbeat: 3s}
output: "${{ steps.build.output }}"
"""


def posted(service: Service, job: str) -> bool:
    """Post, as a service does that tries again while nobody answers."""
    try:
        return service.notify(job, {"uri": "s3://models/1"}) == 202
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.mark.timeout(300)
@pytest.mark.parametrize("parts", [("worker cpu", "api"), ("worker control", "temporal")])
def test_what_a_service_posts_outlives_the_death_of(parts: tuple[str, ...], victim: Victim, tmp_path: Path) -> None:
    file = tmp_path / "called-back.yaml"
    file.write_text(DEFINITION)
    victim.client.deploy(file)
    with running_service() as service:
        run = victim.client.run("called-back", params={"url": service.url})
        kept = victim.stack.data / "objects" / "runs" / run.id / "build"
        until(lambda: [*kept.glob("*/job.json")], what="the submission to be kept")
        for part in parts:
            victim.kill(part)
        until(lambda: posted(service, "1"), seconds=60, what="the post to be taken")
        ended = run.wait(timeout=150)
        assert (ended.state, ended.output) == ("succeeded", {"uri": "s3://models/1", "job": "1"})
        assert service.seen("POST") == ["/jobs"]
