"""What a transition or an observation does to the rows of a run: pure, so that every rule can be tested by itself.

The interpreter's transitions are the truth and come in their order. What the observer sees of attempts in between only
ever moves a step forward. A final state never changes, whoever says so. Nothing here touches the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from store.columns import moment, text_of
from store.rows import Run, row_as, step_as
from store.runs import step_row
from store.tables import ACTIVE_STEP_STATES
from workflows.messages import PROGRESS, TERMINAL_RUN_STATES, TERMINAL_STEP_STATES, StepError, StepResult, Transition
from workflows.plan import MAX_MAP_ITEMS

_DECISION = frozenset({"rule", "needs", "conditions", "if"})
"""What the core says of why a step starts or not."""
_ITEM = re.compile(r"([^\[]+)((?:\[\d+\])+)")
_FOLDER = re.compile(r".*/(\d+)\.(\d+)-[^/]*")

_SLACK = timedelta(milliseconds=1)
MAX_PROGRESS_PAUSE = timedelta(seconds=10)
"""A step's progress is an event each time: so often at least, and at most once in a hundredth of the time it runs."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PendingAttempt:
    """What Temporal says about a step that is in flight.

    Attributes:
        key: The step's key.
        number: Number of the attempt that runs or comes next, from 1, within its generation.
        running: Whether a worker has taken it; otherwise it waits, for a worker or for its time.
        limit: Attempts that a generation has.
        scheduled_at: When the attempt was scheduled.
        started_at: When it was taken.
        worker: Identity of the worker that has it, or had the attempt before.
        failure: Why the attempt before failed, if there was one.
        failed_at: When it did.
        next_at: When the next one may start.
        waits: What it waits for on the worker that has it; None: it runs there.
        progress: How far it is, as its step tells: `{"done", "total", "text"}`.
    """

    key: str
    number: int
    running: bool
    limit: int = 0
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    worker: str | None = None
    failure: StepError | None = None
    failed_at: datetime | None = None
    next_at: datetime | None = None
    waits: str | None = None
    progress: dict[str, Any] | None = None


