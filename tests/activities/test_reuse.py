"""Outputs that are reused: found, waited for, kept, and never those that do not count."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.common import RetryPolicy

from activities import reuse
from store.cache import Claim, Claims, Computation
from store.objects import ObjectStore, ObjectStoreUnavailable
from tests.activities.conftest import Steps
from tests.waiting import eventually
from workflows.messages import SecretText, StepResult

COUNTING = 'echo run >> "$FILE"; echo "n=$(wc -l < "$FILE")" >> "$SEGUE_OUTPUT"; echo made'


class Counted:
    """A step that says how often it has run, without being told so: the file is the world beyond its inputs."""

    def __init__(self, steps: Steps, folder: Path) -> None:
        self.steps = steps
        self.file = folder / "count"

    async def run(self, run: str, *, script: str = COUNTING, cache: Any = None, **fields: Any) -> StepResult:
        env = {"FILE": str(self.file)} | fields.pop("env", {})
        return await self.steps.shell(script, run=run, env=env, cache={} if cache is None else cache, **fields)

    @property
    def times(self) -> int:
        return len(self.file.read_text().splitlines()) if self.file.exists() else 0


@pytest.fixture
def counted(tmp_path: Path, stored: ObjectStore) -> Counted:
    return Counted(Steps(tmp_path, objects=stored), tmp_path)


@pytest.fixture
def local(steps: Steps, tmp_path: Path) -> Counted:
    return Counted(steps, tmp_path)


def claims(counted: Counted) -> list[tuple[Computation, int, Claim | None]]:
    return [(what, last.number, last.claim) for what, last in Claims(counted.steps.objects).every()]


async def test_the_same_step_of_another_run_is_not_run_again(counted: Counted) -> None:
    first = await counted.run("demo-1")
    second = await counted.run("demo-2")
    assert (first.value, first.reused) == ({"n": "1"}, None)
    assert (second.value, second.output) == (first.value, first.output)
    assert second.reused is not None
    assert (second.reused["run"], second.reused["step"]) == ("demo-1", "s")
    assert (second.reused["folder"], second.reused["at"]) == (first.folder, first.ended_at)
    assert counted.times == 1
    assert counted.steps.log(second.folder) == ["[segue] reused from run demo-1, step s"]
    assert counted.steps.log(first.folder) == ["made"]


async def test_what_is_given_and_what_is_done_makes_the_difference(local: Counted) -> None:
    bundles = [local.steps.bundle({"a.txt": text}) for text in "ab"]
    different: list[dict[str, Any]] = [
        {},
        {"env": {"A": 1}},
        {"env": {"A": "1"}, "inputs": {"x": [{"y": None}]}},
        {"script": COUNTING + "\n"},
        {"bundle": bundles[0]},
        {"bundle": bundles[1]},
        {"output": {"n": {"schema": {"type": "integer"}}}},
        {"artifacts": ["a.txt"], "bundle": bundles[0]},
        {"step": "other"},
        {"workflow": "other"},
        {"info": {"task_queue": "gpu"}},
    ]
    for fields in different:
        await local.run("demo-1", **fields)
    assert local.times == len(different)
    for fields in different:
        await local.run("demo-2", **fields)
    assert local.times == len(different)
    same = {"key": "s[3]", "version": 9, "item": 5, "generation": 2, "timeout": 5.0, "cache": {"ttl": 60.0}}
    assert (await local.run("demo-3", **same)).reused is not None


async def test_a_file_counts_by_what_is_in_it(local: Counted) -> None:
    made = [
        await local.steps.python(f"def f(): open('m', 'w').write({text!r}); return __import__('pathlib').Path('m')")
        for text in ("one", "one", "two")
    ]
    assert made[0].value["key"] != made[1].value["key"]
    for each in made:
        await local.run("demo-1", env={"MODEL": each.value})
    assert local.times == 2


async def test_code_is_no_part_of_a_step_that_runs_none(local: Counted) -> None:
    statement = {"url": f"sqlite:///{local.file.parent}/x.db", "sql": "SELECT 1 AS n"}
    for text in "ab":
        bundle = local.steps.bundle({"a.py": text})
        result = await local.steps.run("sql", inputs=statement, run=f"demo-{text}", bundle=bundle, cache={})
    assert result.reused is not None


async def test_an_output_is_reused_up_to_its_age(local: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    await local.run("demo-1")
    [(what, number, claim)] = claims(local)
    assert claim is not None
    Claims(local.steps.objects).write(what, number, replace(claim, at=claim.at - 3600))
    assert (await local.run("demo-2", cache={"ttl": 3700.0})).reused is not None
    assert (await local.run("demo-3", cache={"ttl": 3500.0})).value == {"n": "2"}
    again = await local.run("demo-4")
    assert again.value == {"n": "2"}, "the newer one has taken its place"
    assert [number for _, number, _ in claims(local)] == [2]


async def test_a_failure_is_not_kept(counted: Counted) -> None:
    script = COUNTING + '; test "$(wc -l < "$FILE")" -gt 1'
    await counted.steps.failure(counted.run("demo-1", script=script))
    [(_, _, claim)] = claims(counted)
    assert claim is not None
    assert claim.state == "failed"
    assert (await counted.run("demo-2", script=script)).value == {"n": "2"}
    assert (await counted.run("demo-3", script=script)).value == {"n": "2"}


async def test_an_output_that_is_not_what_is_declared_is_not_kept(local: Counted) -> None:
    output = {"n": {"schema": {"type": "integer", "minimum": 2}}}
    await local.steps.failure(local.run("demo-1", output=output))
    assert (await local.run("demo-2", output=output)).value == {"n": 2}


async def test_an_output_whose_objects_are_gone_is_made_again(local: Counted) -> None:
    first = await local.run("demo-1")
    assert first.output is not None
    local.steps.objects.delete(first.output["key"])
    assert (await local.run("demo-2")).value == {"n": "2"}


async def test_a_step_that_reads_a_secret_is_never_reused(local: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_SECRET_TOKEN", "s3cret")
    secret = {"at": ["env", "TOKEN"], "parts": [{"secret": "TOKEN"}]}
    for run in ("demo-1", "demo-2"):
        await local.run(run, env={"TOKEN": None}, secrets=[SecretText(**secret)])
    assert local.times == 2
    assert claims(local) == []


GATED = COUNTING + '; while [ ! -e "$FILE.gate" ]; do sleep 0.02; done; test ! -e "$FILE.fail"'


async def waiting(counted: Counted, *attempts: Any) -> list[asyncio.Task[StepResult]]:
    """Start attempts, the first one first, and return once all others wait for it."""
    tasks = []
    for number, attempt in enumerate(attempts):
        tasks.append(asyncio.create_task(attempt))
        if number == 0:
            await eventually(lambda: counted.times == 1)
    said = "[segue] waits for run demo-1, step s, which computes the same"

    def all_wait() -> bool:
        objects = counted.steps.objects
        texts = [objects.get(info.key).decode() for info in objects.list("runs/") if info.key.endswith(".ndjson")]
        return sum(text.count(said) for text in texts) == len(attempts) - 1

    await eventually(lambda: asyncio.to_thread(all_wait))
    return tasks


async def test_what_is_being_computed_is_waited_for(counted: Counted) -> None:
    runs = [counted.run(f"demo-{number}", script=GATED) for number in range(1, 5)]
    tasks = await waiting(counted, *runs)
    counted.file.with_name("count.gate").touch()
    results = await asyncio.gather(*tasks)
    assert counted.times == 1
    assert [result.value for result in results] == [{"n": "1"}] * 4
    assert [(result.reused or {}).get("run") for result in results] == [None, "demo-1", "demo-1", "demo-1"]


async def test_when_the_first_fails_all_that_wait_compute_at_once(counted: Counted) -> None:
    script = GATED.replace('; test ! -e "$FILE.fail"', '; test "$SEGUE_RUN_ID" != demo-1')
    tasks = await waiting(counted, *(counted.run(f"demo-{number}", script=script) for number in range(1, 5)))
    counted.file.with_name("count.gate").touch()
    await counted.steps.failure(tasks[0])
    results = await asyncio.gather(*tasks[1:])
    # The last ones may find what the quickest of them has just kept.
    assert 2 <= counted.times <= 4
    assert all(result.reused is None or result.reused["run"] != "demo-1" for result in results)
    after = await counted.run("demo-9", script=script)
    assert after.reused is not None


async def test_who_is_cancelled_keeps_nobody_waiting(counted: Counted) -> None:
    script = GATED
    env = {"FILE": str(counted.file)}
    running, first = counted.steps.start("shell", action={"script": script}, run="demo-1", env=env, cache={})
    tasks = await waiting(counted, first, counted.run("demo-2", script=script))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    counted.file.with_name("count.gate").touch()
    assert (await tasks[1]).value == {"n": "2"}


async def test_who_waits_can_be_cancelled(local: Counted) -> None:
    env = {"FILE": str(local.file)}
    running, second = local.steps.start("shell", action={"script": GATED}, run="demo-2", env=env, cache={})
    tasks = await waiting(local, local.run("demo-1", script=GATED), second)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    local.file.with_name("count.gate").touch()
    assert (await tasks[0]).value == {"n": "1"}
    assert (await local.run("demo-3", script=GATED)).reused is not None


async def test_who_waits_does_so_within_its_time(local: Counted) -> None:
    info = {"start_to_close_timeout": timedelta(seconds=0.5)}
    [first] = await waiting(local, local.run("demo-1", script=GATED))
    failure = await local.steps.failure(local.run("demo-2", script=GATED, info=info))
    assert failure.type == "Timeout"
    assert local.times == 1
    local.file.with_name("count.gate").touch()
    await first


async def lost(counted: Counted, run: str = "demo-1") -> tuple[Computation, Claim]:
    """Leave the claim of a worker that was killed while it ran the step."""
    await counted.run("before")
    [(what, number, claim)] = claims(counted)
    assert claim is not None
    store = Claims(counted.steps.objects)
    left = Claim("computing", run, "s", "000.001-dead0000", f"runs/{run}/s/000.001-dead0000", beat=3)
    assert store.make(what, number + 1, left)
    return what, left


async def test_who_dies_is_not_waited_for_for_ever(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    what, left = await lost(counted)
    monkeypatch.setattr(reuse, "SILENCE_SECONDS", 0.3)
    result = await counted.run("demo-2")
    assert result.value == {"n": "2"}
    assert counted.steps.log(result.folder) == [
        "[segue] waits for run demo-1, step s, which computes the same",
        "[segue] run demo-1, step s has been silent for 0.3 s, and is waited for no longer",
        "made",
    ]
    Claims(counted.steps.objects).write(what, 2, replace(left, state="done", value={"n": "zombie"}))
    assert (await counted.run("demo-3")).value == {"n": "2"}, "a worker that was only slow is too late"


async def test_the_next_attempt_of_a_step_waits_for_none_of_its_own(counted: Counted) -> None:
    what, left = await lost(counted)
    info = {"attempt": 2, "retry_policy": RetryPolicy(maximum_attempts=3)}
    result = await counted.run("demo-1", info=info)
    assert (result.value, result.reused) == ({"n": "2"}, None)
    Claims(counted.steps.objects).write(what, 2, replace(left, state="done", value={"n": "zombie"}))
    assert (await counted.run("demo-3")).value == {"n": "2"}


async def test_an_output_that_was_kept_before_its_worker_died_is_the_next_attempts(local: Counted) -> None:
    first = await local.run("demo-1")
    info = {"attempt": 2, "retry_policy": RetryPolicy(maximum_attempts=3)}
    again = await local.run("demo-1", info=info)
    assert again.value == first.value
    assert again.reused is not None
    assert again.reused["folder"] == first.folder
    assert local.times == 1


async def test_a_long_computation_says_that_it_lives(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "BEAT_SECONDS", 0.05)
    task = asyncio.create_task(counted.run("demo-1", script=GATED))

    def beats() -> int:
        found = claims(counted)
        return found[0][2].beat if found and found[0][2] is not None else 0

    await eventually(lambda: asyncio.to_thread(lambda: beats() >= 3))
    counted.file.with_name("count.gate").touch()
    await task
    [(_, _, claim)] = claims(counted)
    assert claim is not None
    assert claim.state == "done", "the last word is never that of a beat"


async def test_a_store_that_does_not_answer_costs_the_reuse_and_not_the_step(
    local: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise ObjectStoreUnavailable("s3://x", "no answer")

    for method in ("last", "make", "write"):
        with monkeypatch.context() as patch:
            patch.setattr(Claims, method, refuse)
            assert (await local.run(f"demo-{method}", env={"M": method})).reused is None
    assert local.times == 3


async def test_cleared_outputs_are_made_again_also_those_in_the_making(local: Counted) -> None:
    tasks = await waiting(local, local.run("demo-1", script=GATED), local.run("demo-2", script=GATED))
    assert await asyncio.to_thread(Claims(local.steps.objects).clear, "demo") == 0
    local.file.with_name("count.gate").touch()
    results = await asyncio.gather(*tasks)
    assert [result.reused for result in results] == [None, None]
    after = await local.run("demo-3", script=GATED)
    assert after.reused is not None
    assert after.reused["run"] == "demo-2", "what the first computed was cleared before it was there"
