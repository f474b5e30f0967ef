"""The API on PostgreSQL: the same under concurrency, and quick to say so when the database hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg  # type: ignore[import-untyped]
import pytest

from tests.api.conftest import Api, posted, running_api, settings_in
from tests.api.samples import deployed, fresh, move, plan, recorded_run
from tests.api.streams import followed, take
from tests.servers import PostgreSQL


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
async def api(
    tmp_path_factory: pytest.TempPathFactory, temporal_port: int, postgresql: PostgreSQL
) -> AsyncIterator[Api]:
    folder = tmp_path_factory.mktemp("postgresql")
    settings = settings_in(folder, temporal_port).model_copy(update={"database_url": postgresql.url()})
    async with running_api(settings) as running:
        yield running


async def test_fifty_requests_with_one_key_make_one_run(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("pg-same")))
    headers = {"Idempotency-Key": fresh("pg-key")}
    body = {"workflow": made.workflow}
    answers = await asyncio.gather(*(posted(api, body, headers) for _ in range(50)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_fifty_requests_with_keys_of_their_own_make_fifty_runs(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("pg-many")))
    body = {"workflow": made.workflow}
    answers = await asyncio.gather(*(posted(api, body, {"Idempotency-Key": fresh("own")}) for _ in range(50)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    listed = await api.get("/runs", params={"workflow": made.workflow, "limit": 100})
    assert {run["id"] for run in listed["runs"]} == {answer.json()["id"] for answer in answers}


async def test_a_database_that_hangs_is_a_quick_503_and_streams_outlive_it(api: Api, postgresql: PostgreSQL) -> None:
    made = await deployed(api.database, plan(fresh("pg-hangs")))
    run = await recorded_run(api.database, made)
    async with followed(api.http, run) as events:
        await take(events, 1)
        connection = await asyncpg.connect(postgresql.url())
        async with connection.transaction():
            await connection.execute("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE")
            # They are answered while the lock is still held.
            answers = await asyncio.gather(*(api.http.get("/runs") for _ in range(10)))
            assert {answer.status_code for answer in answers} == {503}
            assert all(answer.headers["retry-after"] for answer in answers)
        await connection.close()
        assert (await api.http.get("/runs")).status_code == 200
        await move(api.database, made, run, 1, "", "succeeded")
        assert [kind for kind, _, _ in await take(events, 2)] == ["run", "end"]
