"""Metrics of steps: what its attempts have left, joined."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.samples import deployed, fresh, mapped, move, recorded_run

FIRST = "000.001-3f2a9c1e"
SECOND = "000.002-3f2a9c1e"


@pytest.fixture
async def run(api: Api) -> str:
    made = await deployed(api.database, mapped(fresh("measured")))
    run = await recorded_run(api.database, made)
    await move(api.database, made, run, 1, "train[0]", "queued", queue="cpu")
    return run


def write(api: Api, run: str, attempt: str, document: Any) -> None:
    data = document if isinstance(document, bytes) else json.dumps({"series": document}).encode()
    api.objects.put(f"runs/{run}/train[0]/{attempt}/metrics.json", data)


def series(name: str, *points: tuple[float, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "steps": [at for at, _ in points],
        "values": [v for _, v in points],
        "at": [1.5] * len(points),
    }


async def metrics(api: Api, run: str, **query: Any) -> dict[str, list[tuple[float, Any]]]:
    answer = await api.get(f"/runs/{run}/steps/train[0]/metrics", params=query)
    return {each["name"]: [*zip(each["steps"], each["values"], strict=True)] for each in answer["series"]}


async def test_a_step_that_told_nothing_has_no_series(api: Api, run: str) -> None:
    assert await api.get(f"/runs/{run}/steps/train[0]/metrics") == {"attempts": [], "series": []}


async def test_series_of_an_attempt_that_went_on_are_joined(api: Api, run: str) -> None:
    write(api, run, FIRST, [series("loss", (0, 9), (1, 8), (2, 7)), series("lr", (0, 1))])
    write(api, run, SECOND, [series("loss", (2, 6), (3, None))])
    assert await metrics(api, run) == {"loss": [(0, 9), (1, 8), (2, 6), (3, None)], "lr": [(0, 1)]}
    assert await metrics(api, run, attempt=FIRST) == {"loss": [(0, 9), (1, 8), (2, 7)], "lr": [(0, 1)]}


async def test_an_attempt_from_the_beginning_stands_in_the_place_of_the_one_before(api: Api, run: str) -> None:
    write(api, run, FIRST, [series("loss", (0, 9), (1, 8))])
    write(api, run, SECOND, [series("loss", (0, 5))])
    assert await metrics(api, run) == {"loss": [(0, 5)]}


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"[]",
        b'{"series": [1, {"name": "a"}, {"name": "b", "steps": ["x"], "values": [true], "at": [0]}]}',
        b'{"series": [{"name": "b", "steps": [NaN], "values": [1], "at": [0]}]}',
    ],
)
async def test_what_an_object_holds_is_not_trusted(api: Api, run: str, document: bytes) -> None:
    write(api, run, FIRST, document)
    assert all(points == [] for points in (await metrics(api, run)).values())


async def test_steps_and_attempts_that_are_not_there_are_not_found(api: Api, run: str) -> None:
    for path in (f"/runs/{run}/steps/nothing/metrics", f"/runs/{run}/steps/train[0]/metrics?attempt={SECOND}"):
        assert (await api.http.get(path)).status_code == 404
