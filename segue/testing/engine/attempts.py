"""One step, or one item of a map, in the hands of a played worker: its attempts, in virtual time.

What Temporal does in production is done here in its way: when an attempt is over, whether another one follows, after
which delay, and which limit ends the step. Decides nothing about the DAG.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from segue.models import Attempt, StepFailure
from segue.testing.engine.answers import answered
from segue.testing.engine.clock import Clock, Due
from segue.testing.engine.functions import called
from segue.testing.engine.values import Memory, NoOutput, example_output, output_of
from segue.testing.mocks import (
    Act,
    Answers,
    Call,
    Exemplify,
    Fail,
    Lose,
    Mock,
    MockError,
    Nobody,
    Outcome,
    Reply,
    Runs,
    Succeed,
    Task,
    failure_of,
    mock_of,
)
from workflows.exchange import Event, Place, StepCancelled, StepFailed, StepSucceeded
from workflows.messages import JSON, StepError, StepResult, StepTask
from workflows.plan import Step

if TYPE_CHECKING:
    from segue.testing.results import Result

WORKER_LOST = "WorkerLost"

_OTHERS: dict[type[Outcome], str] = {
    Reply: "approves(...) and rejects(...) are mocks of approve steps",
    Nobody: "nobody() is a mock of approve and wait steps",
    Runs: "runs(...) is a mock of workflow steps",
}


class Sky(Protocol):
    """What a flight needs of its run.

    Attributes:
        clock: Virtual time.
        memory: What references stand for.
    """

    clock: Clock
    memory: Memory

    def began(self, key: str) -> None:
        """Take note that a worker began a step, or an item of a map."""

    def land(self, event: Event) -> None:
        """Take the event with which a flight ends, once."""


@dataclass(slots=True)
class Log:
    """What is kept of a step's attempts over all its generations; `run` is the newest of another workflow."""

    attempts: list[Attempt] = field(default_factory=list)
    task: Task | None = None
    output: JSON = None
    exception: BaseException | None = None
    run: Result | None = None


