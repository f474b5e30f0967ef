"""A run of another workflow, as a step: played by a mock, or run in memory as well.

Whether and when it is tried again, and how long all of it may take, says the core.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from segue.errors import InvalidParams
from segue.testing.engine.accounts import result_of
from segue.testing.engine.attempts import Flight, Log, Sky
from segue.testing.mocks import Act, Fail, Lose, Mock, MockError, Runs
from workflows.exchange import EndRun, StartChild, StepCancelled, StepSucceeded, StopRequested
from workflows.messages import StepTask
from workflows.plan import Retry, Step, Timeout
from workflows.state import State

if TYPE_CHECKING:
    from segue.testing.engine.simulation import Simulation

FOR_EVER = float("inf")


class Parent(Sky, Protocol):
    """What a child needs of the run whose step it is."""

    state: State


class ChildFlight(Flight):
    """A child's run, until it ends."""

    def __init__(self, start: StartChild, task: StepTask, step: Step, mock: Mock, parent: Parent, log: Log) -> None:
        super().__init__(start.place, task, replace(step, retry=Retry(), timeout=Timeout(FOR_EVER)), mock, parent, log)
        self._start = start
        self._parent = parent
        self._child: Simulation | None = None

    def cancel(self) -> None:
        """Ask the run to stop; a played one is over at once."""
        if self._child is None:
            super().cancel()
        else:
            self._child.send(StopRequested(self._clock.now, "cancel", "the run was cancelled"))

    def waiting(self) -> list[tuple[str, str]]:
        """Return what the run itself waits for."""
        found = [] if self._child is None else self._child.waiting()
        return [
            (f"{self._start.run}: {sentence}", f"in runs(...) of {self._task.step}: {way}") for sentence, way in found
        ]

    def _follow(self, act: Act) -> None:
        if isinstance(act.outcome, Lose):
            raise MockError(f"lost() is a mock of steps that workers run, but {self._task.step} is a workflow step")
        if isinstance(act.outcome, Runs):
            self._after(act.seconds, self._run, act.outcome)
        else:
            super()._follow(act)

    def _run(self, runs: Runs) -> None:
        try:
            self._child = runs.engine.child(
                runs.script, self._start, self._parent.state.request, self._parent, self._ended
            )
        except InvalidParams as problem:
            self._fail(Fail("InvalidParams", str(problem)))
        else:
            self._child.begin()

    def _ended(self, end: EndRun) -> None:
        child, self._child = self._child, None
        assert child is not None
        self._log.run = result_of(child)
        if end.state == "cancelled":
            self._note("cancelled", None)
            self._end(StepCancelled(self._clock.now, self.place))
        elif end.error is not None:
            self._fail(Fail(end.error.type, end.error.message, end.error.detail))
        else:
            self._log.output = end.value
            self._note("succeeded", None)
            self._end(StepSucceeded(self._clock.now, self.place, self._result(end.value)))
