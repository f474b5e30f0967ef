"""Mocks of steps: what a step does instead of running, attempt by attempt.

A mock is a value (the step's output), a function of the `Task`, or what `fails`, `takes`, `queued`, `lost` and `calls`
make; `answers` is for http steps, and `segue.testing.outside` has those of approvals. Functions run in the test's own
process, once for each attempt.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from segue.errors import SegueError
from segue.testing.times import Duration, seconds_of


class MockError(SegueError):
    """A test uses mocks in a way that means nothing, or a step without a mock would start."""

    code = "mock"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message, hint=hint)


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of a step, as its worker sees it: every template is rendered.

    Attributes:
        run: The run's id.
        step: The step's id.
        key: The same, or `train[3]` for an item of a map.
        kind: `shell`, `python`, `http`, `noop`, `workflow`, `wait` or `approve`.
        attempt: From 1, counted also over lost workers.
        at: The virtual time at which the attempt starts.
        item: The item of a map.
        inputs: What stands under `with`, which are the params of a `workflow` step; outputs that travel by reference
            are here as they were given.
        env: The variables of a shell or Python step as its process sees them, so each is text.
        action: The step's own part: `{"script"}`, `{"callable"}`, `{"request"}` or `{"submit", "poll", "cancel"}` (with
            `callback` for `poll`), `{"workflow", "version"}`, `{"event"}`, or `{"by", "quorum", "form"}` and more.
    """

    run: str
    workflow: str
    step: str
    key: str
    kind: str
    attempt: int
    at: datetime
    item: Any = None
    inputs: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    action: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Succeed:
    """The attempt gives a value; a recorded one may hold references to objects that are not here."""

    value: Any
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Exemplify:
    """The attempt gives null, or an example of what the step declares."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The attempt fails."""

    type: str
    message: str
    detail: dict[str, Any] = field(default_factory=dict)
    retryable: bool = True
    ancestors: tuple[str, ...] = ()
    exception: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Lose:
    """The attempt's worker falls silent."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function says what the attempt does: called with the task, or with the step's inputs by name."""

    function: Callable[..., Any]
    with_inputs: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """The service of an http step answers; what the step makes of that is its own `output`, `until` and `fail_if`."""

    bodies: tuple[Any, ...]
    status: int = 200
    submit: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """People answer an `approve` step.

    Attributes:
        by: Who, one after the other; None: as many of those who are asked as it takes.
        values: The step's form, filled in.
    """

    approved: bool
    by: tuple[str, ...] | None = None
    values: dict[str, Any] = field(default_factory=dict)
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Nobody:
    """Nobody answers an `approve` step, or sends the event that a `wait` is for."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The workflow of a `workflow` step runs in memory too.

    Attributes:
        engine: Its `Engine`.
        script: What its own steps do.
    """

    engine: Any
    script: Any


Outcome: TypeAlias = Succeed | Exemplify | Fail | Lose | Call | Answers | Reply | Nobody | Runs


@dataclass(frozen=True, slots=True)
class Act:
    """What some attempts do.

    Attributes:
        times: How many; None: all that follow.
        seconds: How long each takes.
        queued: How long each waits for a worker.
    """

    outcome: Outcome
    times: int | None = None
    seconds: float = 0.0
    queued: float = 0.0


@dataclass(frozen=True, slots=True)
class Mock:
    """What a step does, attempt after attempt; after its last act it succeeds."""

    acts: tuple[Act, ...]

    def then(self, what: Any) -> Mock:
        """Say what the attempts after these do: a value, a function or another mock."""
        if self.acts[-1].times is None:
            raise MockError("nothing comes after what lasts for ever", hint="say how often: fails(..., times=2)")
        return Mock(self.acts + mock_of(what).acts)

    def act(self, attempt: int) -> Act:
        """Return what an attempt (from 1) does."""
        for act in self.acts:
            if act.times is None or attempt <= act.times:
                return act
            attempt -= act.times
        return Act(Exemplify())


