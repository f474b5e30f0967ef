"""What a run did is recorded once, in order and for good, however often and by whomever it is told."""

from __future__ import annotations

import asyncio
import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.event import listen, remove

from store.database import Database
from store.events import events_after, last_seq
from store.folding import PendingAttempt
from store.recording import active_keys, apply_records, finish_run, observe_attempts, open_runs, reopen_run
from store.rows import Event, Run, Step
from store.runs import create_run, get_operations, get_run, get_run_steps, get_step, list_runs
from store.workflows import deploy_workflow
from tests.store.samples import NOON, a_whole_run, change, created, deployed, plan, records, result
from workflows.messages import RunRequest, StepError, Transition
from workflows.plan import Edge, Plan
from workflows.plan import Step as PlanStep


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOON + seconds, UTC)


async def the_run(database: Database, run: str = "train-1") -> Run:
    found = await get_run(database, run)
    assert found is not None
    return found


async def the_step(database: Database, key: str) -> Step:
    found = await get_step(database, "train-1", key)
    assert found is not None
    return found


async def story(database: Database, run: str = "train-1") -> list[Event]:
    """Return all events of a run, after checking what is true of every run's events."""
    told = await events_after(database, run, 0, limit=100_000)
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    assert await last_seq(database, run) == (len(told), (await the_run(database, run)).ended)
    return told


async def test_a_whole_run_is_recorded(database: Database) -> None:
    await created(database)
    assert await apply_records(database, records(*a_whole_run())) == 11
    run = await the_run(database)
    assert (run.state, run.reason, run.started_at, run.ended_at) == ("failed", "reason 11", at(1), at(11))
    assert run.error == {"type": "ValueError", "message": "step train failed: bad", "detail": {}}
    steps = await get_run_steps(database, "train-1")
    assert [(s.key, s.step, s.item, s.kind, s.queue, s.state, s.attempt) for s in steps] == [
        ("load", "load", None, "python", "cpu", "succeeded", 1),
        ("train", "train", None, "python", "gpu", "failed", 0),
        ("train[0]", "train", 0, "python", "gpu", "succeeded", 1),
        ("train[1]", "train", 1, "python", "gpu", "failed", 1),
        ("check", "check", None, "shell", "cpu", "upstream_failed", 0),
    ]
    load, failed = steps[0], steps[3]
    assert load.output == {"rows": 3}
    assert load.output_object == result("load").output
    assert load.folder == "runs/train-1/load/000.001-3f2a9c1e"
    assert (load.worker, load.scheduled_at, load.started_at, load.ended_at) == ("gpu@host:1", at(2), at(1), at(2))
    assert load.detail == {"rule": "all_success"}
    assert failed.error == {"type": "ValueError", "message": "bad", "detail": {"log_tail": ["x"]}}
    assert [(a.attempt, a.state, a.error, a.folder) for a in failed.attempts] == [
        (1, "failed", failed.error, "runs/train-1/train[1]/000.001-3f2a9c1e")
    ]
    told = await story(database)
    assert [(e.kind, e.data.get("key"), e.data["state"]) for e in told] == [
        ("run", None, "pending"),
        *[("step" if t.key else "run", t.key or None, t.state) for t in a_whole_run()],
    ]
    assert told[3].to_json() == {"seq": 4, "at": "2027-01-15T08:00:03.000000Z", **load.to_json()}
    assert told[-1].data == run.summary()


async def test_a_map_of_many_items_is_in_item_order(database: Database) -> None:
    await created(database)
    items = [change(n + 2, f"train[{n}]", "queued") for n in reversed(range(12))]
    await apply_records(database, records(change(1, "", "running"), *sorted(items, key=lambda t: t.seq)))
    assert [s.item for s in await get_run_steps(database, "train-1") if s.step == "train"] == [None, *range(12)]


async def test_telling_again_changes_nothing(database: Database) -> None:
    await created(database)
    whole = a_whole_run()
    for _ in range(2):
        for n in range(0, 11, 3):
            await apply_records(database, records(*whole[n : n + 3]))
    await apply_records(database, records(*whole))
    assert len(await story(database)) == 12


async def test_after_a_gap_nothing_is_taken_until_it_is_filled(database: Database) -> None:
    await created(database)
    whole = a_whole_run()
    assert await apply_records(database, records(*whole[:3])) == 3
    assert await apply_records(database, records(*whole[5:])) == 3
    assert (await the_run(database)).state == "running"
    assert await apply_records(database, records(*whole[2:])) == 11
    assert (await the_run(database)).state == "failed"
    assert len(await story(database)) == 12


