"""What people and other services say to a run, and what it answers: the interpreter's signals, updates and queries.

Nothing is decided here: what was said waits in line, and the interpreter's main loop (`workflows.interpreter`) takes it
in the order in which things happen.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from workflows.exchange import AnswerGiven, EndRun, EventArrived, HoldReleased
from workflows.journal import Journal
from workflows.messages import (
    ANSWER_SIGNAL,
    EVENT_SIGNAL,
    OPERATE_UPDATE,
    RELEASE_SIGNAL,
    SNAPSHOT_QUERY,
    STATE_QUERY,
    Answer,
    Event,
    Operation,
    Release,
)
from workflows.operations import refusal
from workflows.snapshot import snapshot
from workflows.state import State
from workflows.terms import raw, refused


@dataclass(slots=True)
class Wish:
    """What somebody wants of the run; answered by the main loop, in the order in which things happen."""

    operation: Operation
    answered: bool = False
    refusal: str = ""


class Hearing:
    """The part of `DagRun` that hears."""

    _events: deque[Any]
    _journal: Journal
    _state: State | None
    _end: EndRun | None
    _waits_for_place: bool

    @workflow.signal(name=EVENT_SIGNAL)
    def event(self, message: Event) -> None:
        """Show an event to the run's `wait` steps."""
        self._events.append(EventArrived(workflow.time(), message))

    @workflow.signal(name=ANSWER_SIGNAL)
    def answer(self, answer: Answer) -> None:
        """Answer an `approve` step."""
        self._events.append(AnswerGiven(workflow.time(), answer))

    @workflow.signal(name=RELEASE_SIGNAL)
    def release(self, release: Release) -> None:
        """Decide about a held step."""
        self._events.append(HoldReleased(workflow.time(), release))

    @workflow.update(name=OPERATE_UPDATE)
    async def operate(self, operation: Operation) -> str:
        """Change the run; return what it says of itself then.

        Raises:
            ApplicationError: It may not be done (`OperationRefused`); the message says why, and what may.
        """
        await workflow.wait_condition(lambda: self._state is not None or self._waits_for_place or self._end is not None)
        if self._state is None:
            raise refused("The run has not begun. It can be cancelled.")
        wish = Wish(operation)
        self._events.append(wish)
        await workflow.wait_condition(lambda: wish.answered or self._end is not None)
        if not wish.answered or wish.refusal:
            raise refused(wish.refusal or "The run is over.")
        return "paused" if self._state.paused is not None else "running"

    @operate.validator
    def check_operation(self, operation: Operation) -> None:
        """Refuse at once, and without a trace in the history, what may not be done."""
        problem = refusal(self._state, operation) if self._state is not None else ""
        if problem:
            raise refused(problem)

    @workflow.query(name=SNAPSHOT_QUERY)
    def snapshot(self) -> dict[str, Any] | None:
        """Answer with how far the run is, for an execution that goes on from here; None: it has not begun."""
        if self._state is None:
            return None
        return {"seq": self._journal.last, "core": snapshot(self._state)}

    @workflow.query(name=STATE_QUERY)
    def state(self, after: int = 0) -> RawValue:
        """Answer with `RunRecords`: the transitions after a number, as many as one message takes."""
        return raw(self._journal.batch(after)[0])
