"""Whatever is seen in between, in whatever order, the interpreter's record decides, and nothing goes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from store.folding import Fold, PendingAttempt
from store.rows import Run, step_as
from store.runs import step_row
from tests.store.samples import NOON, a_whole_run
from workflows.messages import TERMINAL_STEP_STATES, StepError, StepResult, Transition

NOW = datetime.fromtimestamp(NOON + 1_000, UTC)
KEYS = ("load", "train", "train[0]", "train[1]", "check", "nothing")

TIMES = st.floats(0, 100).map(lambda seconds: datetime.fromtimestamp(NOON + seconds, UTC))
SIGHTINGS = st.builds(
    PendingAttempt,
    key=st.sampled_from(KEYS),
    number=st.integers(1, 4),
    running=st.booleans(),
    limit=st.integers(1, 3),
    scheduled_at=st.none() | TIMES,
    started_at=st.none() | TIMES,
    worker=st.none() | st.just("cpu@host:1"),
    failure=st.none() | st.just(StepError("ValueError", "bad")),
    failed_at=st.none() | TIMES,
    waits=st.none() | st.just("waits for 1 gpu (0 free)"),
)
Happening = Transition | PendingAttempt


def new_fold() -> Fold:
    run = Run("r", "w", 1, "pending", "", "manual", "", {}, None, None, "", 1, 0, NOW, None, None)
    return Fold(asdict(run), [step_row("r", key, position=n) for n, key in enumerate(("load", "train", "check"))])


def fold(happenings: Sequence[Happening]) -> Fold:
    folded = new_fold()
    for happening in happenings:
        final = {key: dict(row) for key, row in folded.steps.items() if row["state"] in TERMINAL_STEP_STATES}
        if isinstance(happening, Transition):
            folded.apply(happening, NOW)
        else:
            folded.observe(happening, NOW)
        for key, row in final.items():
            assert folded.steps[key] == row
    return folded


@st.composite
def interleaved(draw: Any) -> list[Happening]:
    """Draw the transitions of a run, in order, up to some point, with sightings strewn in."""
    changes = a_whole_run()[: draw(st.integers(0, 11))]
    happenings: list[Happening] = []
    for change in changes:
        happenings += draw(st.lists(SIGHTINGS, max_size=3))
        happenings.append(change)
    happenings += draw(st.lists(SIGHTINGS, max_size=3))
    return happenings


def test_a_step_that_waits_on_its_worker_is_queued_and_says_for_what_until_it_runs() -> None:
    folded = new_fold()
    folded.apply(Transition(1, NOON, "", "running"), NOW)
    folded.apply(Transition(2, NOON, "load", "queued", queue="gpu"), NOW)
    waits = PendingAttempt("load", 1, running=True, limit=2, worker="gpu@a:1", waits="waits for 1 gpu (0 free)")
    step = folded.steps["load"]
    assert folded.observe(waits, NOW)
    assert (step["state"], step["reason"], step["worker"]) == ("queued", "waits for 1 gpu (0 free) on gpu@a:1", None)
    assert step["detail"]["waits"] == "waits for 1 gpu (0 free)"
    assert not folded.observe(waits, NOW), "the same again is no news"
    assert folded.attempts.get("load", {}) == {}
    assert folded.observe(replace(waits, waits=None), NOW)
    assert (step["state"], step["reason"]) == ("running", "runs on gpu@a:1")
    assert "waits" not in step["detail"]
    second = replace(waits, number=2, failure=StepError("ExitCode", "it broke"))
    assert folded.observe(second, NOW)
    assert (step["state"], step["reason"]) == ("retrying", "waits for 1 gpu (0 free) on gpu@a:1")
    assert [row["state"] for row in folded.attempts["load"].values()] == ["failed"]


def test_a_run_that_waits_for_a_place_is_pending_and_has_not_started() -> None:
    folded = new_fold()
    for seq, (state, reason) in enumerate([("pending", "held by a"), ("pending", "held by b"), ("running", "")], 1):
        folded.apply(Transition(seq, NOON + seq, "", state, reason), NOW)
    told = [(event["data"]["state"], event["data"]["reason"], event["data"]["started_at"]) for event in folded.events]
    assert told[:2] == [("pending", "held by a", None), ("pending", "held by b", None)]
    assert folded.run["started_at"] == datetime.fromtimestamp(NOON + 3, UTC)


def test_a_run_that_is_cancelled_while_it_waits_never_started() -> None:
    folded = new_fold()
    folded.apply(Transition(1, NOON, "", "pending", "held by a"), NOW)
    folded.apply(Transition(2, NOON + 1, "", "cancelled", "enough"), NOW)
    assert (folded.run["state"], folded.run["started_at"]) == ("cancelled", None)
    assert folded.run["ended_at"] == datetime.fromtimestamp(NOON + 1, UTC)


@given(interleaved())
def test_sightings_never_change_what_the_interpreter_recorded(happenings: list[Happening]) -> None:
    folded = fold(happenings)
    told = fold([each for each in happenings if isinstance(each, Transition)])
    assert folded.run["state"] == told.run["state"]
    assert folded.run["applied"] == told.run["applied"]
    for key, row in told.steps.items():
        seen = folded.steps[key]
        if row["state"] == "queued":
            assert seen["state"] in ("queued", "running", "retrying")
        else:
            assert (seen["state"], seen["output"], seen["error"]) == (row["state"], row["output"], row["error"])


@given(interleaved())
def test_events_are_without_gaps_and_end_in_the_rows_they_tell_of(happenings: list[Happening]) -> None:
    folded = fold(happenings)
    assert [event["seq"] for event in folded.events] == list(range(2, folded.run["seq"] + 1))
    last = {event["key"]: event["data"] for event in folded.events if event["kind"] == "step"}
    for key, data in last.items():
        attempts = [row for _, row in sorted(folded.attempts.get(key, {}).items())]
        assert data == step_as(folded.steps[key], attempts).to_json()
    assert set(last) == set(folded.changed_steps)


@given(interleaved())
def test_a_step_that_has_ended_has_no_attempt_that_runs(happenings: list[Happening]) -> None:
    folded = fold(happenings)
    for key, row in folded.steps.items():
        running = [a for a in folded.attempts.get(key, {}).values() if a["state"] == "running"]
        assert len(running) == (row["state"] == "running" and key != "train")
        assert all(a["ended_at"] is not None for a in folded.attempts.get(key, {}).values() if a not in running)


@given(st.lists(SIGHTINGS, max_size=10))
def test_what_was_news_once_is_no_news_again(sightings: list[PendingAttempt]) -> None:
    folded = fold(a_whole_run()[:2])
    for seen in sightings:
        folded.observe(seen, NOW)
        assert not folded.observe(seen, NOW)


def test_a_step_that_is_tried_again_by_hand_goes_on_from_where_it_was() -> None:
    folded = new_fold()
    changes = [
        Transition(1, NOON, "load", "queued", queue="cpu"),
        Transition(2, NOON + 1, "load", "failed", error=StepError("Boom", "it broke")),
        Transition(3, NOON + 2, "load", "running", "late"),
        Transition(4, NOON + 3, "load", "queued", detail={"again": 1}, queue="cpu"),
    ]
    for change in changes[:3]:
        folded.apply(change, NOW)
    assert folded.steps["load"]["state"] == "failed", "what is over does not begin again by itself"
    folded.apply(changes[3], NOW)
    load = folded.steps["load"]
    assert (load["state"], load["error"], load["ended_at"], load["generation"]) == ("queued", None, None, 1)


def test_the_items_of_nested_maps_belong_to_their_step_and_keep_their_order() -> None:
    folded = new_fold()
    for seq, key in enumerate(("train[1][0]", "train[0][1]", "train[0][0]", "train[10]"), 1):
        folded.apply(Transition(seq, NOON, key, "queued", queue="cpu"), NOW)
    items = {key: row["item"] for key, row in folded.steps.items() if "[" in key}
    assert {folded.steps[key]["step"] for key in items} == {"train"}
    nested = sorted((item, key) for key, item in items.items() if key.count("[") == 2)
    assert [key for _, key in nested] == ["train[0][0]", "train[0][1]", "train[1][0]"]


def test_attempts_that_were_over_before_anybody_looked_are_not_missing_in_the_end() -> None:
    folded = new_fold()
    folded.apply(Transition(1, NOON, "load", "queued", queue="cpu"), NOW)
    last = StepResult(folder="runs/r/load/000.003-0123abcd", attempt=3, worker="cpu@host:1", started_at=NOON + 2)
    folded.apply(Transition(2, NOON + 3, "load", "succeeded", result=last), NOW)
    rows = folded.attempts["load"]
    assert {place: (row["attempt"], row["state"]) for place, row in rows.items()} == {
        (0, 1): (1, "failed"),
        (0, 2): (2, "failed"),
        (0, 3): (3, "succeeded"),
    }


def test_an_attempt_that_its_worker_handed_back_before_anybody_looked_is_on_record() -> None:
    folded = new_fold()
    folded.apply(Transition(1, NOON, "load", "queued", "waits for a worker on cpu"), NOW)
    ended = StepResult(
        folder="runs/r/load/000.001-0", attempt=1, worker="cpu@here:1", started_at=NOON, ended_at=NOON + 1
    )
    lost = {"generation": 1, "error": {"type": "WorkerLost", "message": "the worker was stopped"}}
    folded.apply(Transition(2, NOON + 1, "load", "queued", "again", lost, result=ended), NOW)
    assert folded.steps["load"]["generation"] == 1
    [row] = folded.attempts["load"].values()
    assert (row["state"], row["worker"], row["folder"]) == ("failed", "cpu@here:1", ended.folder)
    assert row["error"] == {"type": "WorkerLost", "message": "the worker was stopped", "detail": {}}


def test_a_run_that_goes_on_after_its_end_has_none_any_more() -> None:
    folded = new_fold()
    again = {"again": {"by": "ada"}}
    operation = {"id": "o", "kind": "retry", "by": "ada", "why": "mended"}
    for change in (
        Transition(1, NOON, "", "running"),
        Transition(2, NOON + 1, "load", "queued", queue="cpu"),
        Transition(3, NOON + 2, "load", "failed", error=StepError("Boom", "it broke")),
        Transition(4, NOON + 3, "", "failed", error=StepError("Boom", "it broke")),
        Transition(5, NOON + 4, "", "running", "late"),
    ):
        folded.apply(change, NOW)
    assert folded.run["state"] == "failed", "what is over does not begin again by itself"
    folded.apply(Transition(6, NOON + 5, "", "running", "ada had it go on", {**again, "operation": operation}), NOW)
    folded.apply(Transition(7, NOON + 5, "load", "waiting", detail=again), NOW)
    run, load = folded.run, folded.steps["load"]
    assert (run["state"], run["ended_at"], run["error"], run["applied"]) == ("running", None, None, 7)
    assert run["started_at"] == datetime.fromtimestamp(NOON, UTC)
    assert folded.events[-2]["data"]["operation"] == operation
    folded.apply(Transition(8, NOON + 6, "load", "queued", queue="cpu", detail={"generation": 3}), NOW)
    assert (load["state"], load["generation"], load["error"]) == ("queued", 3, None)
    assert [event["seq"] for event in folded.events] == list(range(2, run["seq"] + 1))


def test_the_attempt_of_a_step_of_which_somebody_said_something_was_cancelled() -> None:
    folded = new_fold()
    result = StepResult({"n": 1}, None, "runs/r/load/000.001-3f2a9c1e", 1, "cpu@host:1", NOON, NOON + 1)
    folded.apply(Transition(1, NOON, "load", "queued", queue="cpu"), NOW)
    folded.apply(Transition(2, NOON + 2, "load", "succeeded", detail={"operation": True}, result=result), NOW)
    assert (folded.steps["load"]["state"], folded.steps["load"]["output"]) == ("succeeded", {"n": 1})
    assert [attempt["state"] for attempt in folded.attempts["load"].values()] == ["cancelled"]


def test_a_step_that_runs_for_hours_tells_its_progress_every_ten_seconds() -> None:
    folded = new_fold()
    folded.apply(Transition(1, NOON, "load", "queued", queue="cpu"), NOW)
    start = datetime.fromtimestamp(NOON, UTC)
    news = [
        seconds
        for seconds in range(7_200)
        if folded.observe(
            PendingAttempt("load", 1, True, 1, started_at=start, progress={"done": seconds, "total": None, "text": ""}),
            start + timedelta(seconds=seconds),
        )
    ]
    assert news[:50] == [*range(50)]
    assert {after - before for before, after in zip(news[-50:], news[-49:], strict=False)} == {10}
    assert len(news) < 1_000
