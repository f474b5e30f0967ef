"""A run as it goes on: the newest state of its steps, from its events. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from segue.measures import Progress
from segue.models import Run, RunEvent, RunSummary, Step

BAR = 10
"""Characters of a bar."""
MOVING = frozenset({"queued", "running", "retrying"})


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table.

    Attributes:
        name: The step's key, indented for an item of a map.
        note: The reason or the error, in a few words.
    """

    name: str
    state: str
    queue: str
    attempt: str
    duration: str
    note: str


class RunView:
    """The newest known state of a run."""

    def __init__(self, run: Run) -> None:
        self.summary: RunSummary = run
        self.seq = run.seq
        self._steps: dict[str, list[Step]] = {}
        for step in run.steps:
            self._put(step)

    def apply(self, event: RunEvent) -> None:
        """Take in what happened."""
        self.seq = event.seq
        if event.run is not None:
            self.summary = event.run
        if event.step is not None:
            self._put(event.step)

    def rows(self, now: datetime | None = None) -> list[Row]:
        """Return a row for every step and item, in plan order."""
        at = now or datetime.now(UTC)
        return [row_of(step, at) for group in self._steps.values() for step in group]

    @property
    def counts(self) -> str:
        """How many steps are in which state, such as `3 succeeded, 1 running`."""
        states = [group[0].state for group in self._steps.values()]
        return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))

    def _put(self, step: Step) -> None:
        """Put a step in the place of its older self; an item comes after its step, in item order."""
        group = self._steps.setdefault(step.step, [])
        for index, known in enumerate(group):
            if known.key == step.key:
                group[index] = step
                return
        group.append(step)
        group.sort(key=lambda each: -1 if each.item is None else each.item)


def row_of(step: Step, now: datetime) -> Row:
    """Return the row of a step."""
    return Row(
        name=step.key if step.item is None else f"  {step.key}",
        state=step.state,
        queue=step.queue,
        attempt=str(step.attempt) if step.attempt else "",
        duration=duration_text(step.started_at or step.scheduled_at, step.ended_at, now, step.state),
        note=note_of(step),
    )


def note_of(step: Step) -> str:
    """Return why a step is as it is, where that is worth a word."""
    if step.error is not None and step.state in ("failed", "held", "retrying", "running"):
        first = step.error.message.strip().splitlines()[:1]
        return f"{step.error.type}: {first[0]}" if first else step.error.type
    if step.progress is not None and step.state == "running":
        return progress_text(step.progress)
    told = step.state in ("waiting", "failed", "skipped", "upstream_failed", "cancelled")
    # One that a worker has says by its log what it does; one that waits for people or time has no log.
    # That a step waits for a worker goes without saying; not that it waits on one, for room.
    told = told or (step.state == "queued" and "waits" in step.detail)
    return step.reason if told or (step.state == "running" and step.kind in ("approve", "wait")) else ""


def progress_text(progress: Progress) -> str:
    """Return how far a step is, such as `[###       ] 3/10 rows read`."""
    if progress.total is None:
        return f"{progress.done:.6g} {progress.text}".rstrip()
    full = int(BAR * min(1.0, max(0.0, progress.done / progress.total)))
    bar = "#" * full + " " * (BAR - full)
    return f"[{bar}] {progress.done:.6g}/{progress.total:.6g} {progress.text}".rstrip()


def duration_text(start: datetime | None, end: datetime | None, now: datetime, state: str) -> str:
    """Return how long something took, or has been going on."""
    if start is None or (end is None and state not in MOVING):
        return ""
    seconds = max(0.0, ((end or now) - start).total_seconds())
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def fitting(rows: list[Row], room: int) -> tuple[list[Row], int]:
    """Return the rows that fit on a screen and how many do not: those that move first, and what ended last."""
    if len(rows) <= room:
        return rows, 0
    moving = [index for index, row in enumerate(rows) if row.state in MOVING]
    others = [index for index in reversed(range(len(rows))) if index not in set(moving)]
    ended: Iterable[int] = (index for index in others if rows[index].state != "waiting")
    waiting = (index for index in reversed(others) if rows[index].state == "waiting")
    chosen = sorted([*moving, *ended, *waiting][:room])
    return [rows[index] for index in chosen], len(rows) - len(chosen)
