"""The core: what starts when, what each thing ends as, and why."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.workflows.driving import Drive, plan, step
from workflows.core import MAX_GENERATIONS
from workflows.exchange import Place, RoomChanged, RunStarted, StepSucceeded
from workflows.graph import PlanInvalid
from workflows.messages import MAX_TASK_BYTES, RunRequest, StepResult
from workflows.plan import MAX_MAP_ITEMS, MAX_PARALLEL_LIMIT, MAX_PLAN_STEPS, Cache, Map
from workflows.state import begin

STORED = {"$segue": "json", "key": "runs/x/a/000.001-1/output.json", "size": 40_000, "sha256": "ab"}

# Order and states.


def test_steps_without_needs_start_at_once_in_plan_order() -> None:
    run = Drive(step("a"), step("b"), step("c", "a"))
    assert run.started == ["a", "b"]
    assert run.states == {"a": "queued", "b": "queued", "c": "waiting"}


def test_a_diamond_joins_when_both_sides_are_done() -> None:
    run = Drive(step("a"), step("b", "a"), step("c", "a"), step("d", "b c"))
    run.succeed("a")
    run.succeed("c")
    assert "d" not in run.started
    run.succeed("b")
    run.succeed("d")
    assert run.end is not None
    assert (run.end.state, run.started) == ("succeeded", ["a", "b", "c", "d"])


def test_transitions_are_numbered_without_a_gap_and_carry_the_time_of_their_event() -> None:
    run = Drive(step("a"), step("b", "a"))
    run.succeed("a")
    run.succeed("b")
    assert [each.seq for each in run.transitions] == list(range(1, 7))
    assert [(each.key, each.state) for each in run.transitions] == [
        ("", "running"),
        ("a", "queued"),
        ("a", "succeeded"),
        ("b", "queued"),
        ("b", "succeeded"),
        ("", "succeeded"),
    ]
    assert [each.at - run.transitions[0].at for each in run.transitions] == [0, 0, 1, 1, 2, 2]


def test_a_run_without_steps_succeeds_at_once() -> None:
    run = Drive()
    assert run.end is not None
    assert run.end.state == "succeeded"


def test_a_failed_step_stops_its_descendants_and_nothing_else() -> None:
    run = Drive(step("a"), step("b", "a"), step("c", "b"), step("other"))
    run.fail("a")
    assert run.states == {"a": "failed", "b": "upstream_failed", "c": "upstream_failed", "other": "queued"}
    run.succeed("other")
    assert run.end is not None
    assert run.end.error is not None
    assert (run.end.state, run.end.error.type, run.end.error.detail["step"]) == ("failed", "Boom", "a")
    assert run.end.error.message == "step a failed: it broke"


def test_a_failure_behind_a_tolerant_leaf_does_not_fail_the_run() -> None:
    run = Drive(step("a"), step("clean", "a", trigger_rule="all_done"))
    run.fail("a")
    run.succeed("clean")
    assert run.end is not None
    assert run.end.state == "succeeded"


def test_the_first_cause_is_of_a_failed_leaf_not_of_a_tolerated_failure() -> None:
    run = Drive(step("a"), step("tolerant", "a", trigger_rule="all_done"), step("b"), step("c", "b"))
    run.fail("a", message="tolerated")
    run.succeed("tolerant")
    run.fail("b", message="real")
    assert run.end is not None
    assert run.end.error is not None
    assert run.end.error.message == "step b failed: real"


def test_always_starts_without_waiting_and_all_done_waits() -> None:
    run = Drive(step("a"), step("at_once", "a", trigger_rule="always"), step("after", "a", trigger_rule="all_done"))
    assert run.started == ["a", "at_once"]
    run.fail("a")
    assert run.started == ["a", "at_once", "after"]


@pytest.mark.parametrize(("rule", "how"), [("one_success", "succeed"), ("one_failed", "fail"), ("one_done", "fail")])
def test_eager_rules_start_on_the_first_need_and_only_once(rule: Any, how: str) -> None:
    run = Drive(step("a"), step("b"), step("c", "a b", trigger_rule=rule))
    getattr(run, how)("b")
    assert run.started == ["a", "b", "c"]
    run.succeed("a")
    run.succeed("c")
    assert run.started == ["a", "b", "c"]
    assert run.end is not None


def test_one_done_with_nothing_done_is_skipped() -> None:
    run = Drive(step("a", condition="false"), step("b", "a", trigger_rule="one_done"))
    assert run.states == {"a": "skipped", "b": "skipped"}


# Conditions and reasons.


def test_a_false_edge_skips_and_says_which_value_decided() -> None:
    run = Drive(
        step("check"),
        step("good", {"check": "output.quality == 'good'"}),
        step("bad", {"check": "output.quality == 'bad'"}),
    )
    run.succeed("check", {"quality": "bad"})
    assert run.states["good"] == "skipped"
    skipped = run.last("good")
    assert skipped.reason == (
        "rule all_success: check counts as skipped because "
        "`output.quality == 'good'` (output.quality = \"bad\") is false"
    )
    assert skipped.detail == {
        "rule": "all_success",
        "needs": {"check": "skipped"},
        "conditions": [
            {
                "need": "check",
                "expression": "output.quality == 'good'",
                "result": False,
                "values": {"output.quality": "bad"},
            }
        ],
    }
    assert run.started == ["check", "bad"]


def test_an_edge_of_a_failed_need_is_not_looked_at() -> None:
    run = Drive(step("a"), step("b", {"a": "output.x > 1"}, trigger_rule="all_failed"))
    run.fail("a")
    assert run.started == ["a", "b"]


def test_waiting_rules_look_at_edges_when_all_needs_have_ended() -> None:
    run = Drive(step("a"), step("b"), step("c", {"a": "steps.b.output.n == output.n", "b": None}))
    run.succeed("a", {"n": 1})
    run.succeed("b", {"n": 1})
    assert run.states["c"] == "queued"


def test_if_is_looked_at_after_the_rule_and_false_skips() -> None:
    run = Drive(
        step("a"), step("b", "a", condition="params.deploy && steps.a.output > 3"), request={"params": {"deploy": True}}
    )
    run.succeed("a", 3)
    assert run.states["b"] == "skipped"
    assert run.last("b").detail["if"] == {
        "expression": "params.deploy && steps.a.output > 3",
        "result": False,
        "values": {"params.deploy": True, "steps.a.output": 3},
    }
    assert (
        "`if` `params.deploy && steps.a.output > 3` (params.deploy = true, steps.a.output = 3) is false"
        in run.last("b").reason
    )


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"needs": {"a": "output.missing.deeper == 1"}}, "needs.a"),
        ({"needs": {"a": "output.n"}}, "needs.a"),
        ({"needs": "a", "condition": "steps.a.output.missing"}, "if"),
        ({"needs": "a", "condition": "'text'"}, "if"),
        ({"needs": "a", "inputs": {"x": "${{ steps.a.output.missing }}"}}, "with.x"),
        ({"needs": "a", "env": {"X": "${{ 1 / 0 }}"}}, "env.X"),
        ({"needs": "a", "map": Map("${{ steps.a.output.missing }}")}, "map.over"),
    ],
)
def test_an_expression_that_has_no_value_fails_its_step_and_says_where(fields: dict[str, Any], where: str) -> None:
    run = Drive(step("a"), step("b", **fields), step("other", "a"))
    run.succeed("a", {"n": 1})
    failed = run.last("b")
    assert failed.error is not None
    assert (failed.state, failed.error.type, failed.error.detail["where"]) == ("failed", "ExpressionError", where)
    assert failed.error.message.startswith(f"{where}: ")
    run.succeed("other")
    assert run.end is not None
    assert run.end.state == "failed"


def test_an_edge_error_does_not_keep_an_eager_step_from_its_other_need() -> None:
    for first, second in (("a", "b"), ("b", "a")):
        run = Drive(step("a"), step("b"), step("c", {"a": "output.missing", "b": None}, trigger_rule="one_success"))
        run.succeed(first, {})
        run.succeed(second, {})
        assert run.states["c"] == "queued"


def test_reasons_of_wide_joins_are_counts() -> None:
    names = [f"s{number}" for number in range(50)]
    run = Drive(*(step(name) for name in names), step("join", names))
    for name in names:
        run.succeed(name)
    assert run.last("join").detail["needs"] == {"count": {"succeeded": 50}}
    assert run.last("join").reason == "waits for a worker on cpu; rule all_success: 50 steps succeeded"


def test_values_in_reasons_are_short() -> None:
    run = Drive(step("a"), step("b", {"a": "size(output.text) == 1 && output.text == 'x'"}))
    run.succeed("a", {"text": "y" * 10_000})
    assert len(json.dumps(run.last("b").detail)) < 1_000


# The task and its scope.


def test_a_task_carries_the_run_and_rendered_templates() -> None:
    run = Drive(
        step("a"),
        step(
            "b",
            "a",
            kind="python",
            action={"callable": "m:f"},
            inputs={"x": "${{ steps.a.output.n + params.plus }}", "who": "run ${{ run.id }} v${{ workflow.version }}"},
            env={"URL": "${{ vars.URL }}/x", "E": "${{ event.id }}", "S": "${{ steps.a.status }}"},
            queue="gpu",
        ),
        request={"params": {"plus": 2}, "vars": {"URL": "http://h"}, "event": {"id": 7}, "bundle": "b" * 64},
    )
    run.succeed("a", {"n": 1})
    task = run.task("b")
    assert (task.run, task.workflow, task.version, task.step, task.key) == ("demo-1", "demo", 3, "b", "b")
    assert (task.kind, task.generation, task.bundle, task.timeout) == ("python", 0, "b" * 64, 86_400.0)
    assert task.inputs == {"x": 3, "who": "run demo-1 v3"}
    assert task.env == {"URL": "http://h/x", "E": 7, "S": "succeeded"}


def test_the_start_of_the_run_is_readable_by_expressions() -> None:
    run = Drive(step("a", inputs={"at": "${{ run.started_at }}"}))
    assert run.task("a").inputs == {"at": "2023-11-14T22:13:20.000000Z"}


def test_the_output_of_a_skipped_step_is_null() -> None:
    run = Drive(
        step("a", condition="false"), step("b", "a", trigger_rule="all_done", inputs={"x": "${{ steps.a.output }}"})
    )
    assert run.task("b").inputs == {"x": None}


def test_a_stored_output_is_passed_on_whole_and_cannot_be_read_into() -> None:
    run = Drive(
        step("a"),
        step("whole", "a", inputs={"x": "${{ steps.a.output }}"}),
        step("part", "a", inputs={"x": "${{ steps.a.output.key }}"}),
        step("edge", {"a": "output.quality == 'good'"}),
    )
    run.succeed("a", STORED)
    assert run.task("whole").inputs == {"x": STORED}
    for name in ("part", "edge"):
        error = run.last(name).error
        assert error is not None
        assert error.type == "ExpressionError"


def test_http_strings_about_the_response_are_left_with_the_values_they_need() -> None:
    run = Drive(
        step("a"),
        step(
            "job",
            "a",
            kind="http",
            action={
                "submit": {"method": "POST", "url": "${{ vars.API }}/builds", "json": {"n": "${{ steps.a.output.n }}"}},
                "poll": {"url": "${{ vars.API }}/${{ submit.json.id }}", "until": "${{ response.json.n > params.n }}"},
            },
            output={
                "uri": {"value": "${{ response.json.uri }}?n=${{ steps.a.output.n }}"},
                "run": {"value": "${{ run.id }}"},
                "typed": {"schema": {"type": "string"}},
            },
        ),
        request={"vars": {"API": "http://h", "OTHER": "secretive"}, "params": {"n": 4, "m": 5}},
    )
    run.succeed("a", {"n": 9})
    task = run.task("job")
    assert task.action["submit"] == {"method": "POST", "url": "http://h/builds", "json": {"n": 9}}
    assert task.action["poll"]["url"] == "${{ vars.API }}/${{ submit.json.id }}"
    assert task.output == {
        "uri": {"value": "${{ response.json.uri }}?n=${{ steps.a.output.n }}"},
        "run": {"value": "demo-1"},
        "typed": {"schema": {"type": "string"}},
    }
    assert task.scope == {
        "params": {"n": 4},
        "steps": {"a": {"output": {"n": 9}, "status": "succeeded"}},
        "vars": {"API": "http://h"},
    }


def test_too_large_an_input_fails_the_step_before_it_is_sent() -> None:
    big = "x" * (MAX_TASK_BYTES // 2)
    run = Drive(
        step("a", inputs={"x": "${{ params.big }}", "y": "${{ params.big }}"}), request={"params": {"big": big}}
    )
    error = run.last("a").error
    assert error is not None
    assert (error.type, error.detail["where"]) == ("InputInvalid", "with")
    assert run.started == []
    assert run.end is not None


def test_an_output_that_should_have_been_a_reference_fails_the_step() -> None:
    run = Drive(step("a"))
    run.succeed("a", "x" * 20_000)
    error = run.last("a").error
    assert error is not None
    assert error.type == "OutputInvalid"
    assert run.last("a").result == StepResult()


def test_an_output_that_is_not_json_fails_the_step() -> None:
    run = Drive(step("a"))
    run.succeed("a", float("nan"))
    assert run.states == {"a": "failed"}


# Maps.


def test_a_map_gives_outputs_in_item_order() -> None:
    run = Drive(
        step("a", map=Map([10, 20, 30], "n"), inputs={"n": "${{ n }}"}),
        step("b", "a", inputs={"all": "${{ steps.a.output }}"}),
    )
    assert run.started == ["a[0]", "a[1]", "a[2]"]
    assert [run.task(key).inputs["n"] for key in run.started] == [10, 20, 30]
    assert run.task("a[1]").item == 20
    for key in ("a[2]", "a[0]", "a[1]"):
        run.succeed(key, key)
    assert run.task("b").inputs == {"all": ["a[0]", "a[1]", "a[2]"]}
    assert run.last("a").result == StepResult(["a[0]", "a[1]", "a[2]"])


def test_a_map_runs_over_a_template_and_says_how_many() -> None:
    run = Drive(step("a", map=Map("${{ params.grid }}")), request={"params": {"grid": [{"d": 4}, {"d": 8}]}})
    assert run.last("a").reason == "it needs nothing; 2 items, 2 at once"
    assert run.last("a[1]").detail == {"item": {"d": 8}}


def test_no_more_items_than_the_limit_are_in_flight() -> None:
    run = Drive(step("a", map=Map([1, 2, 3, 4, 5], limit=2)), step("other"))
    assert run.started == ["a[0]", "a[1]", "other"]
    run.succeed("a[1]")
    assert run.started[-1] == "a[2]"
    assert len(run.flying) == 3


def test_an_empty_map_succeeds_with_an_empty_list() -> None:
    run = Drive(step("a", map=Map([])), step("b", "a", inputs={"all": "${{ steps.a.output }}"}))
    assert run.task("b").inputs == {"all": []}


@pytest.mark.parametrize(
    ("min_success", "failures", "state"),
    [
        (None, 0, "succeeded"),
        (None, 1, "failed"),
        ({"count": 3}, 2, "succeeded"),
        ({"count": 3}, 3, "failed"),
        ({"percent": 80}, 1, "succeeded"),
        ({"percent": 80}, 2, "failed"),
        ({"percent": 0}, 5, "succeeded"),
        ({"count": 6}, 0, "failed"),
    ],
)
def test_min_success_decides_a_map_after_all_items_have_run(min_success: Any, failures: int, state: str) -> None:
    run = Drive(step("a", map=Map([0, 1, 2, 3, 4], limit=1, min_success=min_success)))
    for item in range(5):
        (run.fail if item < failures else run.succeed)(f"a[{item}]")
    assert run.states == {"a": state}


def test_a_tolerated_failure_is_null_in_the_list() -> None:
    run = Drive(
        step("a", map=Map([0, 1, 2], min_success={"count": 2})), step("b", "a", inputs={"all": "${{ steps.a.output }}"})
    )
    run.succeed("a[0]", "x")
    run.fail("a[1]")
    run.succeed("a[2]", "z")
    assert run.task("b").inputs == {"all": ["x", None, "z"]}
    assert run.last("a").reason == "2 of 3 items succeeded"


def test_a_failed_map_names_its_first_failed_item() -> None:
    run = Drive(step("a", map=Map([0, 1, 2])))
    run.fail("a[2]", message="late")
    run.fail("a[1]", "ExitCode", "exit code 2")
    run.succeed("a[0]")
    error = run.last("a").error
    assert error is not None
    assert (error.type, error.detail["item"]) == ("ExitCode", 1)
    assert error.message == "item 1: exit code 2 (1 of 3 items succeeded; 3 needed)"
    assert run.state.scope["steps"]["a"]["output"] is None


def test_a_map_over_too_many_items_fails_clearly() -> None:
    run = Drive(step("a", map=Map(list(range(MAX_MAP_ITEMS + 1)))))
    error = run.last("a").error
    assert error is not None
    assert (error.type, error.message) == ("InputInvalid", "map.over has 1,001 items; at most 1,000 can run")
    assert Drive(step("a", map=Map(list(range(MAX_MAP_ITEMS)))), max_parallel=10).states == {"a": "running"}


@pytest.mark.parametrize("over", ["text", {"a": 1}, 3, None, STORED])
def test_a_map_over_what_is_no_list_fails_clearly(over: Any) -> None:
    run = Drive(step("a"), step("b", "a", map=Map("${{ steps.a.output }}")))
    run.succeed("a", over)
    error = run.last("b").error
    assert error is not None
    assert error.message.startswith("map.over must be a list, but is ")


def test_an_item_whose_input_fails_does_not_stop_the_others() -> None:
    run = Drive(step("a", map=Map([1, 0, 2], "n", min_success={"count": 2}), inputs={"x": "${{ 6 / n }}"}))
    assert run.started == ["a[0]", "a[2]"]
    run.succeed("a[0]")
    run.succeed("a[2]")
    assert run.states == {"a": "succeeded"}


def test_large_outputs_of_a_map_travel_as_references() -> None:
    run = Drive(step("a", map=Map(list(range(30)))), step("b", "a", inputs={"all": "${{ steps.a.output }}"}))
    for item in range(30):
        run.succeed(f"a[{item}]", "x" * 16_000, output={**STORED, "key": f"k{item}"})
    assert run.task("b").inputs["all"][7] == {**STORED, "key": "k7"}
    assert run.last("a").result == StepResult()


# The window.


def test_max_parallel_bounds_what_is_in_flight_over_steps_and_items() -> None:
    run = Drive(step("m", map=Map(list(range(10)))), *(step(f"s{n}") for n in range(5)), max_parallel=4)
    highest = 0
    while run.flying:
        highest = max(highest, len(run.flying))
        run.succeed(next(iter(run.flying)))
    assert highest == 4
    assert run.end is not None
    assert run.started == [f"m[{n}]" for n in range(10)] + [f"s{n}" for n in range(5)]


def test_a_step_that_waits_for_the_window_is_still_waiting() -> None:
    run = Drive(step("a"), step("b"), max_parallel=1)
    assert run.states == {"a": "queued", "b": "waiting"}


def test_the_window_never_exceeds_what_temporal_takes() -> None:
    assert Drive(step("a"), max_parallel=100_000).state.graph.window == MAX_PARALLEL_LIMIT


# Lost workers.


def test_a_lost_worker_has_its_step_scheduled_again_up_to_a_limit() -> None:
    run = Drive(step("a"))
    for generation in range(1, MAX_GENERATIONS + 1):
        run.lose("a")
        assert run.task("a").generation == generation
        assert run.last("a").state == "queued"
        assert run.last("a").detail["generation"] == generation
    run.lose("a")
    assert run.end is not None
    assert run.end.error is not None
    assert (run.end.state, run.end.error.type) == ("failed", "WorkerLost")


def test_a_lost_item_is_scheduled_again_and_keeps_its_place_in_the_window() -> None:
    run = Drive(step("a", map=Map([1, 2, 3], limit=1)))
    run.lose("a[0]")
    assert list(run.flying) == ["a[0]"]
    run.succeed("a[0]")
    run.succeed("a[1]")
    run.succeed("a[2]")
    assert run.states == {"a": "succeeded"}


def test_the_answer_of_a_lost_generation_changes_nothing() -> None:
    run = Drive(step("a"))
    run.lose("a")
    assert run.send(StepSucceeded(run.now, Place(0, None, 0), StepResult("late"))) == []
    run.succeed("a", "right")
    assert run.last("a").result == StepResult("right")


def test_an_error_of_the_step_itself_is_final() -> None:
    run = Drive(step("a"))
    run.fail("a")
    assert run.started == ["a"]
    assert run.end is not None


# Cancel and deadline.


def test_cancel_stops_what_is_in_flight_and_nothing_starts_after() -> None:
    run = Drive(step("a"), step("b", "a"), step("c", "b", trigger_rule="all_done"))
    run.cancel()
    assert run.cancelled == ["a"]
    assert run.states == {"a": "queued", "b": "cancelled", "c": "cancelled"}
    assert run.end is None
    run.land_cancelled("a")
    assert run.end is not None
    assert (run.end.state, run.started) == ("cancelled", ["a"])


def test_a_step_that_finishes_in_spite_of_a_cancel_has_succeeded() -> None:
    run = Drive(step("a"), step("b", "a"))
    run.cancel()
    run.succeed("a", 1)
    assert run.states == {"a": "succeeded", "b": "cancelled"}
    assert run.end is not None
    assert run.end.state == "cancelled"


def test_a_worker_lost_during_a_cancel_is_not_replaced() -> None:
    run = Drive(step("a"))
    run.cancel()
    run.lose("a")
    assert run.states == {"a": "cancelled"}
    assert run.end is not None


def test_cancel_ends_a_map_when_its_items_in_flight_have_ended() -> None:
    run = Drive(step("a", map=Map([1, 2, 3, 4], limit=2)), step("b"))
    run.succeed("a[0]")
    run.cancel()
    assert run.cancelled == ["a[1]", "a[2]", "b"]
    run.land_cancelled("a[1]")
    assert run.states["a"] == "running"
    run.succeed("a[2]")
    assert run.states["a"] == "cancelled"
    assert run.last("a").reason == "the run was cancelled; 2 of 4 items succeeded"
    run.land_cancelled("b")
    assert run.end is not None


def test_a_second_cancel_changes_nothing() -> None:
    run = Drive(step("a"))
    run.cancel()
    assert run.cancel() == []


def test_the_deadline_fails_the_run_after_cancelling_what_is_in_flight() -> None:
    run = Drive(step("a"), step("b", "a"))
    run.time_out()
    assert run.cancelled == ["a"]
    run.land_cancelled("a")
    assert run.end is not None
    assert run.end.error is not None
    assert (run.end.state, run.end.error.type) == ("failed", "Timeout")
    assert run.states == {"a": "cancelled", "b": "cancelled"}


def test_a_step_cancelled_from_outside_counts_as_failed() -> None:
    run = Drive(step("a"), step("b", "a"), step("c", "a", trigger_rule="one_failed"))
    run.land_cancelled("a")
    assert run.states["b"] == "upstream_failed"
    assert run.started == ["a", "c"]


# Ends.


def test_the_output_of_the_run_is_rendered_at_its_end() -> None:
    run = Drive(step("a"), output={"n": "${{ steps.a.output.n }}", "text": "n is ${{ steps.a.output.n }}"})
    run.succeed("a", {"n": 5})
    assert run.end is not None
    assert run.end.value == {"n": 5, "text": "n is 5"}
    assert run.last("").value == {"n": 5, "text": "n is 5"}


def test_an_output_of_a_branch_not_taken_is_null_and_said() -> None:
    run = Drive(
        step("a"), step("b", {"a": "false"}), output={"a": "${{ steps.a.output }}", "b": "${{ steps.b.output.x }}"}
    )
    run.succeed("a", 1)
    assert run.end is not None
    assert (run.end.state, run.end.value) == ("succeeded", {"a": 1, "b": None})
    assert "null in the output, as its step did not succeed: b" in run.end.reason


def test_an_output_that_cannot_be_computed_fails_the_run() -> None:
    run = Drive(step("a"), output={"x": "${{ steps.a.output.missing }}"})
    run.succeed("a", {})
    assert run.end is not None
    assert run.end.error is not None
    assert (run.end.state, run.end.error.type) == ("failed", "ExpressionError")


def test_an_output_of_any_shape_is_kept() -> None:
    run = Drive(step("a"), output="${{ steps.a.output }}")
    run.succeed("a", [1, 2])
    assert run.end is not None
    assert run.end.value == [1, 2]
    stored = Drive(step("a"), output="${{ steps.a.output }}")
    stored.succeed("a", STORED)
    assert stored.end is not None
    assert stored.end.value == STORED


def test_too_large_an_output_of_the_run_fails_it() -> None:
    big = "x" * (MAX_TASK_BYTES // 2)
    run = Drive(
        step("a"), output={"x": "${{ params.big }}", "y": "${{ params.big }}"}, request={"params": {"big": big}}
    )
    run.succeed("a")
    assert run.end is not None
    assert run.end.error is not None
    assert (run.end.state, run.end.error.type, run.end.value) == ("failed", "OutputInvalid", None)


def test_events_after_the_end_change_nothing() -> None:
    run = Drive(step("a"))
    run.succeed("a")
    assert run.cancel() == []
    assert run.send(RunStarted(run.now)) == []
    assert run.send(StepSucceeded(run.now, Place(0), StepResult())) == []


# Plans that cannot run.


@pytest.mark.parametrize(
    "steps",
    [
        (step("a", "b"), step("b")),
        (step("a", "a"),),
        (step("a", "missing"),),
        (step("a"), step("a")),
        tuple(step(f"s{number}") for number in range(MAX_PLAN_STEPS + 1)),
    ],
    ids=["later", "itself", "unknown", "twice", "many"],
)
def test_a_plan_that_is_not_one_is_refused(steps: Any) -> None:
    with pytest.raises(PlanInvalid):
        begin("demo-1", RunRequest("demo", 1, plan=plan(*steps).to_json()))


def test_a_chain_of_the_largest_plan_needs_no_recursion() -> None:
    names = [f"s{number}" for number in range(MAX_PLAN_STEPS)]
    run = Drive(step(names[0]), *(step(name, before) for before, name in pairwise(names)))
    run.fail(names[0])
    assert run.end is not None
    assert list(run.states.values()).count("upstream_failed") == MAX_PLAN_STEPS - 1


# Room in the history.


def test_no_more_steps_are_in_flight_than_there_is_room_for_and_none_starts_where_there_is_none() -> None:
    wait = step("wait", "s0", kind="wait", action={"for": 5.0})
    run = Drive(*(step(f"s{number}") for number in range(9)), wait, max_parallel=4)
    assert len(run.flying) == 4
    run.send(RoomChanged(run.now, 3))
    run.succeed("s1")
    assert len(run.flying) == 3
    run.succeed("s2")
    assert len(run.flying) == 3
    run.send(RoomChanged(run.now, 0))
    run.succeed("s0")
    run.succeed("s3")
    run.succeed("s4")
    assert (len(run.flying), len(run.timers)) == (0, 0)
    run.send(RoomChanged(run.now, None))
    assert (len(run.flying), len(run.timers)) == (4, 1)


def test_an_output_that_was_reused_says_where_it_was_made() -> None:
    made = {"run": "demo-0", "step": "a", "folder": "runs/demo-0/a/000.001-1", "at": 5.0}
    run = Drive(step("a", cache=Cache(60.0)), step("m", "a", map=Map([1, 2]), artifacts=("x",), cache=Cache()))
    task = run.flying["a"][1]
    assert (task.cache, task.artifacts) == ({"ttl": 60.0}, [])
    run.succeed("a", {"n": 1}, reused=made)
    ended = run.transitions[-4]
    assert (ended.key, ended.state, ended.reason) == ("a", "succeeded", "reused from run demo-0, step a")
    assert ended.detail == {"reused": made}
    assert (run.flying["m[0]"][1].cache, run.flying["m[0]"][1].artifacts) == ({}, ["x"])
    run.succeed("m[1]", reused={**made, "step": "m[7]"}, attempt=2)
    assert run.transitions[-1].reason == "reused from run demo-0, step m[7]"
    run.succeed("m[0]")
    assert [each.reason for each in run.transitions[-3:-1]] == ["succeeded", "2 of 2 items succeeded"]