def fails(
    error: str | BaseException | type[BaseException],
    message: str = "",
    *,
    times: int | None = None,
    retry: bool = True,
    **detail: Any,
) -> Mock:
    """Make attempts fail.

    Args:
        error: The type of the error, such as `"ConnectionError"` or `"ExitCode"`; or an exception.
        message: What it says.
        times: How many attempts fail; without it, all. What follows is said with `.then(...)`.
        retry: False for an error after which the step is not tried again, whatever its policy says.
        detail: Facts of the error, as `exit_code=2`.
    """
    return Mock((Act(failure_of(error, message, detail, retry=retry), _times(times)),))


def takes(duration: Duration, what: Any = None) -> Mock:
    """Make attempts take virtual time and then do as `what` says: a value, a function or another mock."""
    seconds = _seconds(duration, "takes")
    return Mock(tuple(replace(act, seconds=seconds) for act in mock_of(what).acts))


def queued(duration: Duration, what: Any = None) -> Mock:
    """Make attempts wait for a worker before they do as `what` says; `timeout.queue` bounds this wait."""
    seconds = _seconds(duration, "queued")
    return Mock(tuple(replace(act, queued=seconds) for act in mock_of(what).acts))


def lost(times: int | None = None) -> Mock:
    """Let the worker fall silent: the attempt ends when `timeout.heartbeat` has passed, and the step goes elsewhere.

    Args:
        times: How many workers are lost; without it, all. What follows is said with `.then(...)`.
    """
    return Mock((Act(Lose(), _times(times)),))


def answers(*bodies: Any, status: int = 200, submit: Any = None, times: int | None = None) -> Mock:
    """Let the service of an http step answer; its `output`, `until`, `fail_if` and `expect` are looked at for real.

    Args:
        bodies: Of the answer to a request: JSON, or text. Of a remote job, one for each poll; the last is repeated.
            Of one that is called back from, what the service posts.
        status: Of the answer to a request, or to a job's submission.
        submit: The body with which a job's submission is answered.
        times: In how many attempts; without it, in all. What follows is said with `.then(...)`.
    """
    return Mock((Act(Answers(bodies or (None,), status, submit), _times(times)),))


def calls(function: Callable[..., Any]) -> Mock:
    """Call a function with the step's inputs by name: `calls(check_data)` runs the step's own code, in this process.

    It may be asynchronous, as a step's function may.
    """
    return Mock((Act(Call(function, with_inputs=True)),))


def mock_of(what: Any) -> Mock:
    """Return the mock that a test means."""
    if isinstance(what, Mock):
        return what
    if callable(what):
        if isinstance(what, type) and issubclass(what, BaseException):
            raise MockError(f"{what.__name__} is an exception, not an output", hint=f"write fails({what.__name__})")
        return Mock((Act(Call(what)),))
    if isinstance(what, BaseException):
        raise MockError(f"{what!r} is an exception, not an output", hint=f"write fails({what!r})")
    return Mock((Act(Succeed(what)),))


def failure_of(
    error: str | BaseException | type[BaseException],
    message: str = "",
    detail: dict[str, Any] | None = None,
    *,
    retry: bool = True,
) -> Fail:
    """Return the failure that an exception, its class or its name stands for."""
    if isinstance(error, str):
        kind = getattr(builtins, error, None)
        ancestors = _ancestors(kind) if isinstance(kind, type) else ()
        return Fail(error, message or f"{error} of a mock", detail or {}, retry, ancestors)
    kind = error if isinstance(error, type) else type(error)
    text = message or ("" if isinstance(error, type) else str(error)) or kind.__name__
    exception = None if isinstance(error, type) else error
    return Fail(kind.__name__, text, detail or {}, retry, _ancestors(kind), exception)


def _ancestors(kind: type) -> tuple[str, ...]:
    return tuple(known.__name__ for known in kind.__mro__[1:-1])


def _times(times: int | None) -> int | None:
    if times is not None and times < 1:
        raise MockError(f"times={times}: at least one attempt is meant")
    return times


def _seconds(duration: Duration, name: str) -> float:
    try:
        return seconds_of(duration, f"{name}(...)")
    except (TypeError, ValueError) as problem:
        raise MockError(str(problem)) from None
