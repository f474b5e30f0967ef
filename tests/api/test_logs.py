"""Logs of steps: whole, in order, per attempt, while they grow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api import step_logs
from tests.api.conftest import Api
from tests.api.samples import deployed, fresh, mapped, move, recorded_run

FIRST = "000.001-3f2a9c1e"
SECOND = "000.002-3f2a9c1e"


@pytest.fixture
async def run(api: Api) -> str:
    """A run with `train` running and its item `train[0]`."""
    made = await deployed(api.database, mapped(fresh("logged")))
    run = await recorded_run(api.database, made)
    await move(api.database, made, run, 1, "train[0]", "queued", queue="cpu")
    return run


def write(api: Api, run: str, number: int, *texts: str, key: str = "train[0]", attempt: str = FIRST) -> None:
    lines = [json.dumps({"at": 1.5, "stream": "stdout", "text": text}) for text in texts]
    data = "".join(f"{line}\n" for line in lines).encode()
    api.objects.put(f"runs/{run}/{key}/{attempt}/logs/{number:06d}.ndjson", data)


def end(api: Api, run: str, attempt: str = FIRST) -> None:
    api.objects.put(f"runs/{run}/train[0]/{attempt}/logs/end", b"")


async def log(api: Api, run: str, **query: Any) -> Any:
    return await api.get(f"/runs/{run}/steps/train[0]/logs", params=query)


async def test_a_step_that_has_not_written_has_an_empty_log(api: Api, run: str) -> None:
    assert await log(api, run) == {"attempt": None, "attempts": [], "lines": [], "next": 0, "complete": False}


async def test_a_growing_log_is_read_piece_by_piece(api: Api, run: str) -> None:
    write(api, run, 1, "one", "two")
    page = await log(api, run)
    assert [line["text"] for line in page["lines"]] == ["one", "two"]
    assert page["lines"][0] == {"at": 1.5, "stream": "stdout", "text": "one"}
    assert (page["attempt"], page["attempts"], page["complete"]) == (FIRST, [FIRST], False)

    page = await log(api, run, after=page["next"])
    assert (page["lines"], page["next"], page["complete"]) == ([], 1, False)

    write(api, run, 2, "three")
    end(api, run)
    page = await log(api, run, after=1)
    assert ([line["text"] for line in page["lines"]], page["complete"]) == (["three"], True)
    page = await log(api, run, after=page["next"])
    assert (page["lines"], page["complete"]) == ([], True)


async def test_the_newest_attempt_is_shown_unless_another_is_asked_for(api: Api, run: str) -> None:
    write(api, run, 1, "old")
    write(api, run, 1, "new", attempt=SECOND)
    write(api, run, 1, "another step", key="train")
    write(api, run, 1, "another item", key="train[00]")
    newest = await log(api, run)
    assert (newest["attempt"], newest["attempts"]) == (SECOND, [FIRST, SECOND])
    assert [line["text"] for line in newest["lines"]] == ["new"]
    assert newest["complete"] is False
    older = await log(api, run, attempt=FIRST)
    assert [line["text"] for line in older["lines"]] == ["old"]
    # Its worker was killed and never wrote an end, but there is a newer attempt.
    assert older["complete"] is True


async def test_a_killed_worker_leaves_a_log_that_is_complete_once_the_step_has_ended(api: Api) -> None:
    made = await deployed(api.database, mapped(fresh("killed")))
    run = await recorded_run(api.database, made)
    await move(api.database, made, run, 1, "train[0]", "running")
    write(api, run, 1, "last words")
    assert (await log(api, run))["complete"] is False
    await move(api.database, made, run, 2, "train[0]", "failed")
    page = await log(api, run)
    assert (len(page["lines"]), page["complete"]) == (1, True)


async def test_a_page_has_a_largest_size(api: Api, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_logs, "MAX_PAGE_BYTES", 100)
    for number in range(1, 8):
        write(api, run, number, "x" * 40)
    end(api, run)
    cursor, pages, lines = 0, 0, 0
    while True:
        page = await log(api, run, after=cursor)
        cursor, pages, lines = page["next"], pages + 1, lines + len(page["lines"])
        if page["complete"]:
            break
    assert lines == 7
    assert pages == 4


@pytest.mark.parametrize(
    "line",
    [b"not json", b"{}", b"[" * 100_000, b'{"at": 1e999, "stream": "stdout", "text": "x"}', b"\xff\xfe", b"null"],
)
async def test_a_damaged_line_is_shown_as_it_is(api: Api, run: str, line: bytes) -> None:
    good = b'{"at": 1, "stream": "stderr", "text": "good"}'
    api.objects.put(f"runs/{run}/train[0]/{FIRST}/logs/000001.ndjson", good + b"\n" + line + b"\n" + good + b"\n")
    page = await log(api, run)
    assert [shown["text"] for shown in page["lines"]] == ["good", line.decode("utf-8", "replace"), "good"]


@pytest.mark.parametrize("text", ["\x1b]8;;http://evil\x07x", "<script>alert(1)</script>", "\u2028", "\0", "a\rb"])
async def test_text_comes_as_it_was_written(api: Api, run: str, text: str) -> None:
    write(api, run, 1, text)
    assert (await log(api, run))["lines"][0]["text"] == text


async def test_half_a_surrogate_pair_does_not_spoil_the_page(api: Api, run: str) -> None:
    write(api, run, 1, "a\ud800b")
    assert (await log(api, run))["lines"][0]["text"] == "a?b"


OUTSIDE = [
    "..",
    "../other",
    "train[0]/../../other",
    "..%2f..%2fother",
    "%2e%2e",
    "train%00",
    "train[0]%0a",
    "/etc/passwd",
    "train[-1]",
    "train[0][0]",
    "train[0]%2fx",
    "-",
    "%c3%a4",
    "a" * 300,
]


@pytest.mark.parametrize("part", OUTSIDE)
@pytest.mark.parametrize("place", ["run", "key", "attempt", "file"])
async def test_no_part_of_an_address_leads_out_of_the_run(api: Api, run: str, part: str, place: str) -> None:
    api.objects.put(f"runs/{run}-other/train[0]/{FIRST}/logs/000001.ndjson", b"secret\n")
    paths = {
        "run": f"/runs/{part}/steps/train[0]/logs",
        "key": f"/runs/{run}/steps/{part}/logs",
        "attempt": f"/runs/{run}/steps/train[0]/logs?attempt={part}",
        "file": f"/runs/{run}/steps/train[0]/files/{part}",
    }
    target = f"/api/v1{paths[place]}".encode()
    answer = await api.http.get("/", extensions={"target": target})
    assert answer.status_code in (404, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text


async def test_an_attempt_that_is_not_there_is_a_404(api: Api, run: str) -> None:
    answer = await api.http.get(f"/runs/{run}/steps/train[0]/logs", params={"attempt": FIRST})
    assert (answer.status_code, answer.json()["code"]) == (404, "attempt_not_found")


async def test_a_step_that_is_not_there_is_a_404(api: Api, run: str) -> None:
    answer = await api.http.get(f"/runs/{run}/steps/train[7]/logs")
    assert (answer.status_code, answer.json()["code"]) == (404, "step_not_found")