async def test_many_tell_at_once_and_the_story_stays_one(url: str) -> None:
    several = [Database(url) for _ in range(3)]
    try:
        await several[0].migrate()
        await created(several[0])
        whole, dice = a_whole_run(), random.Random(5)
        batches = [whole[a : a + dice.randint(1, 5)] for a in range(11) for _ in range(4)]
        dice.shuffle(batches)
        seen = PendingAttempt("load", 1, True, 2, at(2), at(3), "cpu@host:1")
        telling: list[Any] = [apply_records(several[n % 3], records(*batch)) for n, batch in enumerate(batches)]
        telling += [observe_attempts(several[n % 3], "train-1", [seen]) for n in range(20)]
        await asyncio.gather(*telling)
        await apply_records(several[0], records(*whole))
        told = await story(several[0])
        states = [(e.data.get("key"), e.data["state"]) for e in told if e.data["state"] != "running" or e.kind == "run"]
        expected = [(t.key or None, t.state) for t in whole if t.state != "running" or not t.key]
        assert states == [(None, "pending"), *expected]
    finally:
        for database in several:
            await database.close()


async def test_a_reader_that_follows_along_misses_nothing(url: str) -> None:
    writer, reader = Database(url), Database(url)
    try:
        await writer.migrate()
        await created(writer)

        async def follow() -> list[int]:
            followed: list[int] = []
            while True:
                ended = await last_seq(reader, "train-1")
                followed += [e.seq for e in await events_after(reader, "train-1", followed[-1] if followed else 0)]
                if ended == (len(followed), True):
                    return followed

        following = asyncio.create_task(follow())
        await asyncio.gather(*(apply_records(writer, records(*a_whole_run()[:n])) for n in range(12)))
        assert await asyncio.wait_for(following, 20) == list(range(1, 13))
    finally:
        await writer.close()
        await reader.close()


async def test_a_final_state_never_changes(database: Database) -> None:
    await created(database)
    whole = a_whole_run()
    await apply_records(database, records(*whole[:3]))
    load = await the_step(database, "load")
    seen = PendingAttempt("load", 2, True, 2, at(100), at(100), "cpu@host:2")
    assert await observe_attempts(database, "train-1", [seen]) == 0
    await apply_records(database, records(change(4, "load", "queued"), change(5, "load", "failed")))
    assert await the_step(database, "load") == load
    await apply_records(database, records(change(6, "", "succeeded", value=1)))
    ended = await the_run(database)
    await apply_records(database, records(change(7, "", "failed"), change(8, "train", "queued")))
    assert not await finish_run(database, "train-1", "cancelled", "late")
    after = await the_run(database)
    assert (after.state, after.output, after.seq, after.ended_at) == ("succeeded", 1, ended.seq, ended.ended_at)
    assert (await the_step(database, "train")).state == "waiting"


async def test_a_run_without_a_row_is_made_from_its_records(database: Database) -> None:
    await deployed(database)
    await apply_records(database, records(*a_whole_run()[:3]))
    run = await the_run(database)
    assert (run.workflow, run.version, run.state, run.plan_hash) == ("train", 1, "running", plan().content_hash)
    assert [s.key for s in await get_run_steps(database, "train-1")] == ["load", "train", "check"]


async def test_a_run_of_a_version_nobody_knows_is_recorded_all_the_same(database: Database) -> None:
    await apply_records(database, records(*a_whole_run()))
    assert (await the_run(database)).state == "failed"
    assert {s.key for s in await get_run_steps(database, "train-1")} == {
        "load",
        "train",
        "train[0]",
        "train[1]",
        "check",
    }


async def test_odd_values_are_recorded_and_stop_nothing(database: Database) -> None:
    await created(database)
    odd = Transition(2, math.nan, "load", "queued", "\0 \ud800", {"seen": math.inf, "text": "a\0"}, "cpu")
    bad = result("load", value="\udfff")
    bad.started_at, bad.ended_at = math.inf, -1e30
    await apply_records(database, records(change(1, "", "running"), odd, change(3, "load", "succeeded", result=bad)))
    load = await the_step(database, "load")
    assert load.state == "succeeded"
    assert load.output == "\ufffd"
    assert (await story(database))[2].data["reason"] == "␀ \ufffd"