class Fold:
    """The rows of one run while they change, and the events that tell of it.

    Attributes:
        run: The run's row.
        steps: Rows by key: all that the changes speak of, and the steps of their items.
        attempts: Rows of these steps by generation and number, by key.
        changed_steps: Keys of the rows that are to be written.
        changed_attempts: Likewise.
        events: Rows to insert.
    """

    def __init__(self, run: Row, steps: Iterable[Row] = (), attempts: Iterable[Row] = ()) -> None:
        self.run = run
        self.steps = {row["key"]: row for row in steps}
        self.attempts: dict[str, dict[tuple[int, int], Row]] = {}
        for row in attempts:
            self.attempts.setdefault(row["key"], {})[row["generation"], row["number"]] = row
        self.changed_steps: dict[str, None] = {}
        self.changed_attempts: dict[tuple[str, int, int], None] = {}
        self.events: list[Row] = []

    @property
    def ended(self) -> bool:
        """Whether the run's state is final."""
        return self.run["state"] in TERMINAL_RUN_STATES

    def apply(self, change: Transition, now: datetime) -> None:
        """Take in one transition; `now` stands for a time that is none."""
        self.run["applied"] = change.seq
        at = moment(change.at) or now
        if self.ended and (change.key or not change.detail.get("again")):
            return
        if change.key:
            self._apply_to_step(change, at)
        else:
            self._apply_to_run(change, at)

    def observe(self, seen: PendingAttempt, now: datetime) -> bool:
        """Take in what was seen of an attempt; say whether it was news."""
        step = self.steps.get(seen.key)
        if step is None or self.ended or step["state"] not in ACTIVE_STEP_STATES or _is_of_before(step, seen):
            return False
        if not _is_news(step, seen):
            return self._observe_progress(step, seen, now)
        if seen.number > 1:
            self._end_failed(step, seen, now)
        generation = step["generation"]
        if seen.running and seen.waits is not None:
            reason = f"{seen.waits} on {seen.worker}"
            if step["reason"] == reason:
                return False
            state = "retrying" if step["state"] == "running" else step["state"]
            step.update(state=state, reason=reason, detail={**step["detail"], "waits": seen.waits})
        elif seen.running:
            attempt = generation * seen.limit + seen.number
            step.update(state="running", attempt=attempt, worker=seen.worker)
            step["started_at"] = step["started_at"] or seen.started_at or now
            known = {
                name: value for name, value in step["detail"].items() if name not in ("next_at", "waits", PROGRESS)
            }
            step["detail"] = known | _progress(seen, now)
            step["reason"] = f"runs on {seen.worker}" + (f", attempt {attempt}" if attempt > 1 else "")
            row = self._attempt(step, generation, seen.number, attempt)
            row.update(state="running", worker=seen.worker, started_at=seen.started_at or now)
        else:
            attempt = generation * seen.limit + seen.number - 1
            step.update(state="retrying", attempt=attempt)
            what = f": {seen.failure.type}: {seen.failure.message}" if seen.failure else ""
            step["reason"] = f"attempt {attempt} failed{what}"
            step["detail"] = {**step["detail"], "next_at": text_of(seen.next_at)}
        self._tell_step(step, now)
        return True

    def mark_stuck(self, stuck: str | None, now: datetime) -> bool:
        """Take in what keeps the run from moving, or that nothing does; say whether it was news."""
        if self.ended or self.run["stuck"] == stuck:
            return False
        self.run["stuck"] = stuck
        self._tell("run", "", row_as(Run, self.run).summary(), now, None)
        return True

    def _observe_progress(self, step: Row, seen: PendingAttempt, now: datetime) -> bool:
        """Take in that an attempt which is known to run is further on; a long one tells so less and less often."""
        if not seen.running or step["state"] != "running" or seen.progress is None:
            return False
        before = dict(step["detail"].get(PROGRESS, {}))
        told = before.pop("at", None)
        pause = min(MAX_PROGRESS_PAUSE, (now - (step["started_at"] or now)) / 100)
        if before == seen.progress or (told is not None and now - datetime.fromisoformat(told) < pause):
            return False
        step["detail"] = step["detail"] | _progress(seen, now)
        self._tell_step(step, now)
        return True

    def reopen(self, reason: str, now: datetime) -> None:
        """Let the run go on after its end, before it says so itself."""
        self._apply_to_run(Transition(0, 0.0, "", "pending", reason), now)

    def finish(self, state: str, reason: str, now: datetime) -> None:
        """End the run from outside, when the interpreter cannot; what had not ended is cancelled."""
        if self.ended:
            return
        for step in sorted(
            self.steps.values(), key=lambda row: (row["position"], -1 if row["item"] is None else row["item"])
        ):
            if step["state"] not in TERMINAL_STEP_STATES:
                self._apply_to_step(Transition(0, 0.0, step["key"], "cancelled", reason), now)
        error = StepError("Terminated", reason) if state == "failed" else None
        self._apply_to_run(Transition(0, 0.0, "", state, reason, error=error), now)

    def _apply_to_run(self, change: Transition, at: datetime) -> None:
        run = self.run
        run.update(state=change.state, reason=change.reason, stuck=None)
        if change.state in TERMINAL_RUN_STATES:
            run.update(ended_at=at, output=change.value, error=_error(change.error))
        else:
            # One that goes on after its end has none any more.
            run.update(ended_at=None, output=None, error=None)
        if change.state == "running":
            run["started_at"] = run["started_at"] or at
        operation = change.detail.get("operation")
        done = {"operation": operation} if operation else {}
        self._tell("run", "", {**row_as(Run, run).summary(), **done}, at, change.seq or None)

    def _apply_to_step(self, change: Transition, at: datetime) -> None:
        step = self.steps.get(change.key) or self._new_step(change.key)
        if step["state"] in TERMINAL_STEP_STATES:
            if not change.detail.get("again"):
                return
            # Somebody had it tried again: what it came to before is in its attempts.
            step.update(ended_at=None, output=None, output_object=None, error=None)
        # Why a step started is asked for after it has ended too.
        kept = {*_DECISION, PROGRESS} if change.state in ("failed", "cancelled") else _DECISION
        decision = {name: fact for name, fact in step["detail"].items() if name in kept}
        step.update(state=change.state, reason=change.reason, detail={**decision, **change.detail})
        step["queue"] = change.queue or step["queue"]
        if change.state == "queued":
            self._queue(step, change, at)
        elif change.state in TERMINAL_STEP_STATES:
            self._end(step, change, at)
        elif change.state == "held":
            step["error"] = _error(change.error)
            self._end_attempt(step, change, "failed", at)
        elif change.state == "running":
            step["started_at"] = step["started_at"] or at
        self._tell_step(step, at, change.seq or None)

    def _new_step(self, key: str) -> Row:
        """Make the row of a map's item, or of a step whose plan was not known when the run was recorded."""
        item = _ITEM.fullmatch(key)
        parent = self.steps.get(item[1]) if item else None
        if item is None or parent is None:
            row = step_row(self.run["id"], key, position=1_000_000)
        else:
            known = {name: parent[name] for name in ("position", "kind", "queue", "step")}
            row = step_row(self.run["id"], key, **{**known, "item": _ordinal(item[2])})
        self.steps[key] = row
        return row

    def _queue(self, step: Row, change: Transition, at: datetime) -> None:
        if step["queued_at"] is not None:
            lost = change.detail.get("error") or {"type": "WorkerLost", "message": change.reason}
            error = StepError(lost["type"], lost["message"], lost.get("detail", {}))
            # Handed back by its worker, it may have an attempt that nobody has seen.
            self._end_attempt(step, replace(change, error=error), "failed", at)
            step["generation"] += 1
        step["generation"] = change.detail.get("generation", step["generation"])
        step.update(queued_at=at, scheduled_at=step["scheduled_at"] or at, error=None)

    def _end(self, step: Row, change: Transition, at: datetime) -> None:
        result = change.result or StepResult()
        started, ended = moment(result.started_at), moment(result.ended_at) or at
        step["started_at"] = step["started_at"] or started
        # Worker and server have clocks of their own; a duration is never negative.
        step["ended_at"] = max(ended, step["started_at"]) if step["started_at"] else ended
        step.update(output=result.value, output_object=result.output, error=_error(change.error))
        # What people said of a step is not what became of its attempt, which was cancelled for it.
        self._end_attempt(step, change, "cancelled" if change.detail.get("operation") else change.state, ended)

    def _end_attempt(self, step: Row, change: Transition, state: str, at: datetime) -> None:
        """Record the end of the attempt that a transition tells of, and of those that were open before it."""
        result = change.result or StepResult()
        started, ended = moment(result.started_at), moment(result.ended_at) or at
        if not result.folder:
            self._end_open_attempts(step, state, _error(change.error), ended)
            return
        step.update(folder=result.folder, worker=result.worker, attempt=max(step["attempt"], result.attempt))
        where = _FOLDER.fullmatch(result.folder)
        generation, number = (int(where[1]), int(where[2])) if where else (step["generation"], result.attempt)
        self._fill_in(step, generation, number, result.attempt, started or ended)
        row = self._attempt(step, generation, number, result.attempt)
        row.update(state=state, worker=result.worker, started_at=started or row["started_at"], ended_at=ended)
        row.update(error=_error(change.error), folder=result.folder)
        self._end_open_attempts(step, "failed", None, started or ended)

    def _fill_in(self, step: Row, generation: int, number: int, attempt: int, at: datetime) -> None:
        """Record that there were attempts before this one which were over before anybody looked."""
        known = self.attempts.get(step["key"], {})
        for missing in range(1, number):
            if (generation, missing) not in known:
                row = self._attempt(step, generation, missing, attempt - number + missing)
                row.update(state="failed", ended_at=at)

    def _end_failed(self, step: Row, seen: PendingAttempt, now: datetime) -> None:
        """Record the end of the attempt before the one that was seen."""
        generation, number = step["generation"], seen.number - 1
        row = self._attempt(step, generation, number, generation * seen.limit + number)
        if row["ended_at"] is None:
            row.update(state="failed", ended_at=seen.failed_at or now, error=_error(seen.failure))
            row["worker"] = row["worker"] or (None if seen.running else seen.worker)
        self._end_open_attempts(step, "failed", None, seen.failed_at or now)

    def _end_open_attempts(self, step: Row, state: str, error: Row | None, at: datetime) -> None:
        for (generation, number), row in self.attempts.get(step["key"], {}).items():
            if row["state"] == "running":
                row.update(state=state, ended_at=at, error=error)
                self.changed_attempts[step["key"], generation, number] = None

    def _attempt(self, step: Row, generation: int, number: int, attempt: int) -> Row:
        key = step["key"]
        self.changed_attempts[key, generation, number] = None
        rows = self.attempts.setdefault(key, {})
        if (generation, number) not in rows:
            place = {"run": self.run["id"], "key": key, "generation": generation, "number": number}
            blank = dict.fromkeys(("worker", "started_at", "ended_at", "error", "folder"))
            rows[generation, number] = {**place, "attempt": attempt, "state": "running", **blank}
        return rows[generation, number]

    def _tell_step(self, step: Row, at: datetime, transition: int | None = None) -> None:
        self.changed_steps[step["key"]] = None
        tried = sorted(self.attempts.get(step["key"], {}).items())
        self._tell("step", step["key"], step_as(step, [row for _, row in tried]).to_json(), at, transition)

    def _tell(self, kind: str, key: str, data: Row, at: datetime, transition: int | None) -> None:
        self.run["seq"] += 1
        place = {"run": self.run["id"], "seq": self.run["seq"], "transition": transition}
        self.events.append({**place, "at": at, "kind": kind, "key": key, "data": data})


