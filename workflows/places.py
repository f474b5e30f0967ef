"""What a run and its `SegueSlots` say to each other about places under a concurrency limit, as plain data.

These shapes are in histories, so a field is only ever added, with a default.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

SLOTS_WORKFLOW = "SegueSlots"

ASK_FOR_PLACE = "segue.ask_for_place"
WHICH_RUNS_ENDED = "segue.which_runs_ended"
"""Activity types of the control queue: `ask_for_place(PlaceAsk) -> None`, which hands the ask to `SegueSlots`, starting
it if need be, and `which_runs_ended(list[PlaceRelease]) -> list[PlaceRelease]`."""

ASK_SIGNAL = "ask"
GIVE_BACK_SIGNAL = "release"
"""Signals of `SegueSlots`; their arguments are a `PlaceAsk` and a `PlaceRelease`."""
PLACE_SIGNAL = "place"
"""The signal of `DagRun` that answers an ask; its argument is a `PlaceAnswer`."""

MAX_WAIT_SECONDS = 30 * 86_400.0
"""How long a run waits for a place before it fails; a run that waits for ever is one that nobody looks after."""

WhenFull: TypeAlias = Literal["queue", "skip", "cancel_oldest"]


@dataclass(slots=True)
class PlaceAsk:
    """A run asks for a place.

    Attributes:
        key: The concurrency key, shortened for people; `slots` holds its hash.
        slots: Id of the `SegueSlots` that is asked.
        run: Who asks.
        token: New for each ask of an execution. A run that was reset asks with another one, and what was said to the
            execution before it, or by it, is told apart by it.
    """

    workflow: str
    key: str
    slots: str
    run: str
    token: str
    limit: int = 1
    when_full: WhenFull = "queue"


@dataclass(slots=True)
class PlaceRelease:
    """A run gives its place back, or its wish for one; without effect when it has asked anew with another token."""

    run: str
    token: str


@dataclass(slots=True)
class PlaceAnswer:
    """What became of an ask. It may come again, and change.

    Attributes:
        token: That of the ask.
        state: `granted`: the run may go on. `waits`: it is in the line. `refused`: it gets no place. `displaced`: a
            newer run takes the place that it has, or waits for.
        reason: One sentence, for people.
        detail: The reason as data.
    """

    token: str
    state: Literal["granted", "waits", "refused", "displaced"]
    reason: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Claim:
    """A run's place, or its place in the line.

    Attributes:
        number: The how-manieth ask it was, which is its turn.
        leaves_for: The run that takes its place.
        refused: It gets none.
        told: What tells the answer that the run has from others.
    """

    run: str
    token: str
    number: int
    when_full: WhenFull = "queue"
    holds: bool = False
    leaves_for: str | None = None
    refused: bool = False
    told: str = ""

    def pack(self) -> list[Any]:
        """Return it without the names of its fields: ten thousand must fit into one message."""
        return [getattr(self, each.name) for each in fields(self)]

    @classmethod
    def unpack(cls, packed: list[Any]) -> Claim:
        """Rebuild it; fields that a later version adds have their defaults."""
        return cls(*packed)


@dataclass(slots=True)
class SlotsRequest:
    """The argument of `SegueSlots`: what it is for, and how things stood when it began anew.

    Attributes:
        claims: Packed.
    """

    workflow: str
    key: str
    limit: int = 1
    asked: int = 0
    claims: list[list[Any]] = field(default_factory=list)


def slots_id(workflow: str, key: str) -> str:
    """Return the id of the `SegueSlots` of a workflow's concurrency key."""
    return f"segue-slots-{workflow}-{hashlib.sha256(key.encode(errors='surrogatepass')).hexdigest()[:24]}"