# What the observer sees.


def pending(key: str, number: int, running: bool, **more: Any) -> PendingAttempt:
    return PendingAttempt(key, number, running, **{"limit": 2, "scheduled_at": at(50), "worker": "cpu@host:1", **more})


async def begun(database: Database) -> None:
    await created(database)
    await apply_records(database, records(*a_whole_run()[:2]))


async def test_an_attempt_is_seen_from_start_to_retry_to_end(database: Database) -> None:
    await begun(database)
    error = StepError("ValueError", "bad", {"exit_code": 1})
    told = [
        pending("load", 1, False),
        pending("load", 1, True, started_at=at(51)),
        pending("load", 2, False, failure=error, failed_at=at(52), next_at=at(60)),
        pending("load", 2, True, failure=error, failed_at=at(52), started_at=at(60), worker="cpu@host:2"),
    ]
    news: list[Any] = []
    for seen in told:
        news.append(await observe_attempts(database, "train-1", [seen]))
        news.append(await observe_attempts(database, "train-1", [seen]))
        load = await the_step(database, "load")
        news.append((load.state, load.attempt, load.worker))
    assert news == [
        *(0, 0, ("queued", 0, None)),
        *(1, 0, ("running", 1, "cpu@host:1")),
        *(1, 0, ("retrying", 1, "cpu@host:1")),
        *(1, 0, ("running", 2, "cpu@host:2")),
    ]
    assert load.started_at == at(51)
    for seen in told:
        assert await observe_attempts(database, "train-1", [seen]) == 0
    end = result("load", 2)
    end.started_at, end.ended_at = NOON + 60, NOON + 61
    await apply_records(database, records(change(3, "load", "succeeded", result=end)))
    load = await the_step(database, "load")
    assert [(a.attempt, a.state, a.worker, a.started_at, a.ended_at) for a in load.attempts] == [
        (1, "failed", "cpu@host:1", at(51), at(52)),
        (2, "succeeded", "gpu@host:1", at(60), at(61)),
    ]
    assert load.attempts[0].error == {"type": "ValueError", "message": "bad", "detail": {"exit_code": 1}}
    assert (load.started_at, load.ended_at, load.attempt) == (at(51), at(61), 2)
    states = [e.data["state"] for e in await story(database) if e.data.get("key") == "load"]
    assert states == ["queued", "running", "retrying", "running", "succeeded"]


async def test_a_retry_that_waits_says_why_and_until_when(database: Database) -> None:
    await begun(database)
    error = StepError("ExitCode", "exit code 3")
    await observe_attempts(database, "train-1", [pending("load", 2, False, failure=error, next_at=at(60))])
    load = await the_step(database, "load")
    assert (load.state, load.reason) == ("retrying", "attempt 1 failed: ExitCode: exit code 3")
    assert load.detail == {"rule": "all_success", "next_at": "2027-01-15T08:01:00.000000Z"}
    assert [(a.attempt, a.state, a.worker) for a in load.attempts] == [(1, "failed", "cpu@host:1")]


async def test_steps_that_were_seen_before_they_were_recorded_wait_for_their_record(database: Database) -> None:
    await created(database)
    assert await observe_attempts(database, "train-1", [pending("load", 1, True), pending("nothing", 1, True)]) == 0
    assert await observe_attempts(database, "nothing", [pending("load", 1, True)]) == 0
    assert (await the_step(database, "load")).state == "waiting"


async def test_a_lost_worker_is_an_attempt_and_the_next_generation_counts_on(database: Database) -> None:
    await begun(database)
    await observe_attempts(database, "train-1", [pending("load", 2, True)])
    lost = {"generation": 1, "error": {"type": "WorkerLost", "message": "the worker was silent"}}
    await apply_records(database, records(Transition(3, NOON + 100, "load", "queued", "again", lost, "cpu")))
    load = await the_step(database, "load")
    assert (load.state, load.attempt) == ("queued", 2)
    assert load.attempts[-1].state == "failed"
    assert load.attempts[-1].error == {"type": "WorkerLost", "message": "the worker was silent", "detail": {}}
    # What was seen before the step was scheduled again comes too late.
    assert await observe_attempts(database, "train-1", [pending("load", 2, True, scheduled_at=at(99))]) == 0
    assert await observe_attempts(database, "train-1", [pending("load", 1, True, scheduled_at=at(100))]) == 1
    load = await the_step(database, "load")
    assert (load.state, load.attempt, load.scheduled_at) == ("running", 3, at(2))
    await apply_records(database, records(change(4, "load", "succeeded", result=result("load", 1, generation=1))))
    load = await the_step(database, "load")
    assert [(a.generation, a.number, a.attempt, a.state) for a in load.attempts] == [
        (0, 1, 1, "failed"),
        (0, 2, 2, "failed"),
        (1, 1, 3, "succeeded"),
    ]


