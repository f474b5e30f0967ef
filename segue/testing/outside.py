"""What comes to a run from outside while it goes on: answers to its approvals, events, decisions about held steps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from segue.testing.mocks import Act, Mock, MockError, Nobody, Reply
from segue.testing.times import Duration, Moment, seconds_of

Unmocked = Literal["refuse", "succeed"]


@dataclass(frozen=True, slots=True)
class Sending:
    """An event that somebody sends to the run."""

    name: str
    payload: Any = None
    at: Duration | Moment = 0
    step: str = ""


@dataclass(frozen=True, slots=True)
class Releasing:
    """What somebody decides about a held step."""

    step: str
    action: Literal["retry", "fail"]
    seconds: float = 0.0
    by: str = ""


Outside: TypeAlias = Sending | Releasing


@dataclass(frozen=True, slots=True)
class Script:
    """All that a test says about one run.

    Attributes:
        mocks: By step id, or by the key of an item; an item's own comes first.
        outside: What comes to the run.
        unmocked: What a step without a mock does.
    """

    mocks: Mapping[str, Mock] = field(default_factory=dict)
    outside: tuple[Outside, ...] = ()
    unmocked: Unmocked = "refuse"


def approves(*, by: str | Iterable[str] | None = None, after: Duration = 0, comment: str = "", **values: Any) -> Mock:
    """Let people say yes to an `approve` step.

    Args:
        by: Who; several for a quorum. Without it, as many of those whom the step asks as it takes.
        after: How long they take; behind `.then`, after the answer before.
        comment: What they say with it.
        values: The step's form, by name; its defaults are filled in.
    """
    return _reply(Reply(True, _names(by), values, comment), after, "approves")


def rejects(*, by: str | None = None, after: Duration = 0, comment: str = "", **values: Any) -> Mock:
    """Let somebody say no to an `approve` step: one is enough, whatever the quorum."""
    return _reply(Reply(False, _names(by), values, comment), after, "rejects")


def nobody() -> Mock:
    """Let nobody answer an `approve` step, or send the event that a `wait` is for: a timeout decides."""
    return Mock((Act(Nobody()),))


def sends(name: str, payload: Any = None, *, at: Duration | Moment = 0, step: str = "") -> Sending:
    """Send the run an event, for its `wait` steps.

    Args:
        name: Of the event.
        payload: JSON; the output of the step that waited for it.
        at: When: a duration after the run's start, or a moment.
        step: With it, `at` is counted from the start of this step, or of an item of a map (`"train[0]"`).
    """
    try:
        payload = json.loads(json.dumps(payload, allow_nan=False))
    except (TypeError, ValueError) as problem:
        raise MockError(f"the payload of the event {name} is no JSON: {problem}") from None
    if step and not isinstance(at, str | int | float | timedelta):
        raise MockError(f"at is {at}, but with step={step!r} it is the time that passes after that step's start")
    if step:
        at = _seconds(at, "at")  # type: ignore[arg-type]  # no moment, as was seen above
    return Sending(name, payload, at, step)


def releases(step: str, action: Literal["retry", "fail"] = "retry", *, after: Duration = 0, by: str = "") -> Releasing:
    """Decide about a step that is held, with `on_failure: hold`: the first time it is, or the next if this is the next.

    Args:
        step: The step's id.
        action: Try it again (of a map, the items that failed), or let it fail.
        after: How long it is held before.
        by: Who decides.
    """
    if action not in ("retry", "fail"):
        raise MockError(f'releases({step!r}, {action!r}): there are "retry" and "fail"')
    return Releasing(step, action, _seconds(after, "after"), by)


def _reply(reply: Reply, after: Duration, name: str) -> Mock:
    return Mock((Act(reply, times=1, seconds=_seconds(after, f"after of {name}(...)")),))


def _names(by: str | Iterable[str] | None) -> tuple[str, ...] | None:
    return by if by is None else (by,) if isinstance(by, str) else tuple(by)


def _seconds(duration: Duration, name: str) -> float:
    try:
        return seconds_of(duration, name)
    except (TypeError, ValueError) as problem:
        raise MockError(str(problem)) from None
