"""Virtual time in `segue.testing`: retries, limits, lost workers, cancels, and how many things go on at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from segue.testing import Change, MockError, Result, Task, fails, lost, queued, run, takes


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def one(mock: Any, **keys: Any) -> Result:
    """Run a workflow of one step."""
    return run({"workflow": "flow", "version": 1, "steps": [step("a", **keys)]}, steps={"a": mock})


def step(name: str, *needs: str, **keys: Any) -> dict[str, Any]:
    """Return a step of a plan."""
    retry = {"attempts": 1, "delay": 1.0, "backoff": 2.0, "max_delay": 300.0, "unless": []} | keys.pop("retry", {})
    timeout = keys.pop("timeout", {})
    edges = [{"step": need, "when": None} for need in needs]
    return {"id": name, "kind": "python", "needs": edges, "retry": retry, "timeout": timeout, "map": None, **keys}


def starts(result: Result, key: str = "a") -> list[float]:
    """Return when each attempt of a step started, in seconds from the run's start."""
    return [
        (attempt.started_at - result.started_at).total_seconds()
        for attempt in result.steps[key].attempts
        if attempt.started_at is not None
    ]


def test_a_run_takes_as_long_as_its_longest_path() -> None:
    plan = {"workflow": "flow", "version": 1, "steps": [step("a"), step("b"), step("c", "a", "b"), step("d", "a")]}
    result = run(plan, steps={"a": takes("10m"), "b": takes("20m"), "c": takes(timedelta(minutes=5)), "d": takes(60)})
    assert result.duration == minutes(25)
    assert result.order == ["a", "b", "d", "c"]
    assert result.steps["c"].started_at == result.started_at + minutes(20)
    assert result.steps["c"].duration == minutes(5)


def test_the_clock_starts_where_the_test_says() -> None:
    seen: list[datetime] = []
    plan = {
        "workflow": "flow",
        "version": 1,
        "steps": [step("a", inputs={"at": "${{ run.started_at }}"}), step("b", "a")],
    }

    def note(task: Task) -> None:
        seen.append(task.at)

    result = run(plan, steps={"a": takes("1h", note), "b": note}, at="2026-01-05T06:00:00+01:00")
    assert seen == [datetime(2026, 1, 5, 5, tzinfo=UTC), datetime(2026, 1, 5, 6, tzinfo=UTC)]
    assert result.steps["a"].inputs == {"at": "2026-01-05T05:00:00.000000Z"}
    assert result.changes[-1] == Change(datetime(2026, 1, 5, 6, tzinfo=UTC), "", "succeeded", "2 steps ended")


def test_a_failed_attempt_is_tried_again_after_a_growing_delay() -> None:
    policy = {"attempts": 6, "delay": 10, "backoff": 3, "max_delay": 60}
    result = one(fails("ConnectionError", "no route", times=4).then({"id": 1}), retry=policy)
    assert starts(result) == [0, 10, 40, 100, 160]
    assert result.steps["a"].output == {"id": 1}
    assert result.why("a") == "succeeded on attempt 5"
    assert [attempt.state for attempt in result.steps["a"].attempts] == ["failed"] * 4 + ["succeeded"]
    first = result.steps["a"].attempts[0].error
    assert first is not None
    assert (first.type, first.message) == ("ConnectionError", "no route")


def test_when_all_attempts_are_spent_the_step_fails() -> None:
    result = one(fails("ExitCode", "no", exit_code=2), retry={"attempts": 3})
    assert (result.state, result.reason) == ("failed", "step a failed: ExitCode")
    assert result.why("a") == "ExitCode: no"
    assert starts(result) == [0, 1, 3]
    assert result.error is not None
    assert result.error.detail == {"exit_code": 2, "step": "a"}


@pytest.mark.parametrize("error", ["ConnectionResetError", ConnectionResetError, ConnectionResetError("gone")])
def test_an_error_that_is_never_retried_is_not(error: Any) -> None:
    """By its own name, or by that of a base class, as for exceptions of Python steps."""
    for unless in ("ConnectionResetError", "OSError"):
        assert len(one(fails(error), retry={"attempts": 3, "unless": [unless]}).steps["a"].attempts) == 1
    assert len(one(fails(error), retry={"attempts": 3, "unless": ["ValueError"]}).steps["a"].attempts) == 3
    assert len(one(fails(error, retry=False), retry={"attempts": 3}).steps["a"].attempts) == 1


def test_a_mock_goes_through_its_acts_attempt_by_attempt() -> None:
    mock = fails("A", times=1).then(takes("5s", fails("B", times=1)).then(lambda t: t.attempt))
    result = one(mock, retry={"attempts": 5, "delay": 1, "backoff": 1})
    assert result.steps["a"].output == 3
    assert starts(result) == [0, 1, 7]
    assert one(fails("A", times=1), retry={"attempts": 2}).steps["a"].output is None
    with pytest.raises(MockError, match="for ever"):
        fails("A").then(1)
    with pytest.raises(MockError, match="at least one"):
        fails("A", times=0)


def test_a_function_may_answer_with_a_mock() -> None:
    def slowly(task: Task) -> Any:
        return fails("Early") if task.attempt == 1 else takes("1m", task.attempt)

    result = one(slowly, retry={"attempts": 2})
    assert (result.steps["a"].output, result.duration) == (2, seconds(61))


def test_an_attempt_that_takes_too_long_ends_at_its_limit() -> None:
    result = one(takes("2h", 1), timeout={"run": 600.0}, retry={"attempts": 2, "delay": 60})
    assert result.why("a") == "Timeout: the attempt took longer than 600 s"
    assert starts(result) == [0, 660]
    assert result.duration == minutes(21)
    never = one(takes("2h", 1), timeout={"run": 600.0}, retry={"attempts": 2, "unless": ["Timeout"]})
    assert starts(never) == [0]


