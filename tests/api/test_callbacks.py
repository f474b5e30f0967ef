"""Posts to callbacks: without a key, to one address, once."""

from __future__ import annotations

from typing import Any

import pytest

from api.boundary import MAX_CALLBACK_BYTES
from store.callbacks import answer_in, close_callback, open_callback
from tests.api.conftest import Api
from tests.api.samples import deployed, fresh, move, plan, recorded_run
from workflows.plan import Plan


async def opened(api: Api) -> tuple[Plan, str, str, str]:
    """Return a plan, a run of it, the folder of an attempt, and the path of its callback."""
    made = await deployed(api.database, plan(fresh("callback")))
    run = await recorded_run(api.database, made)
    folder = f"runs/{run}/first/000.001-3f2a9c1e"
    return made, run, folder, f"/api/v1/callbacks/{open_callback(api.objects, folder)}"


async def test_a_post_is_taken_without_a_key_and_once(api: Api) -> None:
    _, run, folder, path = await opened(api)
    answer = await api.anonymous.post(path, json={"state": "done"}, headers={"X-Job": "1", "Cookie": "a=b"})
    assert (answer.status_code, answer.json()) == (202, {"run": run})
    kept = answer_in(api.objects, folder)
    assert kept is not None
    assert kept["text"].replace(" ", "") == '{"state":"done"}'
    assert (kept["headers"]["x-job"], "cookie" in kept["headers"]) == ("1", False)
    again = await api.anonymous.post(path, json={"state": "failed"})
    assert (again.status_code, again.json()["code"]) == (409, "callback_used")
    assert answer_in(api.objects, folder) == kept


@pytest.mark.parametrize(
    ("content", "kind"), [(b"", None), (b"done", "text/plain"), (b"a=1", "application/x-www-form-urlencoded")]
)
async def test_a_post_need_not_be_json(api: Api, content: bytes, kind: str | None) -> None:
    _, _, folder, path = await opened(api)
    answer = await api.anonymous.post(path, content=content, headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == 202
    kept = answer_in(api.objects, folder)
    assert kept is not None
    assert kept["text"] == content.decode()


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"a": ', "application/json", 400),
        (b'{"a": NaN}', "application/json; charset=utf-8", 400),
        (b'{"a": "\\u0000"}', "application/json", 422),
        (b"\xff", "text/plain", 400),
        (b"x" * (MAX_CALLBACK_BYTES + 1), "text/plain", 413),
    ],
)
async def test_a_bad_post_is_refused_and_a_better_one_taken(api: Api, content: bytes, kind: str, status: int) -> None:
    _, _, _, path = await opened(api)
    assert (await api.anonymous.post(path, content=content, headers={"Content-Type": kind})).status_code == status
    assert (await api.anonymous.post(path, json=1)).status_code == 202


def mixed(path: str, other: str) -> list[str]:
    """Return what comes near an address: its parts with those of another, cut, changed, and of other places."""
    head, _, key = path.partition(".")
    return [
        f"{other.partition('.')[0]}.{key}",
        path[:-1],
        f"{path[:-2]}{'AA' if path[-2:] != 'AA' else 'BB'}",
        head,
        f"/api/v1/callbacks/.{key}",
        f"/api/v1/callbacks/YnVuZGxlcy94.{key}",
        f"/api/v1/callbacks/cnVucy8uLi8uLi94.{key}",
        "/api/v1/callbacks/%00.é",
        f"/api/v1/callbacks/{'A' * 5000}.{key}",
    ]


async def test_an_address_that_was_changed_is_that_of_no_callback(api: Api) -> None:
    _, _, _, path = await opened(api)
    _, _, _, other = await opened(api)
    for wrong in mixed(path, other):
        answer = await api.anonymous.post(wrong, json=1)
        assert (answer.status_code, answer.json()["code"]) == (404, "callback_not_found"), wrong
    assert (await api.anonymous.post(path, json=1)).status_code == 202


async def test_a_callback_that_its_step_has_closed_is_over(api: Api) -> None:
    _, _, folder, path = await opened(api)
    assert close_callback(api.objects, folder, "the step was ended")
    answer = await api.anonymous.post(path, json=1)
    assert (answer.status_code, answer.json()["code"]) == (410, "callback_over")
    assert answer.json()["detail"].endswith("any more: the step was ended.")


@pytest.mark.parametrize("state", ["failed", "cancelled", "succeeded"])
async def test_a_callback_whose_step_ended_without_its_worker_is_over(api: Api, state: Any) -> None:
    made, run, _, path = await opened(api)
    await move(api.database, made, run, 1, "first", state)
    answer = await api.anonymous.post(path, json=1)
    assert (answer.status_code, answer.json()["code"]) == (410, "callback_over")
    assert f"the step is {state}" in answer.json()["detail"]
