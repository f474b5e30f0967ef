"""What a run in memory came to: its steps with their states, reasons, outputs and attempts. Plain data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from segue.models import Attempt, StepFailure
from segue.testing.times import shown

__all__ = ["Attempt", "Change", "Result", "Step", "StepFailure", "Steps"]

_WIDEST = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One change of state, of a step, an item of a map (`train[0]`) or the run (its key is empty)."""

    at: datetime
    key: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step at the end of the run, or an item of a map.

    Attributes:
        key: The step's id, or `train[0]` for an item.
        reason: One sentence: why this state.
        detail: The reason as data: the rule, the states of the needs, conditions with the values they saw.
        output: What it gave; None unless it succeeded.
        error: Why it failed.
        exception: The exception of a mock's function that made the last attempt fail.
        attempts: Every try, the lost ones too.
        items: Of a map, in their order; of a map inside a map, all of them: `train[2][0]`.
        item: The item of the map that this one ran for.
        inputs: What the step got under `with`, as its last attempt saw it; empty when it never started.
        env: Its variables, likewise.
        action: Its own part with all templates rendered, likewise: the script, the callable, the requests.
        run: Of a `workflow` step whose mock is `runs(...)`: its newest run.
    """

    key: str
    kind: str
    queue: str
    state: str
    reason: str
    detail: dict[str, Any] = field(default_factory=dict)
    output: Any = None
    error: StepFailure | None = None
    exception: BaseException | None = None
    attempts: tuple[Attempt, ...] = ()
    items: tuple[Step, ...] = ()
    item: Any = None
    inputs: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    action: dict[str, Any] = field(default_factory=dict)
    run: Result | None = None
    scheduled_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def started_at(self) -> datetime | None:
        """Start of the first attempt; of a map, of its first item."""
        starts = [each.attempts[0].started_at for each in (self, *self.items) if each.attempts]
        return min((start for start in starts if start is not None), default=None)

    @property
    def duration(self) -> timedelta | None:
        """From the start of the first attempt to the end; None when it never started."""
        start = self.started_at
        return None if start is None or self.ended_at is None else self.ended_at - start

    def __repr__(self) -> str:
        return f"<{self.key} {self.state}: {self.reason}>"


class Steps(dict[str, Step]):
    """Steps by id; an item of a map is found by its key, `train[0]`, too."""

    def __missing__(self, key: str) -> Step:
        step, _, number = key.partition("[")
        if number and step in self:
            items = self[step].items
            found = next((each for each in items if each.key == key), None)
            if found is not None:
                return found
            raise KeyError(f"{key}: step {step} ran over {len(items)} items")
        close = get_close_matches(key, self, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(self)}"
        raise KeyError(f"there is no step {key!r}; {hint}")


@dataclass(frozen=True, slots=True)
class Result:
    """A run in memory at its end; `print` shows a table of its steps.

    Attributes:
        state: `succeeded`, `failed` or `cancelled`.
        reason: One sentence: why this state.
        params: As checked, with defaults.
        output: The run's output.
        error: The first cause of a failure.
        steps: By id, in plan order.
        order: The keys of what was begun, in that order; items of maps as `train[0]`.
        changes: Every change of state, in order.
    """

    workflow: str
    state: str
    reason: str
    params: dict[str, Any]
    output: Any
    error: StepFailure | None
    steps: Steps
    order: list[str]
    changes: tuple[Change, ...]
    started_at: datetime
    ended_at: datetime

    @property
    def duration(self) -> timedelta:
        """Virtual time from the run's start to its end."""
        return self.ended_at - self.started_at

    @property
    def states(self) -> dict[str, str]:
        """State of each step, in plan order."""
        return {name: step.state for name, step in self.steps.items()}

    def why(self, key: str) -> str:
        """Return why a step, or an item of a map, is in its state."""
        return self.steps[key].reason

    def __repr__(self) -> str:
        return f"<run of {self.workflow}: {self.state}: {self.reason}>"

    def __str__(self) -> str:
        return "\n".join([self._head(), *_table(self), *self._tail()])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the table in IPython and in notebooks."""
        printer.text(str(self))

    def _head(self) -> str:
        return f"{self.workflow} {self.state} in {shown(self.duration)}: {self.reason}"

    def _tail(self) -> list[str]:
        return [] if self.output is None else [f"output {_brief(self.output)}"]


def _table(result: Result) -> list[str]:
    head = ("STEP", "STATE", "TRIES", "TOOK", "WHY")
    rows = [head, *(_row(each) for step in result.steps.values() for each in (step, *step.items))]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(step: Step) -> tuple[str, ...]:
    name = f"  {step.key} {_brief(step.item, 40)}" if "[" in step.key else step.key
    tries = str(len(step.attempts)) if step.attempts else ""
    return (name, step.state, tries, shown(step.duration), step.reason)


def _brief(value: Any, limit: int = _WIDEST) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[: limit - 3] + "..."
