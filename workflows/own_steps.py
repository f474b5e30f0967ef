"""The steps that no worker runs: waits, approvals, and other workflows as steps.

Says how each begins, what an event or an answer makes of it, and in which words. The core (`workflows.core`) keeps the
state and gives the commands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from workflows.conditions import Look, look
from workflows.durations import duration_text, parse_duration, parse_time, time_text
from workflows.inputs import RunIdentity, Scope, invalid, rendered
from workflows.messages import JSON, Answer, Event, StepError, StepTask
from workflows.plan import Retry, Step
from workflows.values import brief

MAX_DEPTH = 8
"""Runs inside one another; a workflow that is its own step in the end would never end."""
MAX_HEARD = 200
"""Events kept for `wait` steps that have not begun."""
MAX_CHILD_OUTPUT_BYTES = 256 * 1024
MAX_ID = 200
MAX_WAIT_SECONDS = 10 * 365 * 86_400.0


@dataclass(slots=True)
class Waiting:
    """A `wait` step.

    Attributes:
        name: Of the event that ends it; None: the timer does.
        condition: What must be true of the event.
        limit: Seconds after which it fails, if that comes first.
        due: When its timer fires, seconds since the epoch.
    """

    since: float
    name: str | None = None
    condition: str | None = None
    limit: float | None = None
    due: float | None = None


@dataclass(slots=True)
class Asking:
    """An `approve` step; `answers` has the latest of each answerer, in order."""

    since: float
    action: dict[str, Any]
    answers: dict[str, Answer] = field(default_factory=dict)
    due: float | None = None


@dataclass(slots=True)
class Calling:
    """A `workflow` step.

    Attributes:
        child: The id of its run; of a further attempt, with its number behind it.
        task: With the params.
        deadline: When its total time is up, seconds since the epoch.
        resting: Whether it waits for its next attempt.
        out_of_time: Why it is being cancelled, when its time is up.
    """

    since: float
    child: str
    task: StepTask
    deadline: float | None
    attempt: int = 1
    resting: bool = False
    out_of_time: str = ""
    due: float | None = None

    @property
    def run(self) -> str:
        """The id of the present attempt's run."""
        return self.child if self.attempt == 1 else f"{self.child}-{self.attempt}"


OwnStep: TypeAlias = Waiting | Asking | Calling


@dataclass(frozen=True, slots=True)
class Begun:
    """How a step begins: what it is, when its timer fires, and what is recorded."""

    own: OwnStep
    seconds: float | None
    sentence: str
    detail: dict[str, Any]


def begin(step: Step, task: StepTask, scope: Scope, at: float, identity: RunIdentity, depth: int) -> Begun:
    """Begin a step.

    Args:
        step: The plan's step.
        task: Its rendered task.
        scope: What its templates see.
        at: Now, seconds since the epoch.
        identity: The run.
        depth: How many runs this one is inside of.

    Raises:
        InputError: Something it says cannot be used.
    """
    match step.kind:
        case "wait":
            return _wait(step, scope, at)
        case "approve":
            return _ask(step, at)
        case _:
            return _call(step, task, at, identity, depth)


def _wait(step: Step, scope: Scope, at: float) -> Begun:
    limit = _limit(step)
    if "event" in step.action:
        event = step.action["event"]
        name = rendered(event["name"], scope, "wait.event.name")
        if not isinstance(name, str):
            raise invalid("wait.event.name", f"must be text, but is {brief(name)!r}")
        sentence = f"waits for the event {name}" + (f", at most {duration_text(limit)}" if limit else "")
        own = Waiting(at, name, event.get("if"), limit)
        return Begun(own, limit, sentence, {"wait": {"event": name, "if": event.get("if"), "since": time_text(at)}})
    seconds = _seconds(step.action, scope, at)
    until = time_text(at + seconds)
    own = Waiting(at, limit=limit if limit is not None and limit < seconds else None)
    first = seconds if own.limit is None else own.limit
    return Begun(own, first, f"waits until {until}", {"wait": {"until": until, "since": time_text(at)}})


def _limit(step: Step) -> float | None:
    """Return how long one attempt may take; None: as long as the run."""
    seconds = min(step.timeout.run, MAX_WAIT_SECONDS if step.timeout.total is None else step.timeout.total)
    return seconds if seconds < MAX_WAIT_SECONDS else None


def _seconds(action: Mapping[str, Any], scope: Scope, at: float) -> float:
    """Return how long a wait by the clock takes; a time that has passed takes none."""
    if "for" in action:
        value = rendered(action["for"], scope, "wait.for")
        seconds = parse_duration(value) if isinstance(value, str) else value
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise invalid("wait.for", f"must be a duration such as 10m, or seconds, but is {brief(value)!r}")
    else:
        value = rendered(action["until"], scope, "wait.until")
        moment = parse_time(value) if isinstance(value, str) else None
        if moment is None:
            raise invalid("wait.until", f"must be a time such as 2026-01-31T06:00:00Z, but is {brief(value)!r}")
        seconds = moment - at
    if seconds > MAX_WAIT_SECONDS:
        raise invalid("wait", f"would take {duration_text(seconds)}; at most ten years are possible")
    return max(0.0, float(seconds))


