"""What a run takes along when it begins anew in another execution, and what it finds there.

It is an argument like any other (`RunRequest.carried`), so it is in the next history, and the run goes on from it
without asking anybody. What is not recorded yet is in it too: a run does not wait for the database. A part of the
interpreter (`workflows.interpreter`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from workflows.admission import Admission
from workflows.board import Board
from workflows.exchange import Continued, EndRun, Place, RoomChanged
from workflows.journal import Journal
from workflows.messages import TERMINAL_STEP_STATES, RunRequest, StepError
from workflows.packing import packed, unpacked
from workflows.renewal import Renewal
from workflows.snapshot import restore, whole_snapshot
from workflows.state import State
from workflows.values import json_size

MAX_REST_BYTES = 512 * 1024
"""Of transitions that are not recorded; above it, recording goes first."""
MAX_REQUEST_BYTES = 1_800_000
"""Temporal refuses a message of 2 MiB."""
TOO_LARGE = (
    "the run cannot go on: its history is full, and the outputs that the rest of it reads do not fit into the next; "
    "let large outputs be files, or give later steps less to read"
)


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the run is to be stopped, seconds since the epoch, and why."""

    due: float
    reason: str


class Carrying:
    """The part of `DagRun` that ends an execution in good time, and begins the next with all that waited there."""

    _request: RunRequest
    _state: State | None
    _events: deque[Any]
    _flying: dict[Place, asyncio.Task[RawValue]]
    _end: EndRun | None
    _journal: Journal
    _recorded: int
    _board: Board
    _admission: Admission
    _renewal: Renewal
    _stops_at: Deadline | None
    _failed: Callable[[StepError, str], EndRun]
    _set_deadline: Callable[[float | None, str], None]

    def _begun_anew(self) -> State:
        """Return the state that the execution before took along, with all that waited there waiting again."""
        carried = carried_in(self._request)
        # It may be large, and is not needed any more.
        self._request = replace(self._request, carried=None)
        self._journal.go_on_with(carried["journal"])
        self._recorded = carried["journal"]["recorded"]
        state = restore(workflow.info().workflow_id, self._request, carried["core"])
        self._board = Board(state.graph.steps)
        self._board.begin_with(state.steps)
        self._renewal.begin_with(len(state.own))
        self._admission.go_on(carried["place"])
        if carried["deadline"] is not None:
            due, reason = carried["deadline"]
            self._set_deadline(max(0.0, due - workflow.time()), reason)
        self._events.appendleft(Continued(workflow.time()))
        return state

    def _may_begin_anew(self) -> bool:
        """Say whether this is a moment in which nothing would be lost, and it is time."""
        state = self._state
        if self._flying or self._events or state is None:
            return False
        due = self._renewal.is_due if state.stop is None else self._renewal.is_overdue
        return (
            due
            and not state.verdicts
            and not self._admission.lost
            and workflow.all_handlers_finished()
            and self._journal.rest_bytes(self._recorded) <= MAX_REST_BYTES
        )

    def _begin_anew(self, state: State) -> None:
        """End this execution for another one, unless what the run would take along is too large."""
        following = next_request(self._request, state, self._journal, self._recorded, self._admission, self._stops_at)
        if following is not None:
            workflow.continue_as_new(
                following, initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE
            )
        if self._renewal.is_overdue:
            self._end = self._failed(StepError("RunTooLarge", TOO_LARGE), TOO_LARGE)
        self._renewal.put_off()

    def _room_again(self) -> None:
        if self._state is not None:
            self._events.append(RoomChanged(workflow.time(), self._renewal.room(self._state, len(self._flying))))


def next_request(
    request: RunRequest,
    state: State,
    journal: Journal,
    recorded: int,
    admission: Admission,
    deadline: Deadline | None,
) -> RunRequest | None:
    """Return the argument of the next execution; None: what it would have to carry does not fit.

    Args:
        request: That of this one.
        state: With nothing in flight.
        journal: What happened.
        recorded: The number of the last transition that is known to be recorded.
        admission: The run's place.
        deadline: When it is to be stopped.
    """
    carried = {
        "core": whole_snapshot(state),
        "journal": journal.rest(recorded),
        "place": admission.kept(),
        "deadline": [deadline.due, deadline.reason] if deadline is not None else None,
    }
    again = None if request.again is not None and request.again.kind == "retry" else request.again
    following = replace(request, carried=packed(carried), again=again, kept=packed(_still_kept(state)))
    size = sum(json_size(part) for part in (following.carried, following.plan, following.params, following.kept))
    return following if size + json_size([following.vars, following.event]) <= MAX_REQUEST_BYTES else None


def carried_in(request: RunRequest) -> dict[str, Any]:
    """Return what the execution before took along.

    Raises:
        ValueError: It cannot be read.
    """
    return unpacked(request.carried or {})


def _still_kept(state: State) -> dict[str, Any]:
    """Return the outputs that a rerun has still to take over."""
    numbers, kept = state.graph.numbers, state.request.kept
    open_ = {name for name, number in numbers.items() if state.steps[number] not in TERMINAL_STEP_STATES}
    return {name: each for name, each in kept.items() if name in open_}
