"""The state of a run as one message: small, and as good as the state itself."""

from __future__ import annotations

import json

import pytest

from tests.workflows.driving import Drive, step
from workflows import snapshot
from workflows.core import advance
from workflows.exchange import Continued, Place, RunStarted, StepSucceeded
from workflows.messages import RunRequest, StepError, StepResult
from workflows.plan import Edge, Map, Plan, Retry, Step
from workflows.snapshot import SnapshotTooLarge, restore
from workflows.state import begin


def test_errors_are_carried_whole_while_there_is_room_and_then_in_short() -> None:
    run = Drive(step("a"), step("b"), step("c"), step("late", kind="wait", action={"for": 60.0}))
    for key, size in (("a", 1_000), ("b", 300_000), ("c", 1_000)):
        run.fail(key, message=key * size)
    run.begin_anew()
    assert [len(error.message) for error in run.state.errors.values()] == [1_000, 300, 300]
    run.ring("late")
    assert run.end is not None
    assert run.end.error is not None
    assert len(run.end.error.message) > 1_000


def test_what_a_held_step_knows_of_itself_is_carried_over() -> None:
    run = Drive(step("a"), on_failure="hold")
    run.fail("a", "ExitCode", "it broke")
    run.begin_anew()
    run.release("a", "fail")
    assert run.last("a").error == StepError("ExitCode", "it broke")


def test_the_next_attempt_of_a_child_comes_when_it_was_to_come() -> None:
    run = Drive(step("a", kind="workflow", action={"workflow": "other"}, retry=Retry(3, delay=60.0)), max_parallel=1)
    run.child_ends("a", error=StepError("Boom", "it broke"))
    run.now += 20
    run.begin_anew()
    assert run.state.flying == 1
    assert run.timers["a"][1] == pytest.approx(39.0, abs=2)
    run.ring("a")
    assert run.children["a"].run == "demo-1.a-2"
    run.child_ends("a", 5)
    assert run.end is not None
    assert run.end.state == "succeeded"


def test_the_snapshot_of_ten_thousand_steps_is_smaller_than_300_kilobytes() -> None:
    width, depth = 100, 100
    steps = [
        Step(f"s{row}-{column}", "noop", needs=tuple(Edge(f"s{row - 1}-{column}") for _ in range(min(row, 1))))
        for row in range(depth)
        for column in range(width)
    ]
    request = RunRequest("wide", 1, plan=Plan("wide", tuple(steps), max_parallel=1_000).to_json())
    state, commands = advance(begin("wide-1", request), RunStarted(0.0))
    reference = {"$segue": "json", "key": "runs/wide-1/step/000.001-0123abcd/output.json", "size": 70_000}
    reference["sha256"] = "0" * 64
    for number in range(width * depth // 2):
        result = StepResult(reference, reference)
        state, commands = advance(state, StepSucceeded(0.0, Place(number, None, 0), result))
    document = snapshot.snapshot(state)
    assert len(json.dumps(document)) < 300_000
    assert document["states"].count("s") == width * depth // 2
    again = restore("wide-1", request, document)
    state, commands = advance(again, Continued(1.0))
    started = [each.task.key for each in commands if hasattr(each, "task")]
    assert started == [f"s{depth // 2}-{column}" for column in range(width)]


def test_outputs_that_are_still_read_and_do_not_fit_are_refused() -> None:
    many = [step(f"s{number}") for number in range(120)]
    run = Drive(*many, step("last", [each.id for each in many]))
    for each in many:
        run.succeed(each.id, "x" * 16_000)
    with pytest.raises(SnapshotTooLarge, match="at most 1,500,000 can be carried over"):
        run.carried_over()


def test_what_nobody_reads_any_more_is_left_out() -> None:
    run = Drive(
        step("a"), step("b", "a"), step("c", "b"), step("f", phase="finally", inputs={"x": "${{ steps.a.output }}"})
    )
    run.succeed("a", 1)
    run.succeed("b", 2)
    assert snapshot.snapshot(run.state)["outputs"] == [[0, 1], [1, 2]]
    run = Drive(step("a"), step("b", "a"), step("c", "b"))
    run.succeed("a", 1)
    run.succeed("b", 2)
    assert snapshot.snapshot(run.state)["outputs"] == [[1, 2]]


def test_a_step_in_flight_waits_again_in_its_next_generation() -> None:
    run = Drive(step("a"), step("m", map=Map([1, 2, 3], limit=2)))
    run.carried_over()
    run.send(Continued(run.now))
    assert run.task("a").generation == 1
    assert [run.task(key).generation for key in ("m[0]", "m[1]")] == [1, 1]
    for key in ("a", "m[0]", "m[1]", "m[2]"):
        run.succeed(key, 5)
    assert run.end is not None
    assert run.end.state == "succeeded"


def test_a_snapshot_of_another_plan_or_of_a_newer_format_is_refused() -> None:
    run = Drive(step("a"))
    document = snapshot.snapshot(run.state)
    with pytest.raises(ValueError, match="the snapshot has 1 steps, but the plan has 2"):
        restore("demo-1", Drive(step("a"), step("b")).request, document)
    with pytest.raises(ValueError, match="upgrade this worker"):
        restore("demo-1", run.request, {**document, "format": 2})


def test_of_the_events_that_were_heard_the_latest_that_fit_are_carried_over() -> None:
    run = Drive(step("a"), step("w", "a", kind="wait", action={"event": {"name": "n8"}}))
    for number in range(10):
        run.hear(f"n{number}", "x" * 60_000, event=f"e{number}")
    run.carried_over()
    assert [message.name for message in run.state.heard] == ["n6", "n7", "n8", "n9"]
