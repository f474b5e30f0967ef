"""`finally`, `on_failure` and nested maps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.driving import Drive, plan, step
from workflows.graph import Graph, PlanInvalid
from workflows.plan import FINALLY_SECONDS, MAX_MAP_ITEMS, Map


def last(name: str, needs: Any = (), **fields: Any) -> Any:
    return step(name, needs, phase="finally", **fields)


# Finally.


def test_finally_steps_start_when_the_main_part_is_over_and_not_before() -> None:
    run = Drive(step("a"), step("b"), last("clean"), last("tell", "clean"))
    run.succeed("a")
    assert run.started == ["a", "b"]
    run.succeed("b")
    assert run.started == ["a", "b", "clean"]
    run.succeed("clean")
    run.succeed("tell")
    assert run.end is not None
    assert run.end.state == "succeeded"


@pytest.mark.parametrize(("ending", "state"), [("succeed", "succeeded"), ("fail", "failed"), ("cancel", "cancelled")])
def test_finally_steps_run_however_the_run_ends_and_know_how(ending: str, state: str) -> None:
    run = Drive(step("a"), last("clean", env={"STATE": "${{ run.state }}", "A": "${{ steps.a.status }}"}))
    if ending == "cancel":
        run.cancel()
        run.land_cancelled("a")
    else:
        getattr(run, ending)("a")
    assert run.started == ["a", "clean"]
    assert run.task("clean").env["STATE"] == state
    run.succeed("clean")
    assert run.end is not None
    assert run.end.state == state


def test_a_finally_step_that_fails_fails_a_run_that_had_succeeded() -> None:
    run = Drive(step("a"), last("clean"), last("tell", "clean", trigger_rule="all_done"))
    run.succeed("a")
    run.fail("clean")
    run.succeed("tell")
    assert run.end is not None
    assert run.end.error is not None
    assert (run.end.state, run.end.error.message) == ("failed", "step clean failed: it broke")


def test_the_first_cause_of_a_failed_run_is_not_hidden_by_its_finally() -> None:
    run = Drive(step("a"), last("clean"))
    run.fail("a")
    run.fail("clean", "Other")
    assert run.end is not None
    assert run.end.error is not None
    assert run.end.error.type == "Boom"


def test_a_second_stop_ends_finally_steps_too() -> None:
    run = Drive(step("a"), last("clean"))
    run.cancel()
    run.land_cancelled("a")
    assert run.limits == [FINALLY_SECONDS]
    assert run.cancelled == ["a"]
    run.time_out()
    assert run.cancelled == ["a", "clean"]
    run.land_cancelled("clean")
    assert run.end is not None
    assert run.end.state == "cancelled"


def test_a_stop_while_finally_steps_run_lets_them_end_within_a_limit() -> None:
    run = Drive(step("a"), last("clean"), last("tell", "clean"))
    run.succeed("a")
    run.cancel()
    assert (run.cancelled, run.limits) == ([], [FINALLY_SECONDS])
    run.succeed("clean")
    run.succeed("tell")
    assert run.end is not None
    assert run.end.state == "cancelled"


def test_a_stop_that_comes_twice_while_the_main_part_still_ends_changes_nothing() -> None:
    run = Drive(step("a"), last("clean"))
    run.cancel()
    assert run.time_out() == []
    run.land_cancelled("a")
    assert run.started == ["a", "clean"]
    assert run.cancelled == ["a"]


def test_finally_steps_run_in_a_workflow_that_has_no_step_left_to_run() -> None:
    run = Drive(step("a", condition="false"), last("clean"))
    assert run.states == {"a": "skipped", "clean": "queued"}


def test_a_plan_that_mixes_the_parts_is_refused() -> None:
    with pytest.raises(PlanInvalid, match="behind a finally step"):
        Graph.of(plan(last("clean"), step("a")))
    with pytest.raises(PlanInvalid, match="which is none"):
        Graph.of(plan(step("a"), last("clean", "a")))


# On failure.


def test_stop_cancels_what_is_independent_of_the_failure() -> None:
    run = Drive(step("a"), step("b"), step("c", "b"), step("after", "a"), last("clean"), on_failure="stop")
    run.fail("a")
    assert run.states["after"] == "upstream_failed"
    assert run.states["c"] == "cancelled"
    assert run.cancelled == ["b"]
    run.land_cancelled("b")
    run.succeed("clean")
    assert run.end is not None
    assert run.end.error is not None
    assert (run.end.state, run.end.error.type, run.end.error.detail["step"]) == ("failed", "Boom", "a")
    assert run.last("c").reason == "step a failed, which stops the run; c had not started"


def test_stop_is_not_for_a_failure_that_a_map_tolerates() -> None:
    run = Drive(step("a", map=Map([1, 2], min_success={"count": 1.0})), step("b"), on_failure="stop")
    run.fail("a[0]")
    run.succeed("a[1]")
    assert run.states == {"a": "succeeded", "b": "queued"}


def test_hold_keeps_a_failed_step_until_somebody_has_it_tried_again() -> None:
    run = Drive(step("a"), step("b", "a"), step("c"), on_failure="hold")
    run.fail("a")
    run.succeed("c")
    assert run.states == {"a": "held", "b": "waiting", "c": "succeeded"}
    assert run.end is None
    assert run.last("a").reason == "Boom: it broke; it waits for somebody to say what now"
    run.release("a", "retry")
    assert run.states["a"] == "queued"
    assert run.task("a").generation == 1
    assert [each.state for each in run.transitions if each.key == "a"] == ["queued", "held", "waiting", "queued"]
    run.succeed("a")
    run.succeed("b")
    assert run.end is not None
    assert run.end.state == "succeeded"


def test_a_held_step_may_be_let_fail() -> None:
    run = Drive(step("a"), step("b", "a"), on_failure="hold")
    run.fail("a")
    run.release("a", "fail", by="grace")
    assert run.states == {"a": "failed", "b": "upstream_failed"}
    assert run.last("a").reason == "Boom: it broke; grace let it fail"
    assert run.end is not None
    assert run.end.state == "failed"


def test_of_a_held_map_only_the_items_that_failed_are_tried_again() -> None:
    run = Drive(step("a", map=Map([1, 2, 3])), on_failure="hold")
    run.succeed("a[0]", 10)
    run.fail("a[1]")
    run.succeed("a[2]", 30)
    assert run.states == {"a": "held"}
    run.release("a", "retry")
    assert run.started == ["a[0]", "a[1]", "a[2]", "a[1]"]
    assert run.task("a[1]").generation == 1
    run.succeed("a[1]", 20)
    assert run.states == {"a": "succeeded"}
    assert run.state.scope["steps"]["a"]["output"] == [10, 20, 30]


def test_a_held_map_with_nothing_to_try_again_is_held_again() -> None:
    run = Drive(step("a", map=Map([], min_success={"count": 1.0})), on_failure="hold")
    run.release("a", "retry")
    assert run.states == {"a": "held"}
    run.release("a", "fail")
    assert run.end is not None


def test_a_held_step_fails_for_good_when_the_run_is_cancelled() -> None:
    run = Drive(step("a"), step("b", "a"), on_failure="hold")
    run.fail("a")
    run.cancel()
    assert run.states == {"a": "failed", "b": "cancelled"}
    assert run.end is not None
    assert run.end.state == "cancelled"


def test_a_release_of_what_is_not_held_is_passed_over() -> None:
    run = Drive(step("a"), on_failure="hold")
    assert run.release("a", "retry") == []
    assert run.release("nothing", "fail") == []


def test_a_worker_that_is_lost_after_a_retry_by_hand_has_all_its_chances() -> None:
    run = Drive(step("a"), on_failure="hold")
    for _ in range(3):
        run.fail("a")
        run.release("a", "retry")
    for _ in range(5):
        run.lose("a")
    assert run.states == {"a": "queued"}
    run.lose("a")
    assert run.states == {"a": "held"}


def test_a_step_that_somebody_has_tried_again_may_lose_as_many_workers_as_before() -> None:
    for mapped in (None, Map([1])):
        run = Drive(step("a", map=mapped), on_failure="hold")
        key = "a" if mapped is None else "a[0]"
        for _ in range(6):
            run.lose(key)
        assert run.states == {"a": "held"}
        run.release("a", "retry")
        run.lose(key)
        assert run.last(key).reason.endswith("scheduled again (1 of 5)")


# Maps inside maps.


def nested(**fields: Any) -> Map:
    inner = Map("${{ row.cells }}", "cell")
    return Map("${{ params.rows }}", "row", inner=inner, **fields)


ROWS = {"params": {"rows": [{"cells": [1, 2]}, {"cells": []}, {"cells": [3]}]}}


def test_nested_maps_run_the_innermost_items_and_give_lists_of_lists() -> None:
    run = Drive(step("t", map=nested(), inputs={"x": "${{ cell }}", "of": "${{ size(row.cells) }}"}), request=ROWS)
    assert run.started == ["t[0][0]", "t[0][1]", "t[2][0]"]
    assert [run.task(key).inputs for key in run.started] == [{"x": 1, "of": 2}, {"x": 2, "of": 2}, {"x": 3, "of": 1}]
    assert run.task("t[2][0]").item == [{"cells": [3]}, 3]
    for key, value in (("t[2][0]", "c"), ("t[0][0]", "a"), ("t[0][1]", "b")):
        run.succeed(key, value)
    assert run.state.scope["steps"]["t"]["output"] == [["a", "b"], [], ["c"]]
    assert run.last("t").result is not None
    assert run.last("t").result.value == [["a", "b"], [], ["c"]]


def test_limit_and_min_success_of_nested_maps_count_all_items() -> None:
    run = Drive(step("t", map=nested(limit=1, min_success={"count": 2.0})), request=ROWS)
    assert run.started == ["t[0][0]"]
    run.succeed("t[0][0]", 1)
    run.fail("t[0][1]")
    run.succeed("t[2][0]", 3)
    assert run.states == {"t": "succeeded"}
    assert run.state.scope["steps"]["t"]["output"] == [[1, None], [], [3]]


def test_an_inner_list_that_is_none_fails_the_step_and_names_the_place() -> None:
    run = Drive(step("t", map=nested()), request={"params": {"rows": [{"cells": 5}]}})
    assert run.last("t").reason == "InputInvalid: map.over must be a list, but is 5"


def test_the_failure_of_an_inner_item_says_which() -> None:
    run = Drive(step("t", map=nested()), request=ROWS)
    run.succeed("t[0][0]")
    run.succeed("t[0][1]")
    run.fail("t[2][0]")
    assert run.last("t").error is not None
    assert str(run.last("t").error.message).startswith("item 2.0: it broke")  # type: ignore[union-attr]


def test_nested_maps_are_bounded_in_all() -> None:
    many = {"params": {"rows": [{"cells": list(range(MAX_MAP_ITEMS // 2 + 1))}] * 2}}
    run = Drive(step("t", map=nested()), request=many)
    assert run.states == {"t": "failed"}
    assert "at most 1,000 can run" in run.last("t").reason
