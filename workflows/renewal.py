"""When a run begins anew in another execution, because Temporal bounds an execution's history.

A run can do so only while no worker and no child has anything of it: Temporal forgets the one and ends the other. From
a number of events on such a moment is sought: nothing new starts for a while. What takes longer than that is not waited
for, the run goes on and tries again later; but the nearer the end of the history, the fewer steps may be in flight, so
that their ends always fit. A part of the interpreter (`workflows.interpreter`); what it decides with is in the history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio import workflow

from workflows.state import State

EVENTS_PER_EXECUTION = 2_000
"""From here on a quiet moment is sought. A replay of so many events takes a second or so, and that is how long a run
stands still after its worker was killed."""
MAX_EVENTS = 24 / 5
"""The most that an execution may have, as a multiple of it: 9,600, where Temporal warns at 10,240."""
AGAIN = 1 / 2
"""After how many more events it is sought again, as a multiple of it."""
EVENTS_OF_A_STEP = 12
"""That a step in flight may still cost: its start and end, a workflow task for it, and its record."""
EVENTS_OF_A_WAIT = 2
MAX_HISTORY_BYTES = 20 * 1024 * 1024
"""Temporal ends an execution at 50 MiB."""
PATIENCE_SECONDS = 10.0
"""How long steps that could start wait for those in flight, so that the run can begin anew."""


class Renewal:
    """Watches the history of one execution."""

    def __init__(self, events: int, go_on: Callable[[], None]) -> None:
        """Prepare it.

        Args:
            events: When to begin anew; 0: as `EVENTS_PER_EXECUTION` says.
            go_on: Is called when steps may start again: what is in flight was waited for long enough.
        """
        self._unit = events or EVENTS_PER_EXECUTION
        self._hard = int(self._unit * MAX_EVENTS)
        self._go_on = go_on
        # From the one on a quiet moment is taken, from the other on it is sought.
        self._take = self._seek = self._unit
        self._listens = True
        self._sought = False
        self._waiting: asyncio.Task[None] | None = None

    def begin_with(self, waits: int) -> None:
        """Take in how many steps go on waiting, whose timers are in the history from the start."""
        self._take = self._seek = self._unit + waits

    @property
    def is_due(self) -> bool:
        """Whether the run is to begin anew at the next quiet moment."""
        return self._is_suggested or _length() >= self._take

    @property
    def is_overdue(self) -> bool:
        """Whether the history has room for nothing more."""
        return _length() + EVENTS_OF_A_STEP > self._hard or _size() > MAX_HISTORY_BYTES

    def put_off(self) -> None:
        """Let the run go on in this execution for a while: it cannot begin anew now."""
        self._sought, self._listens = False, False
        self._take = self._seek = _length() + int(self._unit * AGAIN)

    def room(self, state: State, flying: int) -> int | None:
        """Return how many steps may be in flight; None: as many as the plan lets.

        Args:
            state: Of the run.
            flying: Steps that are in flight.
        """
        # A run that is being stopped just ends: few steps are left of it, and this execution knows of the cancel.
        self._sought = state.stop is None and (self._sought or self._is_suggested or _length() >= self._seek)
        if self.is_overdue:
            return 0
        if self._sought:
            if flying and self._waiting is None:
                self._waiting = asyncio.create_task(self._wait())
            return 0
        left = (self._hard - _length() - EVENTS_OF_A_WAIT * len(state.own)) // EVENTS_OF_A_STEP
        left = max(left, 1)
        return None if left >= state.graph.window else left

    @property
    def _is_suggested(self) -> bool:
        return self._listens and workflow.info().is_continue_as_new_suggested()

    async def _wait(self) -> None:
        await workflow.sleep(PATIENCE_SECONDS, summary="for a moment in which the run can begin anew")
        self._sought, self._listens, self._waiting = False, False, None
        self._take = min(self._take, _length())
        self._seek = _length() + int(self._unit * AGAIN)
        self._go_on()


def _length() -> int:
    return workflow.info().get_current_history_length()


def _size() -> int:
    return workflow.info().get_current_history_size()
