"""A run is made once, whoever asks how often, and can be found."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from store.database import Database
from store.events import events_after, last_seq
from store.recording import finish_run, get_request
from store.runs import (
    IdempotencyConflict,
    InvalidCursor,
    create_run,
    find_idempotent_run,
    get_run,
    get_run_steps,
    get_step,
    list_runs,
)
from store.tables import runs
from tests.store.samples import created, deployed, plan
from workflows.messages import Cause, RunRequest


async def test_a_new_run_is_pending_with_all_its_steps_waiting(database: Database) -> None:
    before = datetime.now(UTC)
    made = await created(database, params={"x": [1]}, vars={"URL": "u"})
    assert await get_run(database, "train-1") == made
    assert before <= made.created_at <= datetime.now(UTC)
    assert made.plan_hash == plan().content_hash
    shown = made.summary()
    assert shown.pop("created_at").endswith("Z")
    assert shown == {
        "id": "train-1",
        "workflow": "train",
        "version": 1,
        "state": "pending",
        "reason": "waits to be started",
        "cause": {"kind": "manual", "id": "ada"},
        "started_at": None,
        "ended_at": None,
        "stuck": None,
    }
    steps = await get_run_steps(database, "train-1")
    assert [(s.key, s.step, s.item, s.kind, s.queue, s.state, s.attempt, s.reason) for s in steps] == [
        ("load", "load", None, "python", "cpu", "waiting", 0, "waits for the run to start"),
        ("train", "train", None, "python", "gpu", "waiting", 0, "waits for load"),
        ("check", "check", None, "shell", "cpu", "waiting", 0, "waits for train"),
    ]
    assert await get_step(database, "train-1", "train") == steps[1]
    assert await get_step(database, "train-1", "nothing") is None
    assert [event.to_json() for event in await events_after(database, "train-1", 0)] == [
        {"seq": 1, "at": made.summary()["created_at"], **made.summary()}
    ]
    assert await last_seq(database, "train-1") == (1, False)


async def test_what_was_asked_for_can_be_started_again(database: Database) -> None:
    await deployed(database)
    request = RunRequest("train", 1, {"x": 1}, Cause("event", "e-1"), {"rows": 3}, {"V": 2}, "b" * 64, plan().compact())
    await create_run(database, "train-1", request)
    assert await get_request(database, "train-1") == request
    assert await get_request(database, "nothing") is None
    await create_run(database, "ghost-1", RunRequest("ghost"))
    assert await get_request(database, "ghost-1") is None


async def test_the_same_id_is_the_same_run(database: Database) -> None:
    made = await created(database, params={"x": 1})
    again, is_new = await create_run(database, "train-1", RunRequest("other", 7, params={"x": 2}))
    assert (again, is_new) == (made, False)
    assert len(await events_after(database, "train-1", 0)) == 1


async def test_the_same_key_with_the_same_body_is_the_same_run(database: Database) -> None:
    version = await deployed(database)
    request = RunRequest("train", 1, plan=version.plan)
    made, _ = await create_run(database, "train-1", request, idempotency=("key", "hash"))
    again, is_new = await create_run(database, "train-2", request, idempotency=("key", "hash"))
    assert (again, is_new) == (made, False)
    assert await find_idempotent_run(database, "key", "hash") == made
    assert await find_idempotent_run(database, "other", "hash") is None
    assert await get_run(database, "train-2") is None
    with pytest.raises(IdempotencyConflict, match=r"'key'.*train-1"):
        await create_run(database, "train-3", request, idempotency=("key", "another hash"))
    with pytest.raises(IdempotencyConflict):
        await find_idempotent_run(database, "key", "another hash")
    assert await get_run(database, "train-3") is None


async def test_one_key_sent_fifty_times_at_once_makes_one_run(url: str) -> None:
    several = [Database(url) for _ in range(2)]
    try:
        await several[0].migrate()
        version = await deployed(several[0])
        request = RunRequest("train", 1, plan=version.plan)
        answers = await asyncio.gather(
            *(create_run(several[n % 2], f"train-{n}", request, idempotency=("key", "hash")) for n in range(50))
        )
        assert len({run.id for run, _ in answers}) == 1
        assert sum(is_new for _, is_new in answers) == 1
        assert len((await list_runs(several[0]))[0]) == 1
    finally:
        for database in several:
            await database.close()


async def test_pages_of_the_list_join_without_gap_or_overlap(database: Database) -> None:
    version = await deployed(database)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(12):
        await create_run(database, f"train-{n:02}", RunRequest("train", 1, plan=version.plan))
        async with database.write() as connection:
            # Pairs of runs of the same microsecond: the id decides.
            time = start + timedelta(microseconds=n // 2)
            await connection.execute(update(runs).where(runs.c.id == f"train-{n:02}").values(created_at=time))
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        page, cursor = await list_runs(database, limit=5, cursor=cursor)
        seen += [run.id for run in page]
        if cursor is None:
            break
    assert seen == [f"train-{n:02}" for n in reversed(range(12))]


async def test_the_list_can_be_filtered(database: Database) -> None:
    await created(database, "train-1")
    await created(database, "train-2")
    await deployed(database, "other")
    await create_run(database, "other-1", RunRequest("other", 1, plan=plan("other").to_json()))
    await finish_run(database, "train-1", "failed", "why not")
    assert [run.id for run in (await list_runs(database, workflow="train"))[0]] == ["train-2", "train-1"]
    assert [run.id for run in (await list_runs(database, state="failed"))[0]] == ["train-1"]
    assert [run.id for run in (await list_runs(database, workflow="train", state="pending"))[0]] == ["train-2"]
    assert await list_runs(database, workflow="'; DROP TABLE runs; --") == ([], None)


@pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "MjAyNi0wMS0wMQ", "MjAyNi0wMS0wMSB4", "\0", "=" * 10])
async def test_a_cursor_of_somebody_else_is_refused(database: Database, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        await list_runs(database, cursor=cursor)
