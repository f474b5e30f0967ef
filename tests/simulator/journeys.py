"""What happens to the process and to the execution: a part of `tests.simulator.simulation`.

A process dies and another one gets the same events; a history begins anew, or the run goes on in another one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.simulator.cases import Case
from tests.simulator.comparing import difference, outline
from tests.simulator.ledger import Ledger, Violation
from tests.simulator.oracle import Oracle
from workflows.core import advance
from workflows.exchange import Command, Continued, Event, Place, Retried, SetTimer
from workflows.messages import Operation, RunRequest
from workflows.operations import MAX_OPERATIONS
from workflows.own_steps import MAX_HEARD
from workflows.retrying import calls_to_look_at
from workflows.snapshot import restore, snapshot, whole_snapshot
from workflows.state import State, begin
from workflows.values import json_size

RUN = "sim-1"


class Journeys:
    """How a run goes on in another process, or in another execution."""

    case: Case
    request: RunRequest
    state: State
    ledger: Ledger
    oracle: Oracle
    log: list[tuple[Event, list[Command]]]
    base: str | None
    shadow: State | None
    fired: list[tuple[str, Place]]
    listening: dict[str, None]
    asking: dict[str, None]
    operations: dict[str, None]
    over: Any
    deliver: Callable[..., list[Command]]

    def _crash(self) -> bool:
        """The process dies; another one gets the events again."""
        state = self._first_state()
        for event, commands in self.log:
            state, again = advance(state, event)
            if again != commands:
                raise Violation("the same events give the same commands", f"{event}: {again}, before {commands}")
        if state != self.state:
            raise Violation("the same events give the same state", difference(state, self.state))
        self.state = state
        return True

    def _first_state(self) -> State:
        if self.base is None:
            return begin(RUN, self.request)
        return restore(RUN, self.request, json.loads(self.base))

    def _carry(self) -> bool:
        """The history begins anew, where nothing is in flight: the state travels as a message."""
        ledger = self.ledger
        if self.over or ledger.flying or ledger.calls or ledger.timers or self.listening or self.asking:
            return False
        before, self.shadow = self.state, None
        hindered = self.oracle.room is not None
        self._travel()
        if self.deliver(Continued(ledger.now)) and not hindered:
            raise Violation("a snapshot changes nothing", "something starts that could have started before")
        self.shadow = None if hindered else before
        return True

    def _anew(self) -> bool:
        """The history begins anew while steps wait: for the time, an event, an answer, their next attempt, or room."""
        ledger, state = self.ledger, self.state
        if self.over or ledger.flying or ledger.children or state.verdicts:
            return False
        hindered = self.oracle.room is not None
        if not hindered and (state.ready or not state.own):
            return False
        before, self.shadow = state, None
        self._travel(whole_snapshot)
        timers, ledger.timers = ledger.timers, {}
        soonest = ledger.now
        commands = self.deliver(Continued(soonest))
        due = {key: max(at, soonest) for key, (at, _) in timers.items()}
        now = {key: at for key, (at, _) in ledger.timers.items() if key in due or not hindered}
        more = [command for command in commands if not isinstance(command, SetTimer)]
        if now != pytest.approx(due) or (more and not hindered):
            raise Violation("what waits goes on waiting", f"{outline(commands)}, where {timers} were set")
        self.shadow = None if hindered else before
        return True

    def _lost_run(self, named: list[str], children: bool) -> bool:
        """The execution is terminated, and the run goes on in another: what was in flight is lost."""
        return self._go_on(named, children) if not self.over else False

    def _retry(self, named: list[str], children: bool) -> bool:
        """The run goes on after its end."""
        return self._go_on(named, children) if self.over else False

    def _go_on(self, named: list[str], children: bool) -> bool:
        ledger = self.ledger
        self.fired.clear()
        self.listening.clear()
        self.asking.clear()
        ledger.forget()
        self.shadow = None
        self._travel()
        name = f"retry{len(self.operations)}"
        self.operations[name] = None
        found = {run: f"x-{run}" for run in calls_to_look_at(self.state)} if children else {}
        self.deliver(Retried(ledger.now, Operation(name, "retry", "ada", steps=named), found))
        return True

    def _travel(self, made: Callable[[State], dict[str, Any]] = snapshot) -> None:
        """Let the state become a message and come back; a second time, nothing more changes."""
        document = made(self.state)
        self._is_small(document)
        self.base = json.dumps(document)
        self.log.clear()
        self.state = self._first_state()
        again = json.loads(json.dumps(made(self.state)))
        if again != json.loads(self.base):
            raise Violation("a snapshot comes back as it was", difference(again, json.loads(self.base)))

    def _is_small(self, document: dict[str, Any]) -> None:
        items = sum(len(run) for run in self.oracle.items.values())
        bound = 4_000 + 1_500 * len(self.case.steps) + 700 * items + 300 * MAX_HEARD + 20 * MAX_OPERATIONS
        if json_size(document) > bound:
            raise Violation("the state stays small", f"{json_size(document)} bytes; at most {bound}")
