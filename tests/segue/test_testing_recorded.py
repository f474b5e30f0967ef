"""Recorded real runs as mocks: `segue record`, `recorded`, and what they put right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from segue.testing import MockError, fails, recorded, run
from segue.testing.recordings import UNWORKED
from tests.segue.conftest import Bench
from tests.waiting import until
from workflows.plan import INTERPRETER_KINDS

DEFINITION = """\
segue: 1
name: flow
params: {grid: {type: array, default: [1]}}
defaults: {retry: {attempts: 4, delay: 1s, backoff: 1}}
steps:
  prepare: {python: "m:f"}
  train: {needs: prepare, map: {over: "${{ params.grid }}", as: n}, python: "m:g", with: {n: "${{ n }}"}}
  judge: {needs: {train: "${{ output[0] > 0 }}"}, run: "true"}
"""


def step(key: str, output: Any, *attempts: tuple[float, str | None], state: str = "succeeded") -> dict[str, Any]:
    """Return a step of a recording: `attempts` are seconds and the type of the error."""
    tries = [
        {
            "state": "failed" if error else "succeeded",
            "seconds": seconds,
            "error": {"type": error, "message": "as it was", "detail": {}} if error else None,
        }
        for seconds, error in attempts
    ]
    return {"key": key, "kind": "python", "state": state, "reason": "", "output": output, "attempts": tries}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    steps = [
        step("prepare", 1, (2.0, "ConnectionError"), (0.0, "WorkerLost"), (3.0, None)),
        step("train", None),
        step("train[0]", 10, (60.0, None)),
        step("train[1]", None, (5.0, "ValueError"), state="failed"),
        step("judge", None, state="skipped"),
    ]
    head = {"segue_recording": 1, "run": "flow-1", "workflow": "flow", "version": 3, "state": "failed", "reason": ""}
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**head, "params": {"grid": [1, 2]}, "output": None, "steps": steps}))
    return path


def test_steps_do_again_what_they_did(recording: Path) -> None:
    result = run(DEFINITION, steps=recorded(recording))
    assert result.params == {"grid": [1, 2]}, "the params of the real run"
    prepare = result.steps["prepare"]
    assert [each.error and each.error.type for each in prepare.attempts] == ["ConnectionError", "WorkerLost", None]
    assert prepare.duration is not None
    assert prepare.duration.total_seconds() == 2 + 1 + 10 + 1 + 3
    assert result.steps["train[0]"].output == 10
    assert result.steps["train[1]"].state == "failed"
    assert len(result.steps["train[1]"].attempts) == 1, "it was not tried again, so neither is it here"
    assert result.states == {"prepare": "succeeded", "train": "failed", "judge": "upstream_failed"}


def test_mocks_can_be_put_in_the_place_of_recorded_steps(recording: Path) -> None:
    mended = recorded(recording) | {"train[1]": 20, "judge": {"ok": True}}
    assert run(DEFINITION, steps=mended).states == {"prepare": "succeeded", "train": "succeeded", "judge": "succeeded"}
    whole = recorded(recording) | {"train": fails("Boom")}
    assert run(DEFINITION, steps=whole).steps["train[0]"].state == "failed"
    assert run(DEFINITION, steps=whole, params={"grid": []}, unmocked="succeed").steps["train"].output == []


def test_a_step_that_did_not_run_then_has_no_mock_now(recording: Path) -> None:
    with pytest.raises(MockError, match="step judge"):
        run(DEFINITION, steps=recorded(recording) | {"train": 5})
    with pytest.raises(MockError, match=r"step train\[2\]"):
        run(DEFINITION, steps=recorded(recording), params={"grid": [1, 2, 3]})


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MockError, match="cannot be read"):
        recorded(tmp_path / "nothing.json")
    path = tmp_path / "run.json"
    for text in ("no JSON", "[]", "{}", '{"segue_recording": 1}'):
        path.write_text(text)
        with pytest.raises(MockError, match="segue record RUN -o"):
            recorded(path)
    path.write_text('{"segue_recording": 99}')
    with pytest.raises(MockError, match="newer"):
        recorded(path)


def test_a_real_run_is_recorded_and_replayed(bench: Bench, tmp_path: Path) -> None:
    handle = bench.client.run("bench", {"word": "large", "fail": True})
    real = handle.wait(60, check=False)
    path = tmp_path / "run.json"
    ended = bench.segue("record", real.id, "-o", path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{path}: {real.id}, failed, {len(real.steps)} steps and items\n"
    assert bench.segue("record", real.id).json == json.loads(path.read_text())
    result = run(bench.folder / "bench.yaml", steps=recorded(path))
    assert result.params == real.params
    for step in real.steps:
        again = result.steps[step.key]
        assert (again.state, again.reason) == (step.state, step.reason)
        assert again.output == step.output or step.output is None
    assert result.steps["large"].output["$segue"] == "json", "a large output is kept as its reference"
    assert len(result.steps["judge"].attempts) == 2
    assert (result.state, result.reason) == (real.state, real.reason)


MET = """\
segue: 1
name: met
params: {bad: {type: boolean, default: false}}
steps:
  pause: {wait: {for: 10ms}}
  call: {needs: pause, workflow: bench, with: {count: 1, fail: "${{ params.bad }}"}}
  ask: {needs: call, trigger_rule: all_done, approve: {form: {share: {type: integer, default: 10}}}}
  tell: {needs: {ask: "${{ output.approved }}"}, uses: noop}
output: {share: "${{ steps.ask.output.share }}"}
"""


@pytest.mark.parametrize("bad", [False, True])
def test_what_no_worker_runs_is_recorded_too(bench: Bench, tmp_path: Path, bad: bool) -> None:
    (tmp_path / "met.yaml").write_text(MET)
    bench.client.deploy(tmp_path / "met.yaml")
    handle = bench.client.run("met", {"bad": bad})
    until(lambda: any(each.key == "ask" and each.state == "running" for each in handle.get().steps))
    bench.client.answer(handle.id, "ask", True, {"share": 25}, "fine")
    real = handle.wait(60)
    assert bench.segue("record", real.id, "-o", tmp_path / "run.json").code == 0
    result = run(tmp_path / "met.yaml", steps=recorded(tmp_path / "run.json") | {"tell": None})
    assert result.states == {"pause": "succeeded", "call": "failed" if bad else "succeeded"} | dict.fromkeys(
        ["ask", "tell"], "succeeded"
    )
    for step in real.steps:
        assert result.steps[step.key].output == step.output
    assert result.output == real.output == {"share": 25}


def test_a_run_that_goes_on_is_not_recorded(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    handle = bench.client.run("bench", {"wait": str(gate)})
    ended = bench.segue("record", handle.id, "-o", tmp_path / "run.json")
    assert ended.code == 1
    assert "Record it when it has ended" in ended.err
    gate.touch()
    handle.wait(60)


def test_the_kinds_that_no_worker_runs_are_those_of_the_plan() -> None:
    assert set(UNWORKED) == INTERPRETER_KINDS
