"""Steps that the interpreter itself runs: waits, approvals, other workflows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.driving import Drive, step
from workflows.exchange import TimerFired
from workflows.messages import StepError
from workflows.own_steps import MAX_CHILD_OUTPUT_BYTES, MAX_DEPTH
from workflows.plan import Map, Retry, Timeout

BOOM = StepError("Boom", "it broke")


def wait(name: str, needs: Any = (), **action: Any) -> Any:
    return step(name, needs, kind="wait", action=action)


def approve(name: str, needs: Any = (), **action: Any) -> Any:
    return step(name, needs, kind="approve", action=action)


def call(name: str, needs: Any = (), **fields: Any) -> Any:
    return step(name, needs, kind="workflow", action={"workflow": "other", "version": None}, **fields)


# Waiting for a time.


def test_a_wait_lasts_its_time_and_then_lets_its_dependents_start() -> None:
    run = Drive(wait("pause", **{"for": 600.0}), step("next", "pause"))
    assert (run.timers["pause"][1], run.states) == (600.0, {"pause": "running", "next": "waiting"})
    assert run.last("pause").reason.startswith("waits until 2023-11-14T22:23:2")
    run.ring("pause")
    assert run.states == {"pause": "succeeded", "next": "queued"}


@pytest.mark.parametrize(("value", "seconds"), [("10m", 600.0), (90, 90.0), (1.5, 1.5), ("1h30m", 5400.0)])
def test_a_wait_may_compute_its_time(value: Any, seconds: float) -> None:
    run = Drive(wait("pause", **{"for": "${{ params.pause }}"}), request={"params": {"pause": value}})
    assert run.timers["pause"][1] == seconds


@pytest.mark.parametrize("value", ["soon", True, None, [1], "1e400s", 1e12])
def test_what_is_no_duration_fails_the_wait(value: Any) -> None:
    run = Drive(wait("pause", **{"for": "${{ params.pause }}"}), request={"params": {"pause": value}})
    assert run.states == {"pause": "failed"}
    assert run.last("pause").reason.startswith("InputInvalid: wait")


def test_a_wait_until_a_time_ends_then_and_at_once_when_it_has_passed() -> None:
    run = Drive(wait("later", until="2023-11-14T22:14:20Z"), wait("past", until="2001-01-01"))
    assert run.timers["later"][1] == 60.0
    assert run.timers["past"][1] == 0.0


def test_what_is_no_time_fails_the_wait() -> None:
    run = Drive(wait("later", until="tomorrow"))
    assert run.last("later").error is not None
    assert "such as 2026-01-31T06:00:00Z" in str(run.last("later").error)


def test_a_wait_takes_no_place_in_the_window() -> None:
    run = Drive(wait("pause", **{"for": 5.0}), approve("ask"), step("work"), step("more"), max_parallel=1)
    assert run.started == ["work"]
    assert set(run.states.values()) == {"running", "queued", "waiting"}
    run.succeed("work")
    assert run.started == ["work", "more"]


def test_a_wait_longer_than_its_total_time_fails() -> None:
    run = Drive(step("pause", kind="wait", action={"for": 600.0}, timeout=Timeout(total=60.0)))
    assert run.timers["pause"][1] == 60.0
    run.ring("pause")
    assert run.last("pause").reason == "Timeout: the time did not come within 1m"


# Waiting for an event.


def test_an_event_of_the_name_ends_a_wait_and_its_payload_is_the_output() -> None:
    run = Drive(wait("data", event={"name": "published"}), step("use", "data"))
    run.hear("something.else", event="e0")
    assert run.states["data"] == "running"
    run.hear("published", {"rows": 7}, event="e1")
    assert run.states == {"data": "succeeded", "use": "queued"}
    assert run.state.scope["steps"]["data"]["output"] == {"rows": 7}
    assert run.last("data").reason == "the event published came (e1)"


def test_an_event_whose_condition_is_false_is_another_and_the_reason_says_so() -> None:
    run = Drive(
        wait("data", event={"name": "published", "if": "event.rows > params.least"}), request={"params": {"least": 5}}
    )
    run.hear("published", {"rows": 3}, event="e1")
    assert run.states == {"data": "running"}
    assert (
        "e1 was another: `event.rows > params.least` (event.rows = 3, params.least = 5) is false"
        in run.last("data").reason
    )
    run.hear("published", {"rows": 9}, event="e2")
    assert run.states == {"data": "succeeded"}
    assert run.last("data").reason.endswith("(event.rows = 9, params.least = 5) is true")


def test_a_condition_that_cannot_be_looked_at_fails_the_wait() -> None:
    run = Drive(wait("data", event={"name": "published", "if": "event.rows > 5"}))
    run.hear("published", {"rows": "many"})
    assert run.states == {"data": "failed"}
    assert run.last("data").reason.startswith("ExpressionError: wait.event.if")


def test_an_event_that_came_before_the_wait_is_not_lost() -> None:
    run = Drive(step("first"), wait("data", "first", event={"name": "published", "if": "event > 1"}))
    run.hear("published", 1, event="e1")
    run.hear("published", 2, event="e2")
    run.succeed("first")
    assert run.states["data"] == "succeeded"
    assert run.state.scope["steps"]["data"]["output"] == 2


def test_an_event_that_comes_twice_is_looked_at_once() -> None:
    run = Drive(wait("data", event={"name": "published", "if": "event > 1"}))
    assert run.hear("published", 1, event="e1")
    assert run.hear("published", 1, event="e1") == []


def test_an_event_that_does_not_come_in_time_fails_the_wait() -> None:
    action = {"event": {"name": "published"}}
    run = Drive(step("data", kind="wait", action=action, timeout=Timeout(total=3600.0)))
    run.ring("data")
    assert run.last("data").reason == "Timeout: the event published did not come within 1h"
    assert run.hear("published") == []


# Approvals.


def test_an_approval_gives_the_form_and_who_said_yes() -> None:
    form = {"rollout": {"type": "integer", "default": 10}, "note": {"type": "string"}}
    run = Drive(approve("ask", form=form), step("release", {"ask": "output.approved"}))
    assert run.last("ask").reason.startswith("waits for an approval by anybody")
    run.say("ask", True, rollout=25, comment="looks good")
    assert run.state.scope["steps"]["ask"]["output"] == {"rollout": 25, "note": None, "approved": True, "by": ["ada"]}
    assert run.last("ask").reason == "approved by ada: looks good"
    assert run.states["release"] == "queued"


def test_a_rejection_is_an_answer_too_and_the_condition_on_the_edge_sees_it() -> None:
    run = Drive(approve("ask"), step("release", {"ask": "output.approved"}))
    run.say("ask", False)
    assert run.states == {"ask": "succeeded", "release": "skipped"}


def test_a_quorum_counts_people_not_answers() -> None:
    run = Drive(approve("ask", quorum=2))
    run.say("ask", True, by="ada")
    run.say("ask", True, by="ada")
    assert run.states == {"ask": "running"}
    assert run.last("ask").reason == "waits for an approval by anybody (1 of 2)"
    run.say("ask", True, by="grace")
    assert run.states == {"ask": "succeeded"}
    assert run.state.scope["steps"]["ask"]["output"]["by"] == ["ada", "grace"]


@pytest.mark.parametrize(
    ("action", "by", "values", "why"),
    [
        ({"by": ["grace"]}, "ada", {}, "ada is not among grace"),
        ({"form": {"rollout": {}}}, "ada", {"rolout": 1}, "the form has no 'rolout'"),
    ],
)
def test_an_answer_that_does_not_count_changes_nothing_and_is_recorded(
    action: dict[str, Any], by: str, values: dict[str, Any], why: str
) -> None:
    run = Drive(approve("ask", **action))
    run.say("ask", True, by=by, **values)
    assert run.states == {"ask": "running"}
    assert run.last("ask").reason.endswith(f"an answer does not count: {why}")


@pytest.mark.parametrize(
    ("choice", "state", "approved"),
    [("reject", "succeeded", False), ("approve", "succeeded", True), ("fail", "failed", None)],
)
def test_an_approval_that_nobody_gives_ends_as_it_says(choice: str, state: str, approved: bool | None) -> None:
    run = Drive(approve("ask", timeout=172_800.0, on_timeout=choice))
    run.ring("ask")
    assert run.states == {"ask": state}
    assert "nobody decided within 2d" in run.last("ask").reason
    if approved is not None:
        assert run.state.scope["steps"]["ask"]["output"]["approved"] is approved


def test_an_answer_to_no_step_that_asks_is_passed_over() -> None:
    run = Drive(approve("ask"), step("work"))
    assert run.say("work", True) == []
    assert run.say("nothing", True) == []


def test_the_items_of_a_map_are_asked_about_one_by_one() -> None:
    run = Drive(step("ask", kind="approve", map=Map(["fr", "no"], "country")))
    run.say("ask[1]", True)
    run.say("ask[0]", False)
    assert [each["approved"] for each in run.state.scope["steps"]["ask"]["output"]] == [False, True]


# Other workflows as steps.


def test_a_child_gets_its_params_and_its_output_is_the_steps() -> None:
    run = Drive(call("sub", inputs={"x": "${{ params.x }}"}), step("use", "sub"), request={"params": {"x": 5}})
    child = run.children["sub"]
    assert (child.run, child.workflow, child.version, child.params) == ("demo-1.sub", "other", None, {"x": 5})
    assert run.last("sub").reason.startswith("runs other as demo-1.sub")
    assert run.last("sub").detail["child"] == {"run": "demo-1.sub", "workflow": "other", "attempt": 1}
    run.child_ends("sub", {"accuracy": 0.9})
    assert run.state.scope["steps"]["sub"]["output"] == {"accuracy": 0.9}
    assert run.states["use"] == "queued"


def test_a_child_that_fails_fails_the_step_with_its_cause() -> None:
    run = Drive(call("sub"))
    run.child_ends("sub", error=BOOM)
    assert run.end is not None
    assert run.end.error is not None
    assert run.end.error.message == "step sub failed: demo-1.sub: it broke"
    assert run.last("sub").error == StepError("Boom", "demo-1.sub: it broke", {"run": "demo-1.sub"})


def test_a_child_is_tried_again_as_another_run() -> None:
    run = Drive(call("sub", retry=Retry(3, delay=10.0, backoff=2.0)))
    run.child_ends("sub", error=BOOM)
    assert (run.states, run.timers["sub"][1]) == ({"sub": "running"}, 10.0)
    assert run.last("sub").state == "retrying"
    run.ring("sub")
    assert run.children["sub"].run == "demo-1.sub-2"
    run.child_ends("sub", error=BOOM)
    assert run.timers["sub"][1] == 20.0
    run.ring("sub")
    run.child_ends("sub", 1)
    assert run.states == {"sub": "succeeded"}
    assert run.last("sub").result is not None
    assert run.last("sub").result.attempt == 3


def test_a_timer_that_runs_down_while_the_child_fails_does_not_cut_its_rest_short() -> None:
    run = Drive(call("sub", retry=Retry(2, delay=7.0), timeout=Timeout(run=60.0)))
    place, _ = run.timers["sub"]
    run.child_ends("sub", error=StepError("Boom", "it broke"))
    assert run.send(TimerFired(run.now, place)) == []
    assert run.timers["sub"][1] == 7.0
    run.ring("sub")
    assert run.children["sub"].run == "demo-1.sub-2"


def test_an_error_that_is_never_tried_again_ends_a_child() -> None:
    run = Drive(call("sub", retry=Retry(3, unless=("Boom",))))
    run.child_ends("sub", error=BOOM)
    assert run.states == {"sub": "failed"}


def test_the_total_time_of_a_child_covers_its_attempts_and_its_rests() -> None:
    run = Drive(call("sub", retry=Retry(9, delay=50.0), timeout=Timeout(total=60.0)))
    assert run.timers["sub"][1] == 60.0
    run.child_ends("sub", error=BOOM)
    assert run.timers["sub"][1] == 50.0
    run.ring("sub")
    assert run.timers["sub"][1] < 10.0
    run.ring("sub")
    assert run.cancelled == ["sub"]
    run.child_cancelled("sub")
    assert run.last("sub").reason == "Timeout: demo-1.sub-2: took longer than the step's total time of 1m"


def test_one_attempt_of_a_child_that_takes_too_long_is_cancelled_and_tried_again() -> None:
    run = Drive(call("sub", retry=Retry(2, delay=5.0), timeout=Timeout(run=60.0)))
    run.ring("sub")
    assert run.cancelled == ["sub"]
    run.child_cancelled("sub")
    assert run.last("sub").reason == "attempt 1 failed: Timeout: took longer than 1m"
    run.ring("sub")
    assert (run.children["sub"].run, run.timers["sub"][1]) == ("demo-1.sub-2", 60.0)
    run.child_ends("sub", 1)
    assert run.states == {"sub": "succeeded"}
    assert run.timers == {}


def test_a_child_and_a_wait_have_as_much_time_as_the_run_where_nothing_else_is_said() -> None:
    unbound = Timeout(run=315_360_000.0)
    run = Drive(call("sub", timeout=unbound), step("w", kind="wait", action={"event": {"name": "e"}}, timeout=unbound))
    assert run.timers == {}


def test_a_wait_keeps_to_the_time_of_one_attempt_too() -> None:
    action = {"event": {"name": "published"}}
    run = Drive(step("data", kind="wait", action=action, timeout=Timeout(run=60.0)))
    run.ring("data")
    assert run.last("data").reason == "Timeout: the event published did not come within 1m"


def test_a_cancel_reaches_the_child_and_waits_for_its_end() -> None:
    run = Drive(call("sub"), wait("pause", **{"for": 9.0}), approve("ask"), step("later", "sub"))
    run.cancel()
    assert run.cancelled == ["sub"]
    assert run.states == {"sub": "running", "pause": "cancelled", "ask": "cancelled", "later": "cancelled"}
    assert run.timers == {}
    run.child_cancelled("sub")
    assert run.end is not None
    assert run.end.state == "cancelled"


def test_a_child_that_rests_is_cancelled_at_once() -> None:
    run = Drive(call("sub", retry=Retry(2)))
    run.child_ends("sub", error=BOOM)
    run.cancel()
    assert run.end is not None
    assert (run.end.state, run.states) == ("cancelled", {"sub": "cancelled"})


def test_a_child_that_somebody_cancels_is_a_cancelled_step() -> None:
    run = Drive(call("sub"))
    run.child_cancelled("sub")
    assert run.last("sub").reason == "demo-1.sub was cancelled"
    assert run.end is not None
    assert run.end.state == "failed"


def test_children_of_a_map_have_ids_of_their_own_and_take_places_in_the_window() -> None:
    run = Drive(call("sub", map=Map([1, 2, 3]), inputs={"n": "${{ item }}"}), max_parallel=2)
    assert {key: (each.run, each.params) for key, each in run.children.items()} == {
        "sub[0]": ("demo-1.sub.0", {"n": 1}),
        "sub[1]": ("demo-1.sub.1", {"n": 2}),
    }
    run.child_ends("sub[0]", "a")
    assert list(run.children) == ["sub[1]", "sub[2]"]
    run.child_ends("sub[2]", "c")
    run.child_ends("sub[1]", "b")
    assert run.state.scope["steps"]["sub"]["output"] == ["a", "b", "c"]


def test_a_workflow_cannot_be_inside_itself_for_ever() -> None:
    run = Drive(call("sub"), request={"depth": MAX_DEPTH})
    assert run.states == {"sub": "failed"}
    assert "inside one another" in run.last("sub").reason


def test_an_output_too_large_for_the_caller_fails_the_step() -> None:
    run = Drive(call("sub"))
    run.child_ends("sub", "x" * MAX_CHILD_OUTPUT_BYTES)
    assert run.last("sub").reason.startswith("OutputInvalid")


def test_the_id_of_a_child_stays_within_what_people_and_temporal_can_take() -> None:
    run = Drive(call("sub"), run="demo-" + "x" * 200)
    assert run.children["sub"].run.startswith("other-")
    assert len(run.children["sub"].run) < 100