async def test_an_attempt_that_nobody_saw_fail_does_not_run_for_ever(database: Database) -> None:
    await begun(database)
    await observe_attempts(database, "train-1", [pending("load", 1, True)])
    await apply_records(database, records(change(3, "load", "succeeded", result=result("load", 2))))
    assert [(a.attempt, a.state) for a in (await the_step(database, "load")).attempts] == [
        (1, "failed"),
        (2, "succeeded"),
    ]


async def test_a_cancelled_step_ends_the_attempt_that_ran(database: Database) -> None:
    await begun(database)
    await observe_attempts(database, "train-1", [pending("load", 1, True)])
    await apply_records(database, records(change(3, "load", "cancelled")))
    load = await the_step(database, "load")
    assert [(a.state, a.ended_at) for a in load.attempts] == [("cancelled", at(3))]
    assert load.ended_at is not None
    assert load.started_at is not None
    assert load.ended_at >= load.started_at


# Ends from outside, and what the observer asks for.


async def test_a_run_ended_from_outside_leaves_no_open_step(database: Database) -> None:
    await begun(database)
    await observe_attempts(database, "train-1", [pending("load", 1, True)])
    assert await finish_run(database, "train-1", "failed", "terminated in Temporal")
    assert not await finish_run(database, "train-1", "failed", "again")
    run = await the_run(database)
    assert (run.state, run.reason) == ("failed", "terminated in Temporal")
    steps = await get_run_steps(database, "train-1")
    assert {s.key: s.state for s in steps} == {"load": "cancelled", "train": "cancelled", "check": "cancelled"}
    assert [a.state for a in steps[0].attempts] == ["cancelled"]
    assert [e.data.get("key") for e in (await story(database))[-4:]] == ["load", "train", "check", None]
    assert not await finish_run(database, "nothing", "failed", "why")


async def test_open_runs_come_in_pages_and_say_whether_a_step_is_in_flight(database: Database) -> None:
    for n in range(5):
        await created(database, f"train-{n}")
    await apply_records(database, records(*a_whole_run()[:2], run="train-1"))
    await apply_records(database, records(*a_whole_run(), run="train-2"))
    first = await open_runs(database, limit=2)
    rest = await open_runs(database, after=first[-1].id, limit=10)
    assert [(r.id, r.state, r.applied, r.active) for r in first + rest] == [
        ("train-0", "pending", 0, False),
        ("train-1", "running", 2, True),
        ("train-3", "pending", 0, False),
        ("train-4", "pending", 0, False),
    ]


async def test_a_map_is_not_in_flight_but_its_items_are(database: Database) -> None:
    await created(database)
    await apply_records(database, records(*a_whole_run()[:7]))
    assert await active_keys(database, "train-1") == {"train[0]"}


async def test_a_run_of_the_largest_size_is_healed_in_one_go(database: Database) -> None:
    large = Plan(
        "large", tuple(PlanStep(f"s{n}", "noop", needs=(Edge(f"s{n - 1}"),) if n else ()) for n in range(1_500))
    )
    version, _ = await deploy_workflow(database, large, {}, None)
    await create_run(database, "large-1", RunRequest("large", 1, plan=version.plan))
    changes = [change(1, "", "running")]
    for n in range(1_500):
        changes.append(change(len(changes) + 1, f"s{n}", "queued"))
        changes.append(change(len(changes) + 1, f"s{n}", "succeeded", result=result(f"s{n}", run="large-1")))
    await apply_records(database, records(*changes, change(len(changes) + 1, "", "succeeded"), run="large-1"))
    assert (await the_run(database, "large-1")).state == "succeeded"
    assert len(await story(database, "large-1")) == 3_003
    assert {s.state for s in await get_run_steps(database, "large-1")} == {"succeeded"}