def test_a_step_that_no_worker_takes_fails_at_its_limit_and_is_not_retried() -> None:
    result = one(queued("7h", 1), timeout={"queue": 3600.0}, queue="gpu", retry={"attempts": 3})
    assert result.why("a") == "Timeout: no worker of queue gpu took the step within 3600 s"
    assert (result.duration, result.steps["a"].attempts) == (minutes(60), ())
    patient = one(queued("7h", takes("1h", 1)))
    assert (starts(patient), patient.duration) == ([7 * 3600], minutes(8 * 60))


def test_all_attempts_together_have_a_limit() -> None:
    result = one(
        takes("4m", fails("Boom", "it broke")),
        timeout={"total": 600.0},
        retry={"attempts": 9, "delay": 30, "backoff": 1},
    )
    assert result.duration == minutes(10)
    assert starts(result) == [0, 270, 540]
    error = result.steps["a"].error
    assert error is not None
    assert error.message == "the step's total time of 600 s was used up"
    assert error.detail == {"timeout": "total", "last_error": {"type": "Boom", "message": "it broke"}}
    early = one(takes("4m", fails("Boom")), timeout={"total": 600.0}, retry={"attempts": 9, "delay": 400})
    assert early.why("a").startswith("Boom"), "a retry that would come too late is none"
    assert early.duration == minutes(4)


def test_a_lost_worker_is_noticed_by_its_silence_and_the_step_goes_elsewhere() -> None:
    result = one(takes("1m", lost(times=2)).then(1), timeout={"heartbeat": 30.0})
    assert starts(result) == [0, 90, 180]
    assert [attempt.attempt for attempt in result.steps["a"].attempts] == [1, 2, 3]
    reasons = [change.reason for change in result.changes if change.key == "a"]
    assert "WorkerLost: the worker was silent for 30 s; scheduled again (1 of 5)" in reasons[1]
    assert result.why("a") == "succeeded on attempt 3"
    assert result.order == ["a"]


def test_a_step_whose_workers_are_always_lost_fails_in_the_end() -> None:
    result = one(lost())
    assert result.why("a") == "WorkerLost: the worker was silent for 10 s"
    assert len(result.steps["a"].attempts) == 6


def test_a_cancel_ends_what_is_in_flight_and_what_waits() -> None:
    plan = {"workflow": "flow", "version": 1, "steps": [step("a"), step("b"), step("c", "b")]}
    mocks = {"a": takes("2m", 1), "b": takes("10m"), "c": None}
    result = run(plan, steps=mocks, cancel_at="5m")
    assert (result.state, result.reason, result.duration) == ("cancelled", "the run was cancelled", minutes(5))
    assert result.states == {"a": "succeeded", "b": "cancelled", "c": "cancelled"}
    assert result.why("c") == "the run was cancelled; c had not started"
    assert [attempt.state for attempt in result.steps["b"].attempts] == ["cancelled"]
    assert run(plan, steps=mocks, at="2026-01-05T06:00:00Z", cancel_at="2026-01-05T06:05:00Z").duration == minutes(5)
    assert run(plan, steps=mocks, cancel_at="1h").state == "succeeded", "it had ended by then"


def test_a_cancel_between_two_attempts_ends_the_step() -> None:
    plan = {"workflow": "flow", "version": 1, "steps": [step("a", retry={"attempts": 3, "delay": 60})]}
    result = run(plan, steps={"a": fails("Boom")}, cancel_at="30s")
    assert result.states == {"a": "cancelled"}
    assert [attempt.state for attempt in result.steps["a"].attempts] == ["failed"]


def test_a_run_that_takes_too_long_fails() -> None:
    plan = {"workflow": "flow", "version": 1, "timeout": 3600.0, "steps": [step("a"), step("b", "a")]}
    result = run(plan, steps={"a": takes("2h"), "b": None})
    assert (result.state, result.duration) == ("failed", minutes(60))
    assert result.reason == "the run took longer than its timeout of 3600 s"
    assert result.states == {"a": "cancelled", "b": "cancelled"}


def test_only_so_many_steps_are_in_flight_at_once() -> None:
    steps = [step(name) for name in "abcdef"]
    plan = {"workflow": "flow", "version": 1, "max_parallel": 2, "steps": steps}
    result = run(plan, steps=dict.fromkeys("abcdef", takes("1m")))
    assert [starts(result, name)[0] for name in "abcdef"] == [0, 0, 60, 60, 120, 120]


def test_only_so_many_items_of_a_map_are_in_flight_at_once() -> None:
    over = {"over": [3, 1, 1, 1], "name": "n", "limit": 2, "min_success": {"count": 3}}

    def train(task: Task) -> Any:
        return takes(f"{task.item}m", fails("Boom") if task.key == "a[3]" else task.item)

    result = one(train, map=over)
    assert [starts(result, f"a[{item}]")[0] for item in range(4)] == [0, 0, 60, 120]
    assert (result.states["a"], result.steps["a"].output) == ("succeeded", [3, 1, 1, None])
    assert result.steps["a"].duration == minutes(3)


def test_what_is_no_duration_is_refused() -> None:
    with pytest.raises(MockError, match="not a duration"):
        takes("soon")
    with pytest.raises(MockError, match="not negative"):
        queued(-1)
    with pytest.raises(MockError, match="not a time"):
        run("segue: 1\nname: a\nsteps: {a: {uses: noop}}", at="monday")
    with pytest.raises(MockError, match="before the run starts"):
        run("segue: 1\nname: a\nsteps: {a: {uses: noop}}", cancel_at="2024-01-01T00:00:00Z")
