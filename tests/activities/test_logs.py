"""The log of an attempt."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from typing import Any

import pytest

from activities import logs
from activities.logs import LogSink, Stream
from tests.activities.conftest import Steps


class Store:
    """Keeps segments in memory; answers when `open` is set."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.open = asyncio.Event()
        self.open.set()
        self.failures = 0

    async def put(self, name: str, data: bytes) -> None:
        await self.open.wait()
        if self.failures:
            self.failures -= 1
            raise OSError("no")
        assert name not in self.objects
        self.objects[name] = data

    def lines(self) -> list[dict[str, Any]]:
        data = b"".join(self.objects[name] for name in sorted(self.objects) if name.endswith("ndjson"))
        return [json.loads(line) for line in data.decode().split("\n") if line]

    def texts(self) -> list[str]:
        return [line["text"] for line in self.lines()]


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a", b"b\nc"], ["ab", "c"]),
        ([b"a\r\nb\r", b"\nc\rd"], ["a", "b", "c", "d"]),
        ([b"50%\r100%\r\n"], ["50%", "100%"]),
        (["é".encode()[:1], "é".encode()[1:] + b"\n"], ["é"]),
        ([b"\xff\xfe ok\n"], ["�� ok"]),
        ([b"\n\n"], ["", ""]),
        (
            [b"nul \x00 and \x1b[31mred\x1b[0m and \xe2\x80\xa8 end\n"],
            ["nul \x00 and \x1b[31mred\x1b[0m and \u2028 end"],
        ),
        ([b"x" * 150_000 + b"\ny\n"], ["x" * 65_536, "x" * 65_536, "x" * 18_928, "y"]),
    ],
)
async def test_bytes_become_lines_wherever_they_are_cut(chunks: list[bytes], lines: list[str]) -> None:
    store = Store()
    sink = LogSink(store.put)
    for chunk in chunks:
        await sink.write("stdout", chunk)
    await sink.close()
    assert store.texts() == lines


async def test_line_has_a_time_and_a_stream() -> None:
    store = Store()
    sink = LogSink(store.put)
    before = time.time()
    await sink.write("stderr", b"oh\n")
    await sink.close()
    [line] = store.lines()
    assert line == {"at": pytest.approx(before, abs=1), "stream": "stderr", "text": "oh"}


async def test_end_mark_comes_after_the_last_segment_also_of_an_empty_log() -> None:
    store = Store()
    await LogSink(store.put).close()
    assert store.objects == {"logs/end": b""}


async def test_line_is_written_without_waiting_for_the_next() -> None:
    store = Store()
    sink = LogSink(store.put)
    await sink.write("stdout", b"first\n")
    async with asyncio.timeout(20):
        while not store.objects:
            await asyncio.sleep(0.01)
    await sink.write("stdout", b"second\n")
    await sink.close()
    assert sorted(store.objects) == ["logs/000001.ndjson", "logs/000002.ndjson", "logs/end"]


async def test_streams_keep_their_order_and_do_not_mix() -> None:
    store = Store()
    sink = LogSink(store.put)

    async def write(stream: Stream) -> None:
        for number in range(1_000):
            text = f"{stream} {number}\n".encode()
            await sink.write(stream, text[:5])
            await asyncio.sleep(0)
            await sink.write(stream, text[5:])

    await asyncio.gather(write("stdout"), write("stderr"))
    await sink.close()
    for stream in ("stdout", "stderr"):
        expected = [f"{stream} {number}" for number in range(1_000)]
        assert [line["text"] for line in store.lines() if line["stream"] == stream] == expected


async def test_writer_waits_for_a_slow_store(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    store.open.clear()
    sink = LogSink(store.put)
    line = b"x" * 1023 + b"\n"
    written = 0

    async def flood() -> None:
        nonlocal written
        while written < 20_000:
            await sink.write("stdout", line)
            written += 1

    writing = asyncio.create_task(flood())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(writing), 1)
    assert written * len(line) < 2 * logs.BUFFER_BYTES
    store.open.set()
    await writing
    await sink.close()
    assert len(store.lines()) == 20_000


async def test_log_beyond_its_bound_says_so_and_keeps_the_tail() -> None:
    store = Store()
    sink = LogSink(store.put, limit=1_000)
    for number in range(500):
        await sink.write("stderr", f"line {number}\n".encode())
    await sink.close()
    texts = store.texts()
    assert texts[-1] == "[segue] the log is full: what follows is not kept"
    assert sum("is full" in text for text in texts) == 1
    assert sum(map(len, texts)) < 1_200
    assert sink.tail("stderr")[-1] == "line 499"


async def test_segment_that_was_refused_is_tried_again() -> None:
    store = Store()
    store.failures = 2
    sink = LogSink(store.put)
    await sink.write("stdout", b"kept\n")
    await sink.close()
    assert store.texts() == ["kept"]
    assert store.failures == 0


async def test_store_that_stays_away_does_not_hold_the_step_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    store.failures = 1_000
    sink = LogSink(store.put)
    await sink.write("stdout", b"lost\n")
    async with asyncio.timeout(20):
        await sink.close(patience=0.5)
    assert "logs/000001.ndjson is lost" in caplog.text


async def test_tail_is_readable(steps: Steps) -> None:
    sink = LogSink(Store().put)
    await sink.write("stderr", b"".join(f"{n} {'x' * 1000}\n".encode() for n in range(100)))
    assert len(sink.tail("stderr")) == logs.TAIL_LINES
    assert max(map(len, sink.tail("stderr"))) == logs.TAIL_CHARACTERS
    await sink.close()


async def test_flood_does_not_fill_the_workers_memory(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LogSink.__init__, "__defaults__", (32 * 1024 * 1024,))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = """
import sys
def f():
    for _ in range(300): sys.stdout.write("y" * 999_999 + "\\n")
    sys.stdout.write("z" * 30_000_000)
"""
    beats = asyncio.create_task(ticks())
    result = await steps.python(code)
    worst = await stopped(beats)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 80_000, f"{grown} KiB more"
    assert steps.log(result.folder)[-1].startswith("[segue] the log is full")
    assert worst < 5, f"the event loop stood still for {worst:.2f} s"


async def ticks() -> float:
    """Return the longest time that the event loop stood still."""
    worst, last = 0.0, time.monotonic()
    try:
        while True:
            await asyncio.sleep(0.01)
            worst, last = max(worst, time.monotonic() - last), time.monotonic()
    except asyncio.CancelledError:
        return worst


async def stopped(task: asyncio.Task[float]) -> float:
    task.cancel()
    return await task


async def test_line_comes_through_while_the_step_still_runs(steps: Steps) -> None:
    running, attempt = steps.start(
        "shell",
        action={"script": 'echo early; until [ -e "$GO" ]; do sleep 0.05; done'},
        env={"GO": str(steps.folder / "go")},
    )
    task = asyncio.ensure_future(attempt)
    async with asyncio.timeout(10):
        while not steps.log("runs/demo-1/s/000.001-00000001"):
            await asyncio.sleep(0.02)
    assert not task.done()
    (steps.folder / "go").touch()
    await task
    assert sys.platform == "linux" or running
