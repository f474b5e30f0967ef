"""Going on after the end: what is decided anew, what is kept, and under which numbers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.driving import Drive, step
from workflows.exchange import Continued, Retried, RoomChanged
from workflows.messages import Operation, StepError
from workflows.plan import Map, Step


def failed_chain(*more: Step, **fields: Any) -> Drive:
    run = Drive(step("a"), step("b", "a", **fields), step("c", "b"), *more)
    run.succeed("a", 5)
    run.fail("b")
    return run


def test_a_failed_step_is_tried_again_and_what_has_succeeded_is_kept() -> None:
    run = failed_chain(inputs={"x": "${{ steps.a.output }}"})
    assert run.end is not None
    assert run.states == {"a": "succeeded", "b": "failed", "c": "upstream_failed"}
    last = run.transitions[-1].seq
    run.retry()
    assert run.started == ["a", "b", "b"]
    assert (run.task("b").generation, run.task("b").inputs) == (1, {"x": 5})
    assert [each.seq for each in run.transitions] == list(range(1, len(run.transitions) + 1))
    first = run.transitions[last]
    assert (first.key, first.state) == ("", "running")
    assert first.reason == "ada had it go on; decided anew: b, c; kept: 1 that succeeded"
    assert first.detail["operation"]["by"] == "ada"
    run.succeed("b")
    run.succeed("c")
    assert run.end.state == "succeeded"


def test_what_was_skipped_because_of_a_failure_is_decided_anew_and_the_rest_is_not() -> None:
    run = Drive(
        step("a"),
        step("off", condition="false"),
        step("after_off", "off"),
        step("alarm", "a", trigger_rule="one_failed"),
        step("quiet", "a", trigger_rule="all_failed", condition="false"),
        step("none", "quiet"),
    )
    run.fail("a")
    run.succeed("alarm")
    assert run.states == dict.fromkeys(["off", "after_off", "quiet", "none"], "skipped") | {
        "a": "failed",
        "alarm": "succeeded",
    }
    run.retry()
    again = [each.key for each in run.transitions if each.detail.get("again") and each.key]
    assert again == ["a", "quiet", "none"]
    run.succeed("a")
    assert run.states["alarm"] == "succeeded"
    assert run.started.count("alarm") == 1


def test_a_run_that_has_ended_goes_on_also_where_its_room_is_said_first() -> None:
    run = failed_chain()
    run.carried_over()
    run.end = None
    assert run.send(RoomChanged(run.now, 3)) == []
    run.send(Retried(run.now, Operation("o1", "retry", "ada")))
    assert run.flying


def test_only_the_named_failures_are_tried_again() -> None:
    run = Drive(step("a"), step("b"), step("after_a", "a"), step("after_b", "b"))
    run.fail("a")
    run.fail("b")
    run.retry("b")
    assert list(run.flying) == ["b"]
    run.succeed("b")
    run.succeed("after_b")
    assert run.end is not None
    assert run.end.state == "failed"
    assert run.end.error is not None
    assert run.end.error.detail["step"] == "a"


def test_the_failed_items_of_a_map_are_tried_again_and_the_others_kept() -> None:
    run = Drive(step("m", map=Map([10, 20, 30])), step("sum", "m", inputs={"x": "${{ steps.m.output }}"}))
    run.succeed("m[0]", 1)
    run.fail("m[1]")
    run.succeed("m[2]", 3)
    run.retry()
    assert list(run.flying) == ["m[1]"]
    assert (run.task("m[1]").generation, run.task("m[1]").item) == (1, 20)
    run.succeed("m[1]", 2)
    assert run.task("sum").inputs == {"x": [1, 2, 3]}


def test_a_map_whose_needs_are_decided_anew_begins_anew_under_further_generations() -> None:
    run = Drive(
        step("ok", inputs={}),
        step("bad"),
        step("m", "ok bad", trigger_rule="all_done", map=Map("${{ steps.ok.output }}")),
    )
    run.succeed("ok", [1, 2])
    run.fail("bad")
    run.lose("m[0]")
    run.fail("m[0]")
    run.succeed("m[1]")
    run.retry()
    run.succeed("bad")
    assert [run.task(key).generation for key in ("m[0]", "m[1]")] == [2, 2]
    run.succeed("m[0]")
    run.succeed("m[1]")
    assert run.end is not None
    assert run.end.state == "succeeded"


def test_finally_steps_run_again_at_the_new_end() -> None:
    run = failed_chain(step("clean", phase="finally", inputs={"was": "${{ run.state }}"}))
    assert run.task("clean").inputs == {"was": "failed"}
    run.succeed("clean")
    run.retry()
    assert list(run.flying) == ["b"]
    run.succeed("b")
    run.succeed("c")
    assert (run.task("clean").inputs, run.task("clean").generation) == ({"was": "succeeded"}, 1)
    run.succeed("clean")
    assert run.end is not None
    assert run.end.state == "succeeded"


@pytest.mark.parametrize("read", [False, True])
def test_the_map_of_a_finally_step_runs_again_at_the_new_end_under_numbers_that_were_never_used(read: bool) -> None:
    output = {"out": "${{ steps.clean.output }}"} if read else None
    run = Drive(step("a"), step("clean", phase="finally", map=Map([1, 2])), output=output)
    run.fail("a")
    run.succeed("clean[0]")
    run.lose("clean[1]")
    run.succeed("clean[1]")
    run.retry()
    run.succeed("a")
    assert [run.task(key).generation for key in ("clean[0]", "clean[1]")] == [2, 2]
    run.succeed("clean[0]")
    run.succeed("clean[1]")
    assert run.end is not None
    assert run.end.state == "succeeded"


def test_a_finally_map_that_was_lost_half_way_begins_anew_under_numbers_that_were_never_used() -> None:
    run = Drive(step("a"), step("clean", phase="finally", map=Map([1, 2])))
    run.fail("a")
    run.lose("clean[0]")
    run.fail("clean[0]")
    run.retry()
    run.succeed("a")
    assert run.task("clean[0]").generation == 2


def test_a_failed_finally_step_alone_is_tried_again_when_the_main_part_was_good() -> None:
    run = Drive(step("a"), step("f", phase="finally"), step("g", phase="finally"))
    run.succeed("a")
    run.succeed("f")
    run.fail("g")
    run.retry()
    assert list(run.flying) == ["g"]
    run.succeed("g")
    assert run.end is not None
    assert run.end.state == "succeeded"


def test_a_cancelled_run_goes_on_with_what_was_cancelled() -> None:
    run = Drive(step("a"), step("b", "a"), step("c", "b"), step("m", map=Map([1, 2], limit=1)))
    run.succeed("a")
    run.cancel()
    run.land_cancelled("b")
    run.land_cancelled("m[0]")
    assert run.end is not None
    assert run.end.state == "cancelled"
    run.retry()
    assert set(run.flying) == {"b", "m[0]"}
    for key in ("b", "m[0]", "m[1]", "c"):
        run.succeed(key)
    assert run.end.state == "succeeded"


def test_a_run_that_was_lost_in_the_middle_goes_on_with_what_was_in_flight() -> None:
    run = Drive(step("a"), step("b", "a"), step("m", map=Map([1, 2, 3], limit=2)), step("q", kind="approve"))
    run.succeed("m[0]", 7)
    run.retry()
    assert set(run.flying) == {"a", "m[1]", "m[2]"}
    assert run.task("a").generation == 1
    run.say("q", True)
    for key in ("a", "m[1]", "m[2]", "b"):
        run.succeed(key)
    assert run.end is not None
    assert run.end.state == "succeeded"


def test_the_child_of_a_step_goes_on_where_it_can() -> None:
    run = Drive(step("sub", kind="workflow", action={"workflow": "inner", "version": None}))
    assert run.children["sub"].run == "demo-1.sub"
    run.child_ends("sub", error=StepError("Boom", "it broke"))
    run.retry(executions={"demo-1.sub": "old-execution"})
    child = run.children["sub"]
    assert child.run == "demo-1.sub"
    assert child.again is not None
    assert (child.again.execution, child.again.by) == ("old-execution", "ada")
    assert run.last("sub").reason.startswith("runs inner as demo-1.sub, which goes on")
    run.child_ends("sub", error=StepError("Boom", "it broke again"))
    run.retry()
    assert (run.children["sub"].run, run.children["sub"].again) == ("demo-1.sub.g2", None)


def test_a_child_goes_on_also_when_the_history_began_anew_before_its_turn() -> None:
    call = {"workflow": "inner", "version": None}
    run = Drive(step("bad"), step("clean", phase="finally", kind="workflow", action=call), on_failure="hold")
    run.fail("bad")
    run.release("bad", "fail")
    run.child_ends("clean", error=StepError("Boom", "it broke"))
    run.retry(executions={"demo-1.clean": "old-execution"})
    run.fail("bad")
    run.carried_over()
    run.send(Continued(run.now))
    run.release("bad", "fail")
    child = run.children["clean"]
    assert child.again is not None
    assert (child.run, child.again.execution) == ("demo-1.clean", "old-execution")


def test_a_child_whose_params_may_be_others_begins_anew() -> None:
    call = step("sub", "a", trigger_rule="all_done", kind="workflow", action={"workflow": "inner", "version": None})
    run = Drive(step("a"), call)
    run.fail("a")
    run.child_ends("sub", error=StepError("Boom", "it broke"))
    run.retry(executions={"demo-1.sub": "old-execution"})
    run.succeed("a")
    assert (run.children["sub"].run, run.children["sub"].again) == ("demo-1.sub.g1", None)