async def test_a_batch_takes_a_handful_of_statements_however_many_transitions_it_has(database: Database) -> None:
    """A recording is on every run's path."""
    steps = tuple(PlanStep(f"s{n}", "noop") for n in range(100))
    version, _ = await deploy_workflow(database, Plan("wide", steps), {}, None)
    await create_run(database, "wide-1", RunRequest("wide", 1, plan=version.plan))
    changes = [change(1, "", "running"), *[change(n + 2, f"s{n}", "queued") for n in range(100)]]
    changes += [change(n + 102, f"s{n}", "succeeded", result=result(f"s{n}", run="wide-1")) for n in range(100)]
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    engine = database._engine.sync_engine
    listen(engine, "before_cursor_execute", note)
    try:
        for first, size in ((0, 2), (2, 98), (100, 101)):
            statements.clear()
            await apply_records(database, records(*changes[first : first + size], run="wide-1"))
            assert len(statements) <= 8, statements
    finally:
        remove(engine, "before_cursor_execute", note)
    assert (await list_runs(database))[0][0].applied == 201


async def test_times_of_the_future_and_of_other_clocks_give_no_negative_duration(database: Database) -> None:
    await begun(database)
    await observe_attempts(database, "train-1", [pending("load", 1, True, started_at=at(3600))])
    await apply_records(database, records(change(3, "load", "succeeded", result=result("load"))))
    load = await the_step(database, "load")
    assert load.started_at is not None
    assert load.ended_at is not None
    assert load.ended_at - load.started_at >= timedelta(0)


async def test_an_item_of_nested_maps_is_recorded_with_its_step(database: Database) -> None:
    await begun(database)
    await apply_records(database, records(change(3, "train[2][0]", "queued", queue="gpu")))
    item = await the_step(database, "train[2][0]")
    assert (item.step, item.state) == ("train", "queued")


async def test_a_run_is_noted_as_going_on_unless_it_has_said_so_itself(database: Database) -> None:
    await created(database)
    await apply_records(database, records(*a_whole_run()))
    assert not await reopen_run(database, "train-1", 10, "ada had it go on"), "it has said more since"
    assert await reopen_run(database, "train-1", 11, "ada had it go on")
    run = await the_run(database)
    assert (run.state, run.reason, run.ended_at, run.error) == ("pending", "ada had it go on", None, None)
    assert not await reopen_run(database, "train-1", 11, "ada had it go on")
    assert [each.id for each in await open_runs(database)] == ["train-1"]
    operation = {"operation": {"id": "o", "kind": "retry", "by": "ada"}, "again": {"by": "ada"}}
    await apply_records(database, records(change(12, "", "running", detail=operation)))
    await apply_records(database, records(change(13, "", "paused")))
    assert [each.id for each in await open_runs(database)] == ["train-1"], "a paused run is looked after"
    [told] = await get_operations(database, "train-1")
    assert (told["kind"], told["by"], told["reason"]) == ("retry", "ada", "reason 12")
    await story(database)


async def test_progress_is_told_while_it_moves_and_less_often_the_longer_a_step_runs(database: Database) -> None:
    await begun(database)

    def far(done: int, **more: Any) -> PendingAttempt:
        return pending("load", 1, True, progress={"done": done, "total": 9, "text": "rows"}, **more)

    assert await observe_attempts(database, "train-1", [far(1, started_at=datetime.now(UTC))]) == 1
    load = await the_step(database, "load")
    shown = load.to_json()
    assert (shown["progress"]["done"], shown["progress"]["total"], shown["progress"]["text"]) == (1, 9, "rows")
    assert "progress" not in shown["detail"]
    assert await observe_attempts(database, "train-1", [far(1)]) == 0
    assert await observe_attempts(database, "train-1", [pending("load", 1, True)]) == 0
    assert await observe_attempts(database, "train-1", [far(2)]) == 1
    # The next attempt has not said anything yet.
    await observe_attempts(database, "train-1", [pending("load", 2, True, started_at=at(-10_000))])
    assert (await the_step(database, "load")).progress is None
    await apply_records(database, records(Transition(3, NOON + 200, "load", "succeeded")))
    assert (await the_step(database, "load")).progress is None


async def test_a_step_that_failed_says_how_far_it_was(database: Database) -> None:
    await begun(database)
    progress = {"done": 3, "total": 9, "text": ""}
    await observe_attempts(database, "train-1", [pending("load", 1, True, progress=progress)])
    await apply_records(database, records(Transition(3, NOON + 200, "load", "failed")))
    assert ((await the_step(database, "load")).progress or {})["done"] == 3
