"""`GET /queues`: who serves which queue."""

from __future__ import annotations

from temporalio.client import Client

from tests.api.conftest import Api
from tests.api.samples import fresh
from workers.worker import step_worker


async def test_a_queue_is_served_by_the_workers_that_poll_it(api: Api, temporal: Client) -> None:
    served, lonely = fresh("served"), fresh("lonely")
    async with step_worker(temporal, api.settings, served, 1):
        found = await api.get("/queues", params={"queue": [served, lonely]})
        while not found["queues"][0]["workers"]:
            found = await api.get("/queues", params={"queue": [served, lonely]})
    assert [each["name"] for each in found["queues"]] == [served, lonely]
    assert found["queues"][1]["workers"] == []
    [worker] = found["queues"][0]["workers"]
    assert worker.startswith(served)


async def test_a_name_that_no_queue_can_have_is_refused(api: Api) -> None:
    assert (await api.http.get("/queues", params={"queue": "no queue"})).status_code == 422
    assert (await api.http.get("/queues")).status_code == 422