class Flight:
    """A step that was handed to a worker, until it lands.

    Args:
        place: Of the core's command.
        task: Likewise.
        step: The plan's step.
        mock: What it does.
        sky: Where it flies.
        log: What is kept for the result.
    """

    def __init__(self, place: Place, task: StepTask, step: Step, mock: Mock, sky: Sky, log: Log) -> None:
        self.place = place
        self._task = sky.memory.revealed(task) if task.secrets else task
        self._step = step
        self._mock = mock
        self._sky = sky
        self._clock = sky.clock
        self._memory = sky.memory
        self._log = log
        self._scheduled = sky.clock.now
        self._dues: list[Due] = []
        self._number = 0
        self._began: float | None = None
        self._last: Fail | None = None
        self._over = False

    def start(self) -> None:
        """Hand the first attempt to the queue, and set the limit on all of them together."""
        total = self._step.timeout.total
        if total is not None:
            self._after(total, self._out_of_time, "total", f"the step's total time of {total:g} s was used up")
        self._queue()

    def cancel(self) -> None:
        """End it because it was asked to: a played worker obeys at once."""
        if self._over:
            return
        self._note("cancelled", None)
        self._end(StepCancelled(self._clock.now, self.place, self._result() if self._began is not None else None))

    # Attempts.

    @property
    def attempt(self) -> int:
        """Number of the newest attempt, counted over lost workers, as its worker counts."""
        return self.place.generation * self._step.retry.attempts + self._number

    def _queue(self) -> None:
        self._number += 1
        self._began = None
        act = self._mock.act(len(self._log.attempts) + 1)
        limit = self._step.timeout.queue
        if limit is not None and act.queued > limit:
            message = f"no worker of queue {self._step.queue} took the step within {limit:g} s"
            self._after(limit, self._out_of_time, "queue", message)
        else:
            self._after(act.queued, self._begin, act)

    def _begin(self, act: Act) -> None:
        self._began = self._clock.now
        task = self._log.task = self._seen()
        self._log.exception = None
        if self._number == 1:
            self._sky.began(task.key)
        self._follow(self._decided(act, task))

    def _follow(self, act: Act) -> None:
        """Do as the mock says, which is no function any more."""
        limit = self._step.timeout.run
        if act.seconds > limit:
            failure = Fail("Timeout", f"the attempt took longer than {limit:g} s", {"timeout": "run"})
            self._after(limit, self._fail, failure)
        elif isinstance(act.outcome, Lose):
            silence = self._step.timeout.heartbeat
            failure = Fail(WORKER_LOST, f"the worker was silent for {silence:g} s", {"timeout": "heartbeat"})
            self._after(act.seconds + silence, self._fail, failure)
        elif isinstance(act.outcome, Fail):
            self._after(act.seconds, self._fail, act.outcome)
        elif isinstance(act.outcome, Succeed | Exemplify):
            self._after(act.seconds, self._succeed, act.outcome)
        else:
            raise MockError(f"{_OTHERS[type(act.outcome)]}, but {self._task.step} is a {self._task.kind} step")

    def _decided(self, act: Act, task: Task) -> Act:
        """Ask a mock's function what the attempt does, whose answer may be a mock again, or a played service."""
        while isinstance(act.outcome, Call):
            call = act.outcome
            try:
                given = called(call, task)
            except NoOutput as refused:
                return Act(refused.failure, seconds=act.seconds)
            except Exception as error:
                # An assertion about the task is the test's own; one in the step's own code fails the step.
                if isinstance(error, MockError) or (isinstance(error, AssertionError) and not call.with_inputs):
                    raise
                return Act(failure_of(error), seconds=act.seconds)
            found = mock_of(given).act(task.attempt) if isinstance(given, Mock) else Act(Succeed(given))
            act = Act(found.outcome, seconds=max(act.seconds, found.seconds))
        if isinstance(act.outcome, Answers):
            polled, outcome = answered(self._task, self._memory.seen(self._task.scope), act.outcome)
            return Act(outcome, seconds=act.seconds + polled)
        return act

    def _succeed(self, outcome: Succeed | Exemplify) -> None:
        task = self._task
        folder = f"runs/{task.run}/{task.key}/{self.place.generation:03}.{self._number:03}"
        try:
            if isinstance(outcome, Exemplify):
                value, whole = output_of(example_output(task.output), task.kind, None, self._memory, folder)
            else:
                value, whole = output_of(
                    outcome.value, task.kind, task.output, self._memory, folder, recorded=outcome.recorded
                )
        except NoOutput as refused:
            self._fail(refused.failure)
            return
        self._log.output = whole
        self._note("succeeded", None)
        self._end(StepSucceeded(self._clock.now, self.place, self._result(value)))

    def _fail(self, failure: Fail) -> None:
        self._note("failed", failure)
        self._last = failure
        delay = self._delay()
        if not self._may_retry(failure) or self._too_late(delay):
            lost = failure.type == WORKER_LOST
            self._end(StepFailed(self._clock.now, self.place, _error(failure), self._result(), lost))
        else:
            self._began = None
            self._after(delay, self._queue)

    def _may_retry(self, failure: Fail) -> bool:
        unless = self._step.retry.unless
        spent = self._number >= self._step.retry.attempts
        return (
            not spent and failure.retryable and not any(name in unless for name in (failure.type, *failure.ancestors))
        )

    def _delay(self) -> float:
        policy = self._step.retry
        # A float's power may overflow long before a step has that many attempts.
        factor = policy.backoff ** min(self._number - 1, 64)
        return min(policy.delay * factor, max(policy.delay, policy.max_delay))

    def _too_late(self, delay: float) -> bool:
        total = self._step.timeout.total
        return total is not None and self._clock.now + delay >= self._scheduled + total

    def _out_of_time(self, limit: str, message: str) -> None:
        last = {"last_error": {"type": self._last.type, "message": self._last.message}} if self._last else {}
        failure = Fail("Timeout", message, {"timeout": limit, **last})
        self._note("failed", failure)
        self._end(StepFailed(self._clock.now, self.place, _error(failure)))

    # Bookkeeping.

    def _after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        """Make a call later, unless the flight is over by then."""
        self._dues.append(self._clock.after(seconds, lambda: call(*arguments)))

    def _end(self, event: Event) -> None:
        self._over = True
        for due in self._dues:
            due.cancel()
        self._sky.land(event)

    def _seen(self) -> Task:
        task, memory = self._task, self._memory
        return Task(
            run=task.run,
            workflow=task.workflow,
            step=task.step,
            key=task.key,
            kind=task.kind,
            attempt=self.attempt,
            at=datetime.fromtimestamp(self._clock.now, UTC),
            item=memory.seen(task.item),
            inputs=memory.seen(task.inputs),
            env={name: memory.text(value) for name, value in task.env.items()},
            action=memory.seen(task.action),
        )

    def _note(self, state: str, failure: Fail | None) -> None:
        """Keep an attempt that is over; one that no worker took was none."""
        if self._began is None:
            return
        if failure is not None and failure.exception is not None:
            self._log.exception = failure.exception
        start, end = (datetime.fromtimestamp(at, UTC) for at in (self._began, self._clock.now))
        error = None if failure is None else StepFailure(failure.type, failure.message, failure.detail)
        self._log.attempts.append(Attempt(self.attempt, state, "test", start, end, error))

    def _result(self, value: JSON = None) -> StepResult:
        began = self._began if self._began is not None else self._clock.now
        return StepResult(value, None, "", self.attempt, "test", began, self._clock.now)


def _error(failure: Fail) -> StepError:
    return StepError(failure.type, failure.message, dict(failure.detail))
