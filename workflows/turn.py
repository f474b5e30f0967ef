"""What the core's turn, the work on one event, offers to its parts (`own_turn`, `map_turn`)."""

from __future__ import annotations

from typing import Any, Protocol

from workflows.exchange import Command, Place
from workflows.inputs import Scope
from workflows.messages import StepError, StepResult, StepState
from workflows.state import State


class Turn(Protocol):
    """What the core's turn offers."""

    state: State
    at: float
    commands: list[Command]

    def key(self, number: int, item: int | None) -> str:
        """Return the key of a step or item."""

    def next_generation(self, number: int, item: int | None) -> int:
        """Count that a step or item is scheduled once more; return its generation."""

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
    ) -> None:
        """End a step as a whole."""
