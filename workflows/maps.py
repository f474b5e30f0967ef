"""One step's map in progress: its items, which may start, and what the whole comes to.

Counts and keeps outputs; schedules nothing itself (`workflows.core` does).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil

from workflows.inputs import Items, Shape
from workflows.messages import JSON, MAX_INLINE_BYTES, StepError, StepResult
from workflows.plan import Map
from workflows.values import json_size, wrap

MAX_INLINE_LIST = 256 * 1024
"""A list of outputs above this many bytes holds references instead of values, so that it still fits a step's input."""


@dataclass(slots=True)
class MapRun:
    """The items of a map and how far they are.

    Attributes:
        items: What the map runs over.
        paths: Each item's place, one number a level.
        shape: Of the output.
        states: State of each item; None until it is handed to a worker.
        outputs: Output of each item; None unless it succeeded.
        references: Reference to each output's document.
        generations: How often each item lost its worker.
        limit: Items in flight at once.
        again: Items that failed and are to be tried again.
        skipped: Items that somebody skipped; they do not count.
        listed: Whether the core has it in its ready queue.
    """

    items: list[JSON]
    paths: list[tuple[int, ...]]
    shape: Shape
    limit: int
    states: list[str | None] = field(default_factory=list)
    outputs: list[JSON] = field(default_factory=list)
    references: list[dict[str, JSON] | None] = field(default_factory=list)
    generations: list[int] = field(default_factory=list)
    errors: dict[int, StepError] = field(default_factory=dict)
    again: deque[int] = field(default_factory=deque)
    following: int = 0
    flying: int = 0
    succeeded: int = 0
    skipped: int = 0
    size: int = 0
    listed: bool = False

    @classmethod
    def over(cls, items: Items, step_map: Map, generation: int = 0) -> MapRun:
        """Begin a map, whose items were scheduled so often before."""
        count = len(items.values)
        limit = step_map.limit or max(1, count)
        run = cls(items.values, items.paths, items.shape, limit)
        run.states, run.outputs, run.references = [None] * count, [None] * count, [None] * count
        run.generations = [generation] * count
        return run

    @property
    def may_start(self) -> bool:
        """Whether an item is left and the limit lets it start."""
        return (bool(self.again) or self.following < len(self.items)) and self.flying < self.limit

    @property
    def ended(self) -> bool:
        """Whether every item has ended."""
        return self.following == len(self.items) and self.flying == 0 and not self.again

    @property
    def unfinished(self) -> bool:
        """Whether an item has not had its end: it never started, or was cancelled."""
        return self.following < len(self.items) or bool(self.again) or "cancelled" in self.states

    def path(self, item: int) -> str:
        """Return an item's place as its key has it: `[2]`, or `[2][0]`."""
        return "".join(f"[{number}]" for number in self.paths[item])

    def try_again(self) -> int:
        """Let the items that failed start anew; return how many they are."""
        failed = [item for item, state in enumerate(self.states) if state in ("failed", "cancelled")]
        for item in failed:
            self.states[item] = None
            self.generations[item] += 1
            self.errors.pop(item, None)
            self.again.append(item)
        return len(failed)

    def take(self) -> int:
        """Return the next item's number and count it as in flight."""
        if self.again:
            item = self.again.popleft()
        else:
            item = self.following
            self._go_past(item)
        self.flying += 1
        self.states[item] = "queued"
        return item

    def settle(self, item: int, state: str, value: JSON) -> None:
        """Keep what somebody said of an item that is not in flight and has not ended."""
        if item in self.again:
            self.again.remove(item)
        self.flying += 1
        self.end(item, state, StepResult(value), None)
        if item == self.following:
            self._go_past(item)

    def rest(self) -> None:
        """Let no further item start."""
        self.following = len(self.items)
        self.again.clear()

    def _go_past(self, item: int) -> None:
        """Let the item after this one follow, but for those of which somebody has said what they come to."""
        self.following = item + 1
        while self.following < len(self.items) and self.states[self.following] is not None:
            self.following += 1

    def end(self, item: int, state: str, result: StepResult | None, error: StepError | None) -> None:
        """Keep the end of an item that was in flight."""
        self.flying -= 1
        self.states[item] = state
        if state == "succeeded" and result is not None:
            self.succeeded += 1
            self.outputs[item] = result.value
            self.references[item] = result.output
            self.size += json_size(result.value)
        self.skipped += state == "skipped"
        if error is not None:
            self.errors[item] = error

    def output(self) -> list[JSON]:
        """Return the outputs in item order, as expressions see them."""
        if self.size <= MAX_INLINE_LIST:
            return _nested(iter([wrap(value) for value in self.outputs]), self.shape)
        listed = [
            wrap(reference) if reference is not None else wrap(value)
            for value, reference in zip(self.outputs, self.references, strict=True)
        ]
        return _nested(iter(listed), self.shape)

    def result(self) -> StepResult:
        """Return what is recorded for the whole map; a large list is left to the records of its items."""
        small = self.size + 6 * len(self.items) <= MAX_INLINE_BYTES
        return StepResult(value=_nested(iter(self.outputs), self.shape)) if small else StepResult()

    def needed(self, step_map: Map) -> int:
        """Return how many items must succeed."""
        wanted, counted = step_map.min_success, len(self.items) - self.skipped
        if wanted is None:
            return counted
        if "count" in wanted:
            return min(int(wanted["count"]), counted) if self.skipped else int(wanted["count"])
        return ceil(counted * wanted["percent"] / 100 - 1e-9)

    def error(self, needed: int) -> StepError:
        """Return the failure of the whole map: that of the first item, in item order, that failed."""
        message = f"{self.succeeded} of {len(self.items)} items succeeded; {needed} needed"
        if not self.errors:
            return StepError("MapFailed", message)
        item = min(self.errors)
        first = self.errors[item]
        name = ".".join(str(number) for number in self.paths[item])
        return StepError(first.type, f"item {name}: {first.message} ({message})", {**first.detail, "item": item})


def _nested(values: Iterator[JSON], shape: Shape) -> list[JSON]:
    """Return the values as the lists of a shape."""
    if isinstance(shape, int):
        return [next(values) for _ in range(shape)]
    return [_nested(values, inner) for inner in shape]
