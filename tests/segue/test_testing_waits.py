"""Waits and approvals in `segue.testing`: time that costs nothing, events and people that the test speaks for."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from segue.testing import (
    MockError,
    Task,
    approves,
    calls,
    fails,
    lost,
    nobody,
    queued,
    recorded,
    rejects,
    releases,
    run,
    sends,
    takes,
)
from tests.segue.own_plans import ask, plan, published, wait, work
from workflows.plan import Map, Timeout

HOUR = timedelta(hours=1)


def test_a_wait_for_a_time_costs_nothing_and_needs_no_mock() -> None:
    result = run(plan(work("a"), wait("pause", "a", **{"for": 7200.0}), work("b", "pause")), steps={"a": 1, "b": 2})
    assert (result.state, result.duration) == ("succeeded", 2 * HOUR)
    assert result.order == ["a", "pause", "b"]
    assert result.steps["pause"].duration == 2 * HOUR
    assert result.steps["b"].started_at == result.started_at + 2 * HOUR
    assert "2025-01-01T02:00:00" in result.why("pause")


def test_a_wait_until_a_time_goes_by_the_clock_of_the_test() -> None:
    definition = plan(wait("morning", until="2026-01-05T09:00:00Z"))
    assert run(definition, at="2026-01-05T06:00:00Z").duration == 3 * HOUR
    assert run(definition, at="2026-01-05T10:00:00Z").duration == timedelta(0)


def test_a_mock_of_a_wait_for_a_time_is_refused() -> None:
    with pytest.raises(MockError, match=r"step pause waits for a time(.|\n)*needs no mock"):
        run(plan(wait("pause", **{"for": 5.0})), steps={"pause": takes("1h")})


@pytest.mark.parametrize("at", ["5m", 300, timedelta(minutes=5), "2025-01-01T00:05:00Z"])
def test_an_event_comes_when_the_test_says(at: Any) -> None:
    result = run(plan(published(), work("use", "data")), steps={"use": 1}, events=[sends("published", {"n": 9}, at=at)])
    assert result.steps["data"].output == {"n": 9}
    assert result.steps["data"].duration == timedelta(minutes=5)
    assert result.why("data") == "the event published came (event-1)"


def test_an_event_may_come_some_time_after_the_start_of_a_step() -> None:
    definition = plan(work("a"), work("b", "a"), published(), work("m", "b", map=Map([1, 2])))
    mocks = {"a": takes("1h"), "b": queued("1h", takes("3h")), "m": takes("1h")}

    def came(step: str) -> timedelta | None:
        return run(definition, steps=mocks, events=[sends("published", at="10m", step=step)]).steps["data"].duration

    assert came("a") == timedelta(minutes=10)
    assert came("b") == timedelta(hours=2, minutes=10), "a step starts when a worker takes it"
    assert came("m[1]") == came("m") == timedelta(hours=5, minutes=10)


def test_an_event_that_is_another_and_one_that_comes_early_are_looked_at_as_in_production() -> None:
    definition = plan(work("a"), published(needs="a", condition="event.n > 5"))
    events = [sends("published", {"n": 1}), sends("published", {"n": 9}, at="1m")]
    result = run(definition, steps={"a": takes("1h")}, events=events)
    assert (result.steps["data"].output, result.duration) == ({"n": 9}, HOUR)


def test_a_wait_is_mocked_by_name_with_the_payload_of_its_event() -> None:
    definition = plan(published(condition="event.n > 5"))
    assert run(definition, steps={"data": takes("2h", {"n": 9})}).duration == 2 * HOUR
    assert run(definition, steps={"data": lambda task: {"n": len(task.key) + 5}}).steps["data"].output == {"n": 9}
    with pytest.raises(MockError, match="event-1 was another"):
        run(definition, steps={"data": {"n": 3}})
    with pytest.raises(MockError, match="waits for the event published, and does nothing else"):
        run(definition, steps={"data": fails("Boom")})


def test_an_event_that_never_comes_is_a_mistake_of_the_test_that_says_so() -> None:
    message = r'waits for the event published, and only publishd was sent\n.*events=\[sends\("published"'
    with pytest.raises(MockError, match=message):
        run(plan(work("a", timeout=Timeout(total=1e6)), published()), steps={"a": 1}, events=[sends("publishd")])
    with pytest.raises(MockError, match=r"step data\[1\] waits for the event published, and nobody sends it"):
        run(plan(published(map=Map([1, 2]))), steps={"data[0]": nobody()})


def test_the_timeout_of_a_wait_or_of_the_run_or_a_cancel_ends_what_nobody_sends() -> None:
    late = run(plan(published(timeout=Timeout(total=3600.0))))
    assert (late.steps["data"].state, late.duration) == ("failed", HOUR)
    assert late.why("data") == "Timeout: the event published did not come within 1h"
    assert late.steps["data"].attempts[0].state == "failed"
    assert run(plan(published(), timeout=7200.0), steps={"data": nobody()}).duration == 2 * HOUR
    assert run(plan(published()), cancel_at="5m").states == {"data": "cancelled"}


def test_without_mocks_a_wait_goes_by_itself_where_all_else_does() -> None:
    assert run(plan(published()), unmocked="succeed").states == {"data": "succeeded"}
    result = run(plan(published(), ask()), unmocked="succeed", events=[sends("published", 5, at="1h")])
    assert (result.steps["data"].output, result.steps["ask"].output["approved"]) == (5, True)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (lambda: [sends("x", step="dat")], 'after the start of "dat", which is no step(.|\n)*did you mean "data"'),
        (lambda: [sends("x", step="data[0]")], "data is no map"),
        (lambda: [sends("x", at="soon")], "which is not a duration"),
        (lambda: [sends("x", at="2024-01-01T00:00:00Z")], "before the run starts"),
        (lambda: [sends("x", {1, 2})], "payload of the event x is no JSON"),
        (lambda: ["x"], "events holds 'x', which is neither"),
        (lambda: [releases("data")], "no step is ever held"),
        (lambda: [releases("data", "again")], '"retry" and "fail"'),  # type: ignore[arg-type]
    ],
)
def test_what_means_nothing_is_refused(events: Any, message: str) -> None:
    with pytest.raises(MockError, match=message):
        run(plan(published()), events=events())


# Approvals.

FORM = {"rollout": {"type": "integer", "maximum": 50, "default": 10}}


def test_an_approval_gives_the_form_and_who_said_yes() -> None:
    definition = plan(ask(form=FORM), work("release", {"ask": "output.approved"}))
    yes = run(definition, steps={"ask": approves(rollout=25, by="ada", comment="fine"), "release": 1})
    assert yes.steps["ask"].output == {"rollout": 25, "approved": True, "by": ["ada"]}
    assert (yes.why("ask"), yes.states["release"]) == ("approved by ada: fine", "succeeded")
    no = run(definition, steps={"ask": rejects(by="ada", comment="no", after="3h")})
    assert (no.steps["ask"].output["approved"], no.states["release"], no.duration) == (False, "skipped", 3 * HOUR)
    assert no.steps["ask"].duration == 3 * HOUR


def test_those_who_are_asked_answer_when_the_test_names_nobody() -> None:
    assert run(plan(ask(by=["ada", "role:lead"])), steps={"ask": approves()}).steps["ask"].output["by"] == ["ada"]
    both = run(plan(ask(by=["ada", "bo"], quorum=2)), steps={"ask": approves(by="ada").then(approves(after="1h"))})
    assert (both.steps["ask"].output["by"], both.duration) == (["ada", "bo"], HOUR)


def test_a_quorum_needs_several() -> None:
    definition = plan(ask(quorum=2))
    assert run(definition, steps={"ask": approves(by=["ada", "grace"])}).steps["ask"].output["by"] == ["ada", "grace"]
    one = approves(by="ada", after="1h")
    assert run(definition, steps={"ask": one.then(approves(by="grace", after="2h"))}).duration == 3 * HOUR
    assert run(definition, steps={"ask": one.then(rejects(by="grace"))}).steps["ask"].output["approved"] is False
    assert run(definition, steps={"ask": approves()}).steps["ask"].output["by"] == ["approver-1", "approver-2"]
    with pytest.raises(MockError, match=r"step ask waits for an approval by anybody \(1 of 2\)"):
        run(definition, steps={"ask": one})


@pytest.mark.parametrize(("choice", "state"), [("reject", "succeeded"), ("approve", "succeeded"), ("fail", "failed")])
def test_the_timeout_decides_where_nobody_does(choice: str, state: str) -> None:
    definition = plan(ask(timeout=172_800.0, on_timeout=choice))
    for mock in (nobody(), approves(after="49h")):
        result = run(definition, steps={"ask": mock})
        assert (result.steps["ask"].state, result.duration) == (state, 48 * HOUR)
        assert "nobody decided within 2d" in result.why("ask")


def test_an_approval_without_a_mock_ends_the_test_and_says_how_to_go_on() -> None:
    with pytest.raises(MockError, match=r'step ask asks for an approval(.|\n)*steps=\{"ask": approves\(by="ada"\)'):
        run(plan(ask()))
    with pytest.raises(MockError, match="mock of ask, an approve step, is no answer"):
        run(plan(ask()), steps={"ask": {"approved": True}})
    assert run(plan(ask(), timeout=3600.0), steps={"ask": nobody()}).error is not None


def test_an_answer_that_the_service_would_refuse_is_a_mistake_of_the_test() -> None:
    with pytest.raises(MockError, match="an answer to ask does not count: eve is not among ada"):
        run(plan(ask(by=["ada"])), steps={"ask": approves(by="eve")})
    with pytest.raises(MockError, match=r"an answer to ask does not fit its form: rollout: .*80"):
        run(plan(ask(form=FORM)), steps={"ask": approves(rollout=80)})


def test_the_items_of_a_map_are_answered_one_by_one() -> None:
    definition = plan(ask(map=Map(["fr", "no"], "country"), by=["ada"]))

    def judge(task: Task) -> Any:
        return approves() if task.item == "fr" else rejects()

    for mocks in ({"ask": judge}, {"ask[0]": approves(), "ask": rejects(after="1h")}):
        result = run(definition, steps=mocks)
        assert [each.output["approved"] for each in result.steps["ask"].items] == [True, False]
        assert [each["approved"] for each in result.steps["ask"].output] == [True, False]


@pytest.mark.parametrize("mock", [approves(), nobody()])
def test_answers_are_for_approvals(mock: Any) -> None:
    with pytest.raises(MockError, match="but a is a python step"):
        run(plan(work("a")), steps={"a": mock})


def test_what_is_for_workers_is_not_for_approvals() -> None:
    for mock in (lost(), calls(len)):
        with pytest.raises(MockError, match="ask"):
            run(plan(ask()), steps={"ask": mock})


def test_recorded_waits_and_approvals_are_played_again(tmp_path: Path) -> None:
    attempt = {"state": "succeeded", "seconds": 3600.0, "error": None}
    head = {"segue_recording": 1, "run": "flow-1", "workflow": "flow", "params": {}, "state": "succeeded"}
    outputs = {"pause": None, "data": {"n": 9}, "ask": {"approved": True, "by": ["ada"], "rollout": 5}}
    steps = [
        {"key": key, "kind": "approve" if key == "ask" else "wait", "state": "succeeded", "reason": "", "output": value}
        | {"attempts": [attempt]}
        for key, value in outputs.items()
    ]
    late = {
        "key": "late",
        "kind": "approve",
        "state": "succeeded",
        "attempts": [attempt],
        "output": {"approved": False, "by": []},
    }
    reason = "rejected, as nobody decided within 2h"
    steps.append(late | {"reason": reason})
    each = {"kind": "approve", "state": "succeeded", "reason": ""}
    steps.append({"key": "each", "attempts": [], "output": None} | each)
    no = {"approved": False, "by": ["ada", "grace"]}
    steps.append({"key": "each[0]", "attempts": [attempt], "output": no} | each)
    path = tmp_path / "run.json"
    path.write_text(json.dumps(head | {"steps": steps}))
    many = ask("each", map=Map([1]))
    late_one = ask("late", timeout=7200.0)
    result = run(
        plan(wait("pause", **{"for": 60.0}), published(), ask(form=FORM), late_one, many), steps=recorded(path)
    )
    assert result.why("each[0]") == "rejected by grace"
    assert {key: result.steps[key].output for key in outputs} == outputs
    assert (result.duration, result.why("late")) == (2 * HOUR, reason)
