"""What people and other services do to a run: they answer its approvals, send it events, decide about held steps.

All of it comes from the test's script; what it leaves out is told by `waiting`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

from segue.testing.engine.clock import Clock, Due
from segue.testing.engine.functions import called
from segue.testing.mocks import Act, Call, Exemplify, Mock, MockError, Nobody, Reply, Succeed, Task
from segue.testing.outside import Releasing, Script, Sending
from segue.testing.times import offset_of
from workflows.exchange import AnswerGiven, Event, EventArrived, HoldReleased
from workflows.messages import JSON, TERMINAL_STEP_STATES, Answer, Release, Transition
from workflows.messages import Event as Message
from workflows.own_steps import Asking, Waiting, refusal
from workflows.params import ParamsError, check_params
from workflows.plan import INTERPRETER_KINDS, Step
from workflows.state import State

YES = Reply(True)


class Meeting(Protocol):
    """What people need of the run."""

    state: State
    script: Script
    clock: Clock

    def send(self, event: Event) -> None:
        """Let the core take an event."""

    def mock(self, key: str, step: Step) -> Mock | None:
        """Return the mock of a step, or of an item of a map."""

    def count(self, key: str) -> None:
        """Take note that a step, or an item of a map, was given to whoever runs it."""


class People:
    """Those around one run."""

    def __init__(self, run: Meeting) -> None:
        self._run = run
        self._releases = [each for each in run.script.outside if isinstance(each, Releasing)]
        self._sendings = [each for each in run.script.outside if isinstance(each, Sending)]
        self._sent: list[str] = []
        self._dues: dict[str, list[Due]] = {}
        self._begun: set[str] = set()
        self._silent: set[str] = set()
        self._reasons: dict[str, str] = {}

    def begin(self) -> None:
        """Plan what comes at a time of its own.

        Raises:
            MockError: A time lies before the run's start.
        """
        start = datetime.fromtimestamp(self._run.clock.now, UTC)
        for each in [each for each in self._sendings if not each.step]:
            try:
                seconds = offset_of(each.at, start, f"at of sends({each.name!r})")
            except (TypeError, ValueError) as problem:
                raise MockError(str(problem)) from None
            self._send_after(seconds, each, "")

    def end(self) -> None:
        """Leave a run that has ended."""
        for dues in self._dues.values():
            for due in dues:
                due.cancel()

    def note(self, change: Transition, step: Step) -> None:
        """Take in a change of a step."""
        key, state = change.key, change.state
        self._reasons[key] = change.reason
        if state == "held":
            self._decide(key)
        if state == "held" or state in TERMINAL_STEP_STATES:
            self._begun.discard(key)
            for due in self._dues.pop(key, []):
                due.cancel()
        elif state == "running" and key not in self._begun:
            self._begun.add(key)
            whole = step.map is not None and key == step.id
            if whole or step.kind in INTERPRETER_KINDS:
                self.started(key)
            if not whole and step.kind in ("wait", "approve"):
                self._run.count(key)
                self._meet(key, step, change)

    def started(self, key: str) -> None:
        """Send the events that belong to the start of a step, or of an item of a map."""
        for each in [each for each in self._sendings if each.step == key]:
            self._sendings.remove(each)
            self._send_after(float(each.at), each, "")  # type: ignore[arg-type]  # seconds, as `sends` makes them

    def waiting(self) -> list[tuple[str, str]]:
        """Return what the run waits for without end, as a sentence, and what in a test would bring it."""
        found = []
        for place, own in self._run.state.own.items():
            step = self._run.state.graph.steps[place.number].id
            key = step if place.item is None else step + self._run.state.maps[place.number].path(place.item)
            if key in self._silent or not isinstance(own, Waiting | Asking):
                continue
            found.append((self._waits(key, own), _way_out(step, own)))
        for number, held in self._run.state.held.items():
            step = self._run.state.graph.steps[number].id
            way = f'decide about it: events=[releases("{step}", "retry", after="1h")], or "fail"'
            found.append((f"step {step} is held, and nobody decides about it: {held.reason}", way))
        return found

    def _waits(self, key: str, own: Waiting | Asking) -> str:
        begun, _, seen = self._reasons[key].partition("; ")
        if " was another: " in seen:
            return f"step {key} {begun}; {seen}"
        sent = ", ".join(dict.fromkeys(self._sent))
        came = "" if isinstance(own, Asking) else f", and {f'only {sent} was sent' if sent else 'nobody sends it'}"
        return f"step {key} {begun}{came}"

    # Events.

    def _send_after(self, seconds: float, sending: Sending, key: str) -> None:
        def send() -> None:
            self._sent.append(sending.name)
            message = Message(f"event-{len(self._sent)}", sending.name, sending.payload)
            self._run.send(EventArrived(self._run.clock.now, message))

        self._after(seconds, key, send)

    def _after(self, seconds: float, key: str, call: Any) -> None:
        self._dues.setdefault(key, []).append(self._run.clock.after(seconds, call))

    # Steps that begin to wait or to ask.

    def _meet(self, key: str, step: Step, change: Transition) -> None:
        mock = self._run.mock(key, step)
        if step.kind == "approve":
            self._ask(key, step, mock)
        elif "event" in change.detail["wait"]:
            self._await(key, step, mock, change.detail["wait"])
        elif mock is not None and not _of_a_recording(mock):
            raise MockError(f"step {key} waits for a time, which costs nothing here", hint="it needs no mock")

    def _await(self, key: str, step: Step, mock: Mock | None, wait: dict[str, Any]) -> None:
        if mock is None:
            return
        act = self._decided(mock.acts[0], key, step)
        match act.outcome:
            case Nobody():
                self._silent.add(key)
            case Succeed(value=value):
                self._send_after(act.seconds, Sending(wait["event"], value), key)
            case Exemplify():
                # What a test says of an event by name is meant also where all else goes by itself.
                if wait["if"] is None and not any(each.name == wait["event"] for each in self._sendings):
                    self._send_after(0, Sending(wait["event"]), key)
            case _:
                hint = f'give the payload of the event, or nobody(): steps={{"{step.id}": ...}}'
                raise MockError(f"step {key} waits for the event {wait['event']}, and does nothing else", hint=hint)

    def _ask(self, key: str, step: Step, mock: Mock | None) -> None:
        if mock is None:
            raise MockError(f"step {key} asks for an approval, but has no mock", hint=_approval(step.id))
        self._next_answer(key, step, list(mock.acts))

    def _next_answer(self, key: str, step: Step, acts: list[Act]) -> None:
        """Wait for the first of the answers, and then for those after it."""
        if not acts:
            return
        act = self._decided(acts[0], key, step)
        match act.outcome:
            case Nobody():
                self._silent.add(key)
                return
            case Reply():
                reply = act.outcome
            case Exemplify():
                reply = YES
            case _:
                raise MockError(f"the mock of {key}, an approve step, is no answer", hint=_approval(step.id))

        def answer() -> None:
            self._answer(key, step, reply)
            if key in self._begun:
                self._next_answer(key, step, acts[1:])

        self._after(act.seconds, key, answer)

    def _answer(self, key: str, step: Step, reply: Reply) -> None:
        values = _filled_in(key, step, reply)
        for name in self._answerers(key, step, reply):
            own = self._asking(key)
            if own is None:
                return
            answer = Answer(key, reply.approved, name, values, reply.comment)
            problem = refusal(own, answer)
            if problem:
                raise MockError(f"an answer to {key} does not count: {problem}")
            self._run.send(AnswerGiven(self._run.clock.now, answer))

    def _answerers(self, key: str, step: Step, reply: Reply) -> list[str]:
        """Return who answers: those the test names, or as many of those who are asked as it takes."""
        if reply.by is not None:
            return list(reply.by)
        own = self._asking(key)
        given = list(own.answers) if own is not None else []
        asked = [name for name in step.action.get("by", []) if not name.startswith("role:") and name not in given]
        count = step.action.get("quorum", 1) - len(given) if reply.approved else 1
        others = [f"approver-{number}" for number in range(1, count - len(asked) + 1)]
        return [*asked, *others][:count]

    def _asking(self, key: str) -> Asking | None:
        state = self._run.state
        for place, own in state.own.items():
            item = "" if place.item is None else state.maps[place.number].path(place.item)
            if isinstance(own, Asking) and state.graph.steps[place.number].id + item == key:
                return own
        return None

    def _decided(self, act: Act, key: str, step: Step) -> Act:
        """Ask a mock's function, whose answer may be a mock again."""
        while isinstance(act.outcome, Call):
            if act.outcome.with_inputs:
                raise MockError(f"calls(...) is a mock of steps that run code, but {step.id} is a {step.kind} step")
            given = called(act.outcome, self._task(key, step))
            found = given.acts[0] if isinstance(given, Mock) else Act(Succeed(given))
            act = Act(found.outcome, seconds=act.seconds + found.seconds)
        return act

    def _task(self, key: str, step: Step) -> Task:
        state = self._run.state
        run, at = state.maps.get(state.graph.numbers[step.id]), datetime.fromtimestamp(self._run.clock.now, UTC)
        paths = [] if run is None else [step.id + run.path(item) for item in range(len(run.items))]
        item: JSON = run.items[paths.index(key)] if run is not None else None
        identity = state.identity
        return Task(identity.run, identity.workflow, step.id, key, step.kind, 1, at, item, action=step.action)

    # Steps that are held.

    def _decide(self, step: str) -> None:
        found = next((each for each in self._releases if each.step == step), None)
        if found is None:
            return
        self._releases.remove(found)
        release = Release(step, found.action, found.by)
        self._after(found.seconds, "", lambda: self._run.send(HoldReleased(self._run.clock.now, release)))


def _filled_in(key: str, step: Step, reply: Reply) -> dict[str, JSON]:
    """Return the form as the service would pass it on; somebody who says no need not fill it in."""
    if not reply.approved and not reply.values:
        return {}
    try:
        return check_params(step.action.get("form", {}), reply.values)
    except ParamsError as error:
        problems = "; ".join(str(each).replace("params.", "", 1) for each in error.errors)
        raise MockError(f"an answer to {key} does not fit its form: {problems}") from None


def _of_a_recording(mock: Mock) -> bool:
    outcome = mock.acts[0].outcome
    return isinstance(outcome, Nobody | Exemplify) or (isinstance(outcome, Succeed) and outcome.recorded)


def _way_out(step: str, own: Waiting | Asking) -> str:
    if isinstance(own, Asking):
        return _approval(step)
    return (
        f'send it: events=[sends("{own.name}", ..., at="5m")], or steps={{"{step}": payload}}; '
        f"a `timeout` of the step ends it too"
    )


def _approval(step: str) -> str:
    return (
        f'answer it: steps={{"{step}": approves(by="ada")}}, rejects(), approves(after="3h"), '
        "or nobody(), and its timeout decides"
    )