def _is_of_before(step: Row, seen: PendingAttempt) -> bool:
    """Whether an observation is of a generation before the step's present one."""
    return step["queued_at"] is None or bool(seen.scheduled_at and seen.scheduled_at < step["queued_at"] - _SLACK)


def _progress(seen: PendingAttempt, now: datetime) -> Row:
    return {} if seen.progress is None else {PROGRESS: {**seen.progress, "at": text_of(now)}}


def _is_news(step: Row, seen: PendingAttempt) -> bool:
    """Whether an observation of the step's present generation is further on than what is recorded."""
    recorded: int = step["attempt"] - step["generation"] * seen.limit
    if seen.running:
        return seen.number > recorded
    # It waits for its second attempt, or a later one; to wait for the first is the state `queued`.
    follows = recorded + (1 if step["state"] == "running" else 2)
    return seen.number >= max(2, follows)


def _order(step: Row) -> tuple[int, int]:
    return step["position"], -1 if step["item"] is None else step["item"]


def _ordinal(path: str) -> int:
    """Return the number by which a map's items are in order: that of `[3]` is 3, and `[3][0]` is before `[3][1]`."""
    number = 0
    for part in re.findall(r"\d+", path):
        number = number * MAX_MAP_ITEMS + int(part)
    return number


def _error(error: StepError | None) -> Row | None:
    return asdict(error) if error else None
