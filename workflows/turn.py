"""What the core's turn, the work on one event, offers to its parts (`own_turn`, `map_turn`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from workflows.exchange import Command, Place
from workflows.graph import Graph
from workflows.inputs import Scope
from workflows.messages import StepError, StepResult, StepState
from workflows.reasons import Why
from workflows.state import State

if TYPE_CHECKING:
    from workflows.map_turn import MapTurn
    from workflows.operations import OperationTurn
    from workflows.own_turn import OwnTurn


class Turn(Protocol):
    """What the core's turn offers."""

    state: State
    graph: Graph
    at: float
    commands: list[Command]
    own: OwnTurn
    maps: MapTurn
    operations: OperationTurn

    def key(self, number: int, item: int | None) -> str:
        """Return the key of a step or item."""

    def next_generation(self, number: int, item: int | None) -> int:
        """Count that a step or item is scheduled once more; return its generation."""

    def consider(self, number: int) -> None:
        """Decide a step whose rule allows a decision now."""

    def send(self, number: int, item: int | None, why: Why, before: StepResult | None = None) -> None:
        """Hand over what is counted as in flight already; `before` is how its attempt before ended."""

    def scope_of(self, number: int, item: int | None) -> Scope:
        """Return what its templates see."""

    def record(
        self,
        key: str,
        state: str,
        reason: str,
        detail: dict[str, Any] | None = None,
        *,
        result: StepResult | None = None,
        error: StepError | None = None,
    ) -> None:
        """Record a transition."""

    def finish(
        self,
        place: Place,
        state: StepState,
        reason: str,
        *,
        result: StepResult | None = None,
        error: StepError | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """End a step or item."""

    def end(
        self,
        number: int,
        state: StepState,
        reason: str,
        *,
        result: StepResult | None = None,
        error: StepError | None = None,
        detail: dict[str, Any] | None = None,
        released: bool = False,
    ) -> None:
        """End a step as a whole; one that failed is held where people decide, unless they have."""