def _ask(step: Step, at: float) -> Begun:
    action, seconds = step.action, step.action.get("timeout")
    detail = {
        "by": action.get("by", []),
        "quorum": action.get("quorum", 1),
        "form": action.get("form", {}),
        "until": time_text(at + seconds) if seconds is not None else None,
        "on_timeout": action.get("on_timeout", "reject"),
        "answers": [],
    }
    own = Asking(at, action)
    return Begun(own, seconds, asking(own), {"approval": detail})


def asking(own: Asking) -> str:
    """Return what an `approve` step waits for, as a sentence."""
    quorum = own.action.get("quorum", 1)
    by = ", ".join(own.action.get("by", [])) or "anybody"
    many = f" ({len(own.answers)} of {quorum})" if quorum > 1 else ""
    return f"waits for an approval by {by}{many}"


def _call(step: Step, task: StepTask, at: float, identity: RunIdentity, depth: int) -> Begun:
    name = step.action["workflow"]
    if depth >= MAX_DEPTH:
        raise invalid("workflow", f"would be run {depth + 1} inside one another; at most {MAX_DEPTH} can be")
    total = step.timeout.total
    own = Calling(at, _child_id(identity.run, name, task), task, at + total if total is not None else None)
    return Begun(own, attempt_limit(own, step, at), calling(own), called(own))


def attempt_limit(own: Calling, step: Step, at: float) -> float | None:
    """Return how long the attempt that begins now may take; None: as long as the run."""
    limit = min(step.timeout.run, MAX_WAIT_SECONDS if own.deadline is None else own.deadline - at)
    return limit if limit < MAX_WAIT_SECONDS else None


def calling(own: Calling) -> str:
    """Return what a `workflow` step does, as a sentence."""
    attempt = f", attempt {own.attempt}" if own.attempt > 1 else ""
    return f"runs {own.task.action['workflow']} as {own.run}{attempt}"


def called(own: Calling) -> dict[str, Any]:
    """Return the same as data."""
    return {"child": {"run": own.run, "workflow": own.task.action["workflow"], "attempt": own.attempt}}


def _child_id(run: str, workflow: str, task: StepTask) -> str:
    """Return the id of a child's run: readable, the same in a replay, and another when the step is tried again."""
    place = task.key.replace("[", ".").replace("]", "")
    again = f".g{task.generation}" if task.generation else ""
    name = f"{run}.{place}{again}"
    if len(name) <= MAX_ID:
        return name
    return f"{workflow}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def heard(own: Waiting, message: Event, scope: Scope) -> Look | bool:
    """Say whether an event ends a wait; a condition is looked at with the event as `event`."""
    if message.name != own.name:
        return False
    if own.condition is None:
        return True
    return look(own.condition, {**scope, "event": message.payload}, "wait.event.if")


def refusal(own: Asking, answer: Answer) -> str:
    """Return why an answer does not count, or an empty text."""
    by = own.action.get("by", [])
    if by and answer.by not in by and not any(name.startswith("role:") for name in by):
        return f"{answer.by or 'somebody'} is not among {', '.join(by)}"
    unknown = [name for name in answer.values if name not in own.action.get("form", {})]
    if unknown:
        return f"the form has no {unknown[0]!r}"
    return ""


def decided(own: Asking) -> bool | None:
    """Say what the answers come to: one no is a no, as many as the quorum are a yes, and else nothing is decided."""
    answers = own.answers.values()
    if any(not answer.approved for answer in answers):
        return False
    return True if len(answers) >= own.action.get("quorum", 1) else None


def approval(own: Asking, approved: bool) -> dict[str, JSON]:
    """Return the output of an `approve` step: the form's values, whether it was approved, and by whom."""
    form = own.action.get("form", {})
    values = {name: schema.get("default") for name, schema in form.items()}
    for answer in own.answers.values():
        values.update(answer.values)
    return {**values, "approved": approved, "by": [name for name in own.answers if name]}


def approval_reason(own: Asking, approved: bool) -> str:
    """Return who decided, as a sentence."""
    word = "approved" if approved else "rejected"
    answers = [answer for answer in own.answers.values() if answer.approved == approved]
    who = ", ".join(answer.by or "somebody" for answer in answers)
    said = next((answer.comment for answer in reversed(answers) if answer.comment), "")
    return f"{word} by {who}" + (f": {said[:500]}" if said else "")


def timed_out(own: Asking) -> tuple[Literal["approved", "rejected", "failed"], str]:
    """Return what becomes of an `approve` step that nobody answered in time, and why."""
    waited = duration_text(own.action.get("timeout") or 0)
    choice = own.action.get("on_timeout", "reject")
    if choice == "fail":
        return "failed", f"nobody decided within {waited}"
    word: Literal["approved", "rejected"] = "approved" if choice == "approve" else "rejected"
    return word, f"{word}, as nobody decided within {waited}"


def retry_delay(retry: Retry, attempt: int, error: StepError) -> float | None:
    """Return the seconds before a child's next attempt, or None when there is none."""
    if attempt >= retry.attempts or error.type in retry.unless:
        return None
    return min(retry.delay * retry.backoff ** (attempt - 1), max(retry.delay, retry.max_delay))
