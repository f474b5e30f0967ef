"""Checkpoints: what one attempt saves, the next begins with."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.common import RetryPolicy

from activities import checkpoints
from activities.checkpoints import take_files
from segue import checkpoints as client
from store.objects import ObjectStoreUnavailable
from tests.activities.conftest import Steps
from tests.waiting import eventually
from workflows.messages import StepResult

COUNTS = """
import segue
def f(until, die=False):
    state = segue.checkpoint.load({"n": 0})
    folder = segue.checkpoint.folder()
    seen = {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}
    for n in range(state["n"] + 1, until + 1):
        (folder / "model").mkdir(exist_ok=True)
        (folder / "model" / "weights").write_text(f"weights {n}")
        assert segue.checkpoint.save({"n": n})
    if die:
        raise SystemExit(7)
    return {"began": state["n"], "seen": seen}
"""


async def count(steps: Steps, attempt: int, **inputs: Any) -> StepResult:
    return await steps.python(COUNTS, inputs=inputs, info={"attempt": attempt})


async def test_an_attempt_goes_on_from_what_the_one_before_saved(steps: Steps) -> None:
    await steps.failure(count(steps, 1, until=3, die=True))
    result = await count(steps, 2, until=5)
    assert result.value == {"began": 3, "seen": {"model/weights": "weights 3"}}
    [said] = [line for line in steps.log(result.folder) if "restored" in line]
    assert said.startswith("[segue] restored the checkpoint of attempt 000.001-")


async def test_the_first_attempt_finds_nothing(steps: Steps) -> None:
    assert (await count(steps, 1, until=1)).value == {"began": 0, "seen": {}}


async def test_an_attempt_that_saved_nothing_hands_on_what_it_found(steps: Steps) -> None:
    await steps.failure(count(steps, 1, until=2, die=True))
    await steps.failure(count(steps, 2, until=0, die=True))
    assert (await count(steps, 3, until=2)).value["began"] == 2


async def test_a_retry_in_place_goes_on_too(steps: Steps) -> None:
    await steps.failure(count(steps, 2, until=2, die=True))
    once = RetryPolicy(maximum_attempts=2)
    result = await steps.python(COUNTS, inputs={"until": 2}, generation=1, info={"attempt": 1, "retry_policy": once})
    assert (result.attempt, result.value["began"]) == (3, 2)


async def test_one_checkpoint_is_kept_whatever_was_saved(steps: Steps) -> None:
    await steps.failure(count(steps, 1, until=3, die=True))
    await count(steps, 2, until=5)
    kept = [info.key for info in steps.objects.list("runs/demo-1/s/") if "/checkpoints/" in info.key]
    assert sorted(key.rsplit("/checkpoints/")[1] for key in kept) == ["000002.json", "000002/0"]
    assert all("/000.002-" in key for key in kept)


async def test_an_older_attempt_that_is_still_alive_changes_nothing_for_a_newer_one(steps: Steps) -> None:
    script = (
        'echo "older $1" > "$SEGUE_CHECKPOINT/state"; echo ::checkpoint::; '
        'while [ ! -e {go} ]; do sleep 0.02; done; echo late > "$SEGUE_CHECKPOINT/state"; echo ::checkpoint::'
    )
    go = steps.folder / "go"
    _, attempt = steps.start("shell", action={"script": script.format(go=go)}, info={"attempt": 1})
    running = asyncio.create_task(attempt)
    await eventually(lambda: any("/checkpoints/" in info.key for info in steps.objects.list("runs/")))
    newer = await steps.shell('echo newer > "$SEGUE_CHECKPOINT/state"; echo ::checkpoint::', info={"attempt": 2})
    go.touch()
    await running
    assert newer.attempt == 2
    third = await steps.shell('echo "state=$(cat "$SEGUE_CHECKPOINT/state")" >> "$SEGUE_OUTPUT"', info={"attempt": 3})
    assert third.value == {"state": "newer"}


async def test_a_shell_step_finds_the_files_that_it_saved(steps: Steps) -> None:
    await steps.failure(
        steps.shell('mkdir "$SEGUE_CHECKPOINT/a"; echo 41 > "$SEGUE_CHECKPOINT/a/n"; echo ::checkpoint::; exit 1')
    )
    result = await steps.shell(
        'echo "n=$(( $(cat "$SEGUE_CHECKPOINT/a/n") + 1 ))" >> "$SEGUE_OUTPUT"', info={"attempt": 2}
    )
    assert result.value == {"n": "42"}


async def test_a_damaged_checkpoint_is_said_and_not_used(steps: Steps) -> None:
    await steps.failure(count(steps, 1, until=2, die=True))
    [weights] = [
        info.key for info in steps.objects.list("runs/demo-1/s/") if info.key.endswith("/checkpoints/000002/0")
    ]
    steps.objects.put(weights, b"something else")
    result = await count(steps, 2, until=1)
    assert result.value == {"began": 0, "seen": {}}
    [said] = [line for line in steps.log(result.folder) if "cannot be restored" in line]
    assert said.endswith("the step begins without: model/weights is not as it was written")


async def test_a_checkpoint_that_cannot_be_kept_does_not_fail_the_step(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("activities.checkpoints.take_files", refuse)
    result = await steps.python("import segue\ndef f(): return segue.checkpoint.save(1)")
    assert result.value is False
    assert "[segue] the checkpoint is not kept: the disk is full" in steps.log(result.folder)


async def test_links_in_the_folder_are_never_followed(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    await steps.failure(
        steps.shell(
            f'cd "$SEGUE_CHECKPOINT"; ln -s {tmp_path}/secret/key a; ln -s {tmp_path}/secret b; echo fine > c\n'
            "echo ::checkpoint::; exit 1"
        )
    )
    result = await steps.shell('echo "found=$(ls "$SEGUE_CHECKPOINT")" >> "$SEGUE_OUTPUT"', info={"attempt": 2})
    assert result.value == {"found": "c"}


def test_files_are_taken_as_they_are_at_that_moment(tmp_path: Path) -> None:
    folder, into = tmp_path / "from", tmp_path / "into"
    (folder / "sub").mkdir(parents=True)
    into.mkdir()
    (folder / "sub" / "a").write_text("old")
    assert take_files(folder, into) == ["sub/a"]
    (folder / "sub" / "new").write_text("new")
    (folder / "sub" / "new").rename(folder / "sub" / "a")
    assert (into / "sub" / "a").read_text() == "old"


def test_outside_of_a_step_nothing_is_kept_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEGUE_REPORT", "SEGUE_CHECKPOINT"):
        monkeypatch.delenv(name, raising=False)
    made = client.Checkpoint()
    assert made.load({"n": 0}) == {"n": 0}
    assert made.save({"n": 1}) is False
    assert made.folder().is_dir()


def test_a_value_that_is_not_json_or_too_large_is_refused_at_once() -> None:
    made = client.Checkpoint()
    with pytest.raises(TypeError, match="not JSON serializable"):
        made.save(object())
    with pytest.raises(ValueError, match="write it to a file in folder"):
        made.save("x" * client.MAX_VALUE_BYTES)


async def test_a_store_that_is_away_for_a_moment_costs_no_checkpoint(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.checkpoints.STORE_RETRY_SECONDS", 0.01)
    await steps.failure(count(steps, 1, until=3, die=True))
    failures = [ObjectStoreUnavailable("here", "it is away")]
    read = checkpoints.read_into

    def away_once(*args: Any) -> None:
        read(*args)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(checkpoints, "read_into", away_once)
    assert (await count(steps, 2, until=3)).value["began"] == 3


async def test_a_checkpoint_that_this_machine_cannot_take_fails_the_attempt(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    await steps.failure(count(steps, 1, until=3, die=True))

    def full(*args: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(checkpoints, "read_into", full)
    failure = await steps.failure(count(steps, 2, until=3))
    assert (failure.type, failure.non_retryable) == ("CheckpointFailed", False)
    monkeypatch.undo()
    assert (await count(steps, 3, until=3)).value["began"] == 3
