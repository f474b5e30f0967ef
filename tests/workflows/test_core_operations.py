"""What people do to runs that go on: what becomes of it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.driving import Drive, step
from workflows.messages import Operation, StepError
from workflows.operations import MAX_OPERATIONS, refusal
from workflows.plan import Map, Retry, Timeout

CALL: dict[str, Any] = {"kind": "workflow", "action": {"workflow": "inner", "version": None}}


def refused(run: Drive, kind: Any, *steps: str, **fields: Any) -> str:
    """Return the refusal of an operation, which must then change nothing."""
    problem = refusal(run.state, Operation("new", kind, "ada", steps=list(steps), **fields))
    before = len(run.transitions)
    assert run.operate(kind, *steps, **fields) == [] or not problem
    if problem:
        assert len(run.transitions) == before
    return problem


# Pause.


def test_a_paused_run_starts_nothing_and_goes_on_where_it_was() -> None:
    run = Drive(step("a"), step("b", "a"), step("m", map=Map([1, 2, 3], limit=1)), step("q", "a", kind="approve"))
    run.operate("pause", why="the disk is full")
    assert (run.last("").state, run.last("").reason) == ("paused", "ada paused the run: the disk is full")
    assert run.last("").detail["operation"]["why"] == "the disk is full"
    run.succeed("a")
    run.succeed("m[0]")
    assert run.flying == {}
    assert run.states == {"a": "succeeded", "b": "waiting", "m": "running", "q": "waiting"}
    run.operate("resume")
    assert run.last("").state == "running"
    assert set(run.flying) == {"b", "m[1]"}
    assert run.states["q"] == "running"


def test_a_paused_run_waits_on_and_can_be_cancelled_with_its_finally_steps() -> None:
    run = Drive(step("w", kind="wait", action={"for": 60.0}), step("b", "w"), step("a"), step("clean", phase="finally"))
    run.operate("pause")
    run.ring("w")
    assert run.states["w"] == "succeeded"
    run.cancel()
    assert run.last("b").state == "cancelled"
    run.land_cancelled("a")
    run.succeed("clean")
    assert run.end is not None
    assert run.end.state == "cancelled"


def test_a_pause_outlives_the_execution() -> None:
    run = Drive(step("a"), step("b", "a"))
    run.operate("pause")
    run.succeed("a")
    run.carried_over()
    run.operate("resume")
    assert list(run.flying) == []


def test_pausing_twice_is_pausing_once() -> None:
    run = Drive(step("a"))
    run.operate("pause")
    before = len(run.transitions)
    run.operate("pause")
    assert len(run.transitions) == before
    assert refused(Drive(step("a")), "resume") == "The run is not paused."
    run.cancel()
    assert refused(run, "pause") == "The run is being stopped."


def test_the_same_operation_twice_is_done_once() -> None:
    run = Drive(step("a"))
    run.operate("pause")
    run.operate("resume")
    run.operations = 0
    run.operate("pause")
    assert run.state.paused is None
    for number in range(MAX_OPERATIONS + 5):
        run.operations = 10 + number
        run.operate("pause")
    assert len(run.state.operations) == MAX_OPERATIONS


# Skip and mark.


@pytest.mark.parametrize("where", ["waiting", "queued", "held", "own", "child", "resting"])
def test_a_step_is_skipped_wherever_it_is(where: str) -> None:
    fields: dict[str, Any] = {"own": {"kind": "approve"}, "child": CALL, "resting": {**CALL, "retry": Retry(2)}}.get(
        where, {}
    )
    run = Drive(step("a"), step("x", "a", **fields), step("y", "x"), on_failure="hold")
    if where != "waiting":
        run.succeed("a")
    if where == "held":
        run.fail("x")
    if where == "resting":
        run.child_ends("x", error=StepError("Boom", "it broke"))
    run.operate("skip", "x", why="not today")
    told = next(each for each in run.transitions if each.detail.get("operation"))
    assert (told.key, told.detail["operation"]["steps"]) == ("", ["x"])
    if where == "queued":
        assert run.cancelled == ["x"]
        assert run.states["x"] == "queued"
        run.land_cancelled("x")
    if where == "child":
        assert run.cancelled == ["x"]
        run.child_cancelled("x")
    if where == "waiting":
        run.succeed("a")
    assert run.last("x").reason == "ada skipped it: not today"
    assert run.states == {"a": "succeeded", "x": "skipped", "y": "skipped"}
    assert run.end is not None
    assert run.end.state == "succeeded"
    assert run.timers == {}


def test_a_marked_step_has_the_given_output_also_when_its_worker_said_otherwise_meanwhile() -> None:
    for end in ("succeed", "fail", "land_cancelled"):
        run = Drive(step("a"), step("b", "a", inputs={"x": "${{ steps.a.output.n }}"}))
        run.operate("mark", "a", output={"n": 7})
        getattr(run, end)("a")
        assert run.task("b").inputs == {"x": 7}


def test_a_whole_map_is_marked_once_its_items_have_stopped() -> None:
    run = Drive(step("m", map=Map([1, 2, 3], limit=2)), step("b", "m", inputs={"x": "${{ steps.m.output }}"}))
    run.operate("mark", "m", output=[7, 8])
    assert run.cancelled == ["m[0]", "m[1]"]
    run.land_cancelled("m[0]")
    assert run.states["m"] == "running"
    run.land_cancelled("m[1]")
    assert run.task("b").inputs == {"x": [7, 8]}
    assert run.flying.keys() == {"b"}


def test_a_whole_map_of_waits_and_children_is_skipped() -> None:
    for fields in ({"kind": "approve"}, CALL):
        run = Drive(step("m", map=Map([1, 2]), **fields), step("b", "m"))
        run.operate("skip", "m")
        for key in list(run.children):
            run.child_cancelled(key)
        assert run.states == {"m": "skipped", "b": "skipped"}


@pytest.mark.parametrize("how", ["lost", "moved", "child"])
def test_nothing_of_a_map_that_was_skipped_starts_again(how: str) -> None:
    fields: dict[str, Any] = {**CALL, "retry": Retry(2)} if how == "child" else {}
    run = Drive(step("m", map=Map([1]), **fields), step("b", "m", trigger_rule="all_done"))
    if how == "moved":
        run.operate("change", "m", queue="gpu")
    run.operate("skip", "m")
    match how:
        case "lost":
            run.lose("m[0]")
        case "moved":
            run.land_cancelled("m[0]")
        case _:
            run.child_ends("m[0]", error=StepError("Boom", "it broke"))
    assert run.states == {"m": "skipped", "b": "queued"}


def test_items_are_marked_and_skipped_whether_they_run_or_not() -> None:
    run = Drive(step("m", map=Map([1, 2, 3, 4], limit=1)), step("b", "m", inputs={"x": "${{ steps.m.output }}"}))
    run.operate("mark", "m[1]", output=20)
    run.operate("skip", "m[2]")
    run.operate("mark", "m[0]", output=10)
    run.land_cancelled("m[0]")
    assert list(run.flying) == ["m[3]"]
    run.succeed("m[3]", 40)
    assert run.task("b").inputs == {"x": [10, 20, None, 40]}
    assert run.last("m").reason == "3 of 4 items succeeded, 1 skipped"


def test_the_last_item_that_is_skipped_ends_the_map() -> None:
    run = Drive(step("m", map=Map([1, 2], limit=1)))
    run.succeed("m[0]")
    run.operate("skip", "m[1]")
    run.land_cancelled("m[1]")
    assert run.states["m"] == "succeeded"


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("a", "a is succeeded already. To run it again, use `segue rerun RUN --from STEP`."),
        ("none", "The run has no step 'none'."),
        ("b[0]", "The step 'b' is no map: it has no items."),
        ("later[0]", "The items of 'later' are not known before its map begins; name the whole step."),
        ("m[7]", "The step 'm' has 2 items; m[7] is not among them."),
        ("m[0]", "m[0] is succeeded already. To run it again, use `segue rerun RUN --from STEP`."),
        ("[[", "The run has no step '[['."),
    ],
)
def test_what_cannot_be_skipped_is_refused_with_the_way_out(key: str, why: str) -> None:
    run = Drive(step("a"), step("b", "a"), step("m", map=Map([1, 2])), step("later", "b", map=Map([1])))
    run.succeed("a")
    run.succeed("m[0]")
    assert refused(run, "skip", key) == why


def test_what_cannot_be_marked_is_refused_with_the_reason() -> None:
    run = Drive(step("a"), step("m", map=Map([1, 2])))
    assert refused(run, "mark", "a", output="x" * 20_000).startswith("the output came inline with 20,002 bytes")
    assert refused(run, "mark", "m", output=3) == "m is a map: its output is a list. A single item is named m[0]."
    run.operate("skip", "a")
    assert refused(run, "mark", "a") == "Something was said of a already, and it is being stopped for it."
    run.cancel()
    assert refused(run, "skip", "m") == "The run is being stopped."
    assert refused(run, "retry").startswith("The run goes on.")
    run.land_cancelled("a")
    run.land_cancelled("m[0]")
    run.land_cancelled("m[1]")
    assert run.states["a"] == "skipped"
    assert refused(run, "pause").startswith("The run is over.")


def test_what_follows_a_finally_step_that_was_marked_early_waits_for_the_main_part_and_then_starts() -> None:
    run = Drive(
        step("a"), step("f", phase="finally"), step("g", "f", phase="finally"), on_failure="stop", max_parallel=1
    )
    run.operate("mark", "f", output=1)
    assert run.states == {"a": "queued", "f": "succeeded", "g": "waiting"}
    run.fail("a")
    assert list(run.flying) == ["g"]
    run.succeed("g")
    assert run.end is not None
    assert run.end.state == "failed"


# Change.


def test_a_waiting_step_starts_under_its_new_terms() -> None:
    run = Drive(step("a"), step("b", "a", retry=Retry(2, delay=7.0)))
    run.operate("change", "b", queue="gpu", retry={"attempts": 5}, timeout={"run": 60.0})
    assert run.last("").reason == "ada changed b, retry attempts 5, timeout run 60.0, queue gpu"
    run.carried_over()
    run.retry()
    run.succeed("a")
    changed = run.state.graph.steps[1]
    assert (changed.queue, changed.retry, changed.timeout) == ("gpu", Retry(5, delay=7.0), Timeout(run=60.0))
    assert run.last("b").queue == "gpu"
    assert run.task("b").timeout == 60.0


def test_a_step_that_waits_for_a_worker_is_taken_back_and_scheduled_anew() -> None:
    run = Drive(step("a"), step("b", "a"))
    run.operate("change", "a", queue="gpu")
    assert run.cancelled == ["a"]
    run.land_cancelled("a")
    assert (run.task("a").generation, run.last("a").queue) == (1, "gpu")
    run.succeed("a")
    run.operate("change", "b", queue="gpu")
    run.succeed("b")
    assert run.end is not None
    assert run.end.state == "succeeded"


def test_a_step_that_is_taken_back_in_the_moment_of_a_cancel_is_cancelled() -> None:
    run = Drive(step("a"))
    run.operate("change", "a", queue="gpu")
    run.cancel()
    run.land_cancelled("a")
    assert run.states["a"] == "cancelled"


def test_the_items_that_no_worker_has_taken_move_with_their_map() -> None:
    run = Drive(step("m", map=Map([1, 2, 3], limit=2)))
    run.operate("change", "m", queue="gpu", busy=["m[0]"])
    assert run.cancelled == ["m[1]"]
    run.land_cancelled("m[1]")
    assert run.last("m[1]").queue == "gpu"
    run.succeed("m[0]")
    assert run.last("m[2]").queue == "gpu"


def test_an_item_that_was_skipped_stays_so_when_its_map_moves() -> None:
    run = Drive(step("m", map=Map([1, 2])))
    run.operate("skip", "m[1]")
    run.operate("change", "m", queue="gpu")
    assert run.cancelled == ["m[1]", "m[0]"]
    run.land_cancelled("m[1]")
    assert run.last("m[1]").state == "skipped"
    run.land_cancelled("m[0]")
    run.succeed("m[0]")
    assert run.states == {"m": "succeeded"}


def test_what_cannot_be_changed_is_refused_with_the_reason() -> None:
    run = Drive(step("a"), step("q", kind="approve"), step("m", map=Map([1])), step("later", "a", kind="wait"))
    assert refused(run, "change", "a", queue="gpu", busy=["a"]).startswith("A worker runs a now.")
    assert refused(run, "change", "later", queue="gpu") == "No worker runs later, a wait step: it has no queue."
    assert refused(run, "change", "q", timeout={"total": 5.0}).startswith("q has begun")
    assert refused(run, "change", "m[0]", queue="gpu").startswith("The items of a map are run alike")
