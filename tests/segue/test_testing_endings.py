"""Other workflows as steps, held steps, `finally` and nested maps in `segue.testing`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from segue.testing import MockError, Task, approves, fails, lost, nobody, releases, run, runs, sends, takes
from tests.segue.own_plans import ask, call, plan, published, wait, work
from tests.workflows.driving import step
from workflows.plan import FINALLY_SECONDS, Map, Retry, Timeout

HOUR = timedelta(hours=1)

# Other workflows as steps.


def test_a_workflow_is_mocked_like_any_step() -> None:
    seen: list[Task] = []

    def other(task: Task) -> Any:
        seen.append(task)
        return {"accuracy": task.inputs["n"] / 10}

    definition = plan(
        call(inputs={"n": 9}), work("use", inputs={"got": "${{ steps.sub.output.accuracy }}"}, needs="sub")
    )
    result = run(definition, steps={"sub": other, "use": None})
    assert result.steps["use"].inputs == {"got": 0.9}
    assert (seen[0].kind, seen[0].action) == ("workflow", {"workflow": "other", "version": None})
    assert (result.order, result.steps["sub"].output) == (["sub", "use"], {"accuracy": 0.9})
    assert "succeeded" in result.why("sub")


def test_a_workflow_without_a_mock_ends_the_test_and_says_how_to_go_on() -> None:
    with pytest.raises(MockError, match=r'step sub \(workflow other\) would start(.|\n)*runs\("other.yaml"'):
        run(plan(call()))
    assert run(plan(call()), unmocked="succeed").steps["sub"].output is None
    with pytest.raises(MockError, match="but sub is a workflow step"):
        run(plan(call()), steps={"sub": lost()})


def test_a_workflow_is_tried_again_as_the_core_does() -> None:
    definition = plan(call(retry=Retry(3, delay=10.0, backoff=2.0)))
    result = run(definition, steps={"sub": takes("1h", fails("Boom", times=2)).then(7)})
    sub = result.steps["sub"]
    assert ([each.state for each in sub.attempts], sub.output) == (["failed", "failed", "succeeded"], 7)
    assert [each.attempt for each in sub.attempts] == [1, 2, 3]
    assert result.duration == 2 * HOUR + timedelta(seconds=30)
    failed = run(definition, steps={"sub": fails("Boom", "it broke")})
    assert failed.why("sub") == "Boom: flow-test.sub-3: it broke"


def test_the_total_time_of_a_workflow_ends_it() -> None:
    result = run(plan(call(timeout=Timeout(total=60.0))), steps={"sub": takes("1h")})
    assert (result.duration, result.steps["sub"].attempts[0].state) == (timedelta(minutes=1), "cancelled")
    assert result.why("sub") == "Timeout: flow-test.sub: took longer than the step's total time of 1m"


def test_an_output_above_what_a_caller_takes_fails_the_step_and_a_smaller_one_is_no_reference() -> None:
    definition = plan(call(), step("use", {"sub": "size(output) > 1"}, kind="noop"))
    assert run(definition, steps={"sub": "x" * 50_000}).states["use"] == "succeeded"
    assert run(definition, steps={"sub": "x" * 300_000}).why("sub").startswith("OutputInvalid")


OTHER = plan(
    work("double", inputs={"n": "${{ params.n }}", "zone": "${{ vars.zone }}"}),
    published("data", "double"),
    name="other",
    params={"n": {"type": "integer"}},
    output={"double": "${{ steps.double.output }}", "rows": "${{ steps.data.output }}"},
)


def test_a_workflow_can_run_in_memory_inside_another() -> None:
    double = takes("1h", lambda task: 2 * task.inputs["n"])
    other = runs(OTHER, steps={"double": double}, events=[sends("published", 5, at="3h")])
    result = run(
        plan(wait("pause", **{"for": 60.0}), call(needs="pause", inputs={"n": 4})),
        steps={"sub": other},
        vars={"zone": "a"},
    )
    assert result.steps["sub"].output == {"double": 8, "rows": 5}
    child = result.steps["sub"].run
    assert child is not None
    assert child.steps["double"].inputs == {"n": 4, "zone": "a"}
    assert (child.started_at - result.started_at, child.duration) == (timedelta(minutes=1), 3 * HOUR)
    assert result.duration == 3 * HOUR + timedelta(minutes=1)


def test_a_run_inside_another_fails_is_tried_again_and_is_cancelled_with_it() -> None:
    broken = runs(OTHER, steps={"double": fails("Boom", "it broke")})
    again = fails("Net", times=1).then(broken)
    result = run(plan(call(retry=Retry(2), inputs={"n": 4})), steps={"sub": again}, vars={"zone": "a"})
    assert result.why("sub") == "Boom: flow-test.sub-2: step double failed: it broke"
    assert result.steps["sub"].run is not None
    assert result.steps["sub"].run.error is not None
    long = runs(OTHER, steps={"double": takes("9h"), "data": nobody()})
    stopped = run(plan(call(inputs={"n": 4})), steps={"sub": long}, vars={"zone": "a"}, cancel_at="1h")
    assert (stopped.state, stopped.duration, stopped.states) == ("cancelled", HOUR, {"sub": "cancelled"})
    assert stopped.steps["sub"].run is not None
    assert stopped.steps["sub"].run.state == "cancelled"


def test_what_a_run_inside_another_cannot_do_is_said() -> None:
    misfit = run(plan(call(inputs={"n": "many"})), steps={"sub": runs(OTHER, unmocked="succeed")})
    assert misfit.why("sub").startswith("InvalidParams: flow-test.sub")
    with pytest.raises(MockError, match=r"flow-test.sub: step data waits for the event published(.|\n)*in runs"):
        run(plan(call(inputs={"n": 1})), steps={"sub": runs(OTHER, steps={"double": 1})}, vars={"zone": "a"})
    with pytest.raises(MockError, match="has the workflow third, but the step runs other"):
        run(plan(call()), steps={"sub": runs(plan(step("a"), name="third"))})
    with pytest.raises(MockError, match="no step of the workflow"):
        runs(OTHER, steps={"doubel": 1})
    with pytest.raises(MockError, match="but a is a python step"):
        run(plan(work("a")), steps={"a": runs(OTHER)})


# What a failure does to the rest.


def held(*steps: Any) -> dict[str, Any]:
    return plan(*steps, on_failure="hold")


def test_a_held_step_is_tried_again_when_the_test_says_so() -> None:
    definition = held(work("train"), work("use", "train"))
    mocks = {"train": fails("Boom", times=2).then(7), "use": 1}
    decisions = [releases("train", after="1h", by="ada"), releases("train", "retry", after="2h")]
    result = run(definition, steps=mocks, events=decisions)
    assert (result.state, result.duration, result.steps["train"].output) == ("succeeded", 3 * HOUR, 7)
    assert [each.state for each in result.changes if each.key == "train"].count("held") == 2
    assert "ada had it tried again" in [each.reason for each in result.changes]
    failed = run(definition, steps=mocks, events=[releases("train", "fail", by="ada")])
    assert (failed.states["use"], failed.why("train")) == ("upstream_failed", "Boom: Boom of a mock; ada let it fail")


def test_a_held_step_that_nobody_decides_about_ends_the_test_and_names_its_error() -> None:
    message = r'step train is held, and nobody decides about it: Boom: no(.|\n)*releases\("train", "retry"'
    with pytest.raises(MockError, match=message):
        run(held(work("train")), steps={"train": fails("Boom", "no")})
    assert run(held(work("train")), steps={"train": fails("Boom")}, cancel_at="1h").state == "cancelled"


def test_of_a_held_map_the_items_that_failed_are_tried_again() -> None:
    mocks = {"train": 1, "train[1]": fails("Boom", times=1).then(2)}
    result = run(held(work("train", map=Map([0, 1]))), steps=mocks, events=[releases("train")])
    assert (result.steps["train"].output, len(result.steps["train[1]"].attempts)) == ([1, 2], 2)


def test_an_approval_that_is_held_is_asked_anew() -> None:
    definition = held(ask(timeout=3600.0, on_timeout="fail"))
    late = run(definition, steps={"ask": nobody()}, events=[releases("ask"), releases("ask", "fail")])
    assert (late.state, late.duration) == ("failed", 2 * HOUR)


def test_a_failure_that_stops_the_run_cancels_the_rest() -> None:
    definition = plan(work("a"), work("b"), wait("pause", **{"for": 9.0}), on_failure="stop")
    result = run(definition, steps={"a": fails("Boom"), "b": takes("1h")})
    assert (result.states, result.duration) == ({"a": "failed", "b": "cancelled", "pause": "cancelled"}, timedelta(0))


# Finally.


def last(name: str, needs: Any = (), **fields: Any) -> Any:
    return replace(work(name, needs, **fields), phase="finally")


@pytest.mark.parametrize(
    ("mock", "cancel_at", "state"),
    [(1, None, "succeeded"), (fails("Boom"), None, "failed"), (takes("9h"), "5m", "cancelled")],
)
def test_finally_steps_run_however_the_run_ends(mock: Any, cancel_at: Any, state: str) -> None:
    definition = plan(work("a"), last("clean", env={"STATE": "${{ run.state }}"}))
    result = run(definition, steps={"a": mock, "clean": None}, cancel_at=cancel_at)
    assert (result.state, result.states["clean"]) == (state, "succeeded")
    assert result.steps["clean"].env == {"STATE": state}


def test_finally_steps_of_a_stopped_run_have_a_limit_of_their_own() -> None:
    definition = plan(work("a"), last("clean"), timeout=3600.0)
    result = run(definition, steps={"a": takes("9h"), "clean": takes("9h")})
    assert result.states == {"a": "cancelled", "clean": "cancelled"}
    assert result.duration == timedelta(seconds=3600 + FINALLY_SECONDS)
    in_time = run(definition, steps={"a": takes("9h"), "clean": takes("40m")})
    assert (in_time.states["clean"], in_time.error and in_time.error.type) == ("succeeded", "Timeout")


# Maps inside maps.


def test_nested_maps_have_items_by_key_and_outputs_in_lists_of_lists() -> None:
    nested = Map("${{ params.rows }}", "row", inner=Map("${{ row }}", "cell"))
    definition = plan(
        work("train", map=nested, inputs={"x": "${{ cell }}"}), params={"rows": {"default": [[1, 2], [], [3]]}}
    )

    def square(task: Task) -> Any:
        return task.inputs["x"] ** 2

    result = run(definition, steps={"train": square, "train[2]": fails("Boom", times=1), "train[0][1]": "b"})
    assert result.states == {"train": "failed"}
    assert [each.key for each in result.steps["train"].items] == ["train[0][0]", "train[0][1]", "train[2][0]"]
    assert result.steps["train[2][0]"].error is not None
    assert result.steps["train[2][0]"].item == [[3], 3]
    assert run(definition, steps={"train": square}).steps["train"].output == [[1, 4], [], [9]]
    assert "train[2][0]" in str(result)


def test_an_approval_in_a_nested_map_is_answered_by_its_key() -> None:
    nested = Map([1, 2], "row", inner=Map(["a"], "cell"))
    result = run(plan(ask(map=nested)), steps={"ask[0]": approves(), "ask[1][0]": approves(by="bo")})
    assert [[each["by"] for each in row] for row in result.steps["ask"].output] == [[["approver-1"]], [["bo"]]]
