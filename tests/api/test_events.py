"""The event stream of a run: everything once, in order, however often the client is cut off."""

from __future__ import annotations

import asyncio

import pytest

from api.routes import events as events_routes
from tests.api.conftest import Api, running_api
from tests.api.samples import deployed, fresh, move, plan, recorded_run
from tests.api.streams import followed, take


async def test_a_stream_tells_what_was_and_what_comes_and_then_ends(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("told")))
    run = await recorded_run(api.database, made)
    await move(api.database, made, run, 1, "", "running")
    async with followed(api.http, run) as events:
        past = await take(events, 2)
        await move(api.database, made, run, 2, "first", "queued", queue="cpu")
        await move(api.database, made, run, 3, "first", "succeeded")
        await move(api.database, made, run, 4, "", "succeeded")
        future = await take(events, 4)
        assert [event async for event in events] == []
    told = past + future
    assert [kind for kind, _, _ in told] == ["run", "run", "step", "step", "run", "end"]
    assert [number for _, number, _ in told] == [1, 2, 3, 4, 5, None]
    assert [data.get("state") for _, _, data in told] == [
        "pending",
        "running",
        "queued",
        "succeeded",
        "succeeded",
        None,
    ]
    assert told[2][2]["key"] == "first"
    assert told[2][2]["seq"] == 3
    assert told[2][2]["at"].endswith("Z")
    shown = await api.get(f"/runs/{run}")
    assert shown["seq"] == 5
    assert shown["steps"][0] == {name: told[3][2][name] for name in shown["steps"][0]}


@pytest.mark.parametrize("how", ["query", "header"])
async def test_a_client_that_was_cut_off_misses_and_repeats_nothing(api: Api, how: str) -> None:
    made = await deployed(api.database, plan(fresh("cut")))
    run = await recorded_run(api.database, made)
    writing = asyncio.create_task(_write_slowly(api, made, run, 40))
    numbers: list[int] = []
    ended = False
    while not ended:
        last = str(numbers[-1] if numbers else 0)
        where = {"params": {"after": last}} if how == "query" else {"headers": {"Last-Event-ID": last}}
        async with followed(api.http, run, **where) as events:
            # Cut off after three, wherever the writer is.
            for kind, number, _ in await take_up_to(events, 3):
                ended = ended or kind == "end"
                if number is not None:
                    numbers.append(number)
    await writing
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == 42


async def _write_slowly(api: Api, made, run: str, count: int) -> None:  # type: ignore[no-untyped-def]
    for seq in range(1, count + 1):
        await move(api.database, made, run, seq, "first", "queued" if seq % 2 else "running", reason=str(seq))
        await asyncio.sleep(0.01)
    await move(api.database, made, run, count + 1, "", "failed")


async def take_up_to(events, count: int):  # type: ignore[no-untyped-def]
    taken = []
    async for event in events:
        if event[0] != ":":
            taken.append(event)
        if len(taken) == count or event[0] == "end":
            break
    return taken


async def test_a_stream_of_a_run_that_ended_comes_at_once_and_closes(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("over")))
    run = await recorded_run(api.database, made)
    await move(api.database, made, run, 1, "", "cancelled")
    async with followed(api.http, run) as events:
        assert [kind async for kind, _, _ in events] == ["run", "run", "end"]
    async with followed(api.http, run, params={"after": 2}) as events:
        assert [kind async for kind, _, _ in events] == ["end"]
    async with followed(api.http, run, params={"after": 99}) as events:
        assert [kind async for kind, _, _ in events] == ["end"]


async def test_more_events_than_a_page_come_whole(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_routes, "PAGE", 4)
    made = await deployed(api.database, plan(fresh("many")))
    run = await recorded_run(api.database, made)
    for seq in range(1, 12):
        await move(api.database, made, run, seq, "first", "queued" if seq % 2 else "running", reason=str(seq))
    await move(api.database, made, run, 12, "", "succeeded")
    async with followed(api.http, run) as events:
        assert [number async for _, number, _ in events] == [*range(1, 14), None]


async def test_a_quiet_stream_says_that_it_is_there(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_routes, "COMMENT_SECONDS", 0.3)
    made = await deployed(api.database, plan(fresh("quiet")))
    run = await recorded_run(api.database, made)
    async with followed(api.http, run) as events, asyncio.timeout(20):
        kinds = [(await anext(events))[0] for _ in range(3)]
    assert kinds == ["run", ":", ":"]


async def test_a_change_reaches_the_client_that_waits_for_it(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("soon")))
    run = await recorded_run(api.database, made)
    async with followed(api.http, run) as events, asyncio.timeout(20):
        await take(events, 1)
        await move(api.database, made, run, 1, "first", "queued")
        await take(events, 1)


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "%00", "9" * 30])
async def test_a_place_in_the_stream_must_be_a_number(api: Api, after: str) -> None:
    made = await deployed(api.database, plan(fresh("place")))
    run = await recorded_run(api.database, made)
    answer = await api.http.get(f"/runs/{run}/events", params={"after": after})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "after")
    answer = await api.http.get(f"/runs/{run}/events", headers={"Last-Event-ID": after})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "last-event-id")


async def test_a_stop_of_the_server_ends_open_streams_at_once(api: Api) -> None:
    async with running_api(api.settings) as second:
        made = await deployed(api.database, plan(fresh("stopped")))
        run = await recorded_run(api.database, made)
        async with followed(second.http, run) as events, asyncio.timeout(20):
            await take(events, 1)
            second.server.should_exit = True
            assert [event async for event in events] == []


async def test_a_client_that_leaves_is_forgotten(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("leaves")))
    run = await recorded_run(api.database, made)
    before = len(asyncio.all_tasks())
    async with followed(api.http, run) as events:
        await take(events, 1)
        assert len(asyncio.all_tasks()) > before
    async with asyncio.timeout(30):
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0.02)
