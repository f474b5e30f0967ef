"""The promises about what a plan means: who may start when, who must, and what everything comes to.

Looks at each event with the commands that came of it, in their order, and at nothing else of the core. A broken promise
is a `Violation`.
"""

from __future__ import annotations

from typing import Any

from tests.simulator.cases import Case
from tests.simulator.ledger import Ledger, Violation
from tests.simulator.meaning import (
    OWN,
    TERMINAL,
    Broken,
    Known,
    can_begin,
    causes,
    ends_as,
    items_of,
    needed,
    output_of,
    verdict,
)
from workflows.exchange import (
    Command,
    Continued,
    EndRun,
    Event,
    Place,
    Record,
    Retried,
    RoomChanged,
    StartStep,
    StopRequested,
)
from workflows.messages import Operation, Transition

MAX_LOSSES = 5


class Oracle:
    """One run's promises.

    Attributes:
        known: What expressions see.
        items: The keys of each map's items, once it has begun.
        given: Outputs of items.
        stop: Why the run is being stopped.
        said: What somebody said of steps and items, which is to come.
        moved: What was taken back, to be scheduled anew.
    """

    def __init__(self, case: Case, ledger: Ledger) -> None:
        self.case = case
        self.ledger = ledger
        self.known = Known()
        self.known.states = ledger.states
        self.steps = case.steps
        self.by_id = {step["id"]: step for step in case.steps}
        self.main = [step for step in case.steps if "phase" not in step]
        self.window: int = case.fields.get("max_parallel", 200)
        self.on_failure: str = case.fields.get("on_failure", "finish")
        self.items: dict[str, list[str]] = {}
        self.given: dict[str, Any] = {}
        self.failures: list[str] = []
        self.losses: dict[str, int] = {}
        self.waits_until: dict[str, float] = {}
        self.stop: str | None = None
        self.finals_stopped = False
        self.said: dict[str, str] = {}
        self.moved: set[str] = set()
        self.keep: set[str] = set()
        self.anew: set[str] = set()
        self.main_anew = False
        self.begun = False
        self.room: int | None = None

    # Names.

    def key(self, place: Place) -> str:
        """Return the key of a step or item."""
        step: str = self.steps[place.number]["id"]
        return step if place.item is None else self.items[step][place.item]

    def stops(self, step: dict[str, Any]) -> bool:
        """Say whether a step is to end early."""
        return self.stop is not None and ("phase" not in step or self.finals_stopped)

    @property
    def main_over(self) -> bool:
        """Whether every step of the main part has ended."""
        return all(self.known.states[step["id"]] in TERMINAL for step in self.main)

    @property
    def _hindered(self) -> bool:
        """Whether nothing may start now, whatever rules say."""
        room = self.window if self.room is None else self.room
        return self.ledger.run == "paused" or self.ledger.taken >= min(room, self.window)

    # Before an event.

    def expect(self, event: Event) -> None:
        """Take in an event that the core is about to get."""
        self.began_paused = self.ledger.run == "paused"
        match event:
            case StopRequested(why=why):
                if self.stop is None:
                    self.stop = why
                elif self.main_over:
                    self.finals_stopped = True
            case Retried(operation=operation):
                self.room = None
                self._go_on(operation)
            case Continued():
                self.room = None
            case RoomChanged(room=room):
                self.room = room
            case _:
                pass
        self.begun = True
        self.ledger.begin(isinstance(event, Retried))
        self.stopped_before = self.stop is not None

    def _go_on(self, operation: Operation) -> None:
        self.stop, self.finals_stopped = None, False
        states = self.known.states
        self.keep = {s["id"] for s in self.main if states[s["id"]] == "succeeded"}
        self.said.clear()
        self.moved.clear()
        self.anew.clear()
        self.main_anew = False
        self.waits_until.clear()
        self.began_paused = False
        for name in self.items:
            for key in self.items[name]:
                if states.get(key) not in (None, *TERMINAL):
                    states[key] = "waiting"

    # After it.

    def took(self, commands: list[Command]) -> None:
        """Check what came of an event."""
        for command in commands:
            match command:
                case Record(transition):
                    before = self.known.states.get(transition.key, "waiting")
                    self._about_to_be(transition, before)
                    self.ledger.take(command, transition.key)
                    self._is_now(transition, before)
                case EndRun():
                    self.ledger.take(command, "")
                    self._ended(command)
                case _:
                    place = getattr(command, "place", None)
                    about = self.key(place) if place is not None else ""
                    self.ledger.take(command, about)
                    if isinstance(command, StartStep):
                        self._given_to(command, about)
        if commands:
            self._settled()

    # Step by step.

    def _about_to_be(self, change: Transition, before: str) -> None:
        """Look at a change of state in the light of what was so when it was made."""
        key, state = change.key, change.state
        if not key:
            return
        name = key.partition("[")[0]
        step = self.by_id[name]
        if key in self.said and state in TERMINAL and self.said.pop(key) != state:
            raise Violation("what somebody said of a step becomes of it", f"{key} is {state}")
        if change.detail.get("operation"):
            return
        if state == "waiting":
            self._back(name, before)
        elif before == "waiting" and key == name:
            self._decided(step, state)
        elif key != name and before in (None, "waiting") and state in ("queued", "running"):
            self._item_begins(step, key)
        elif state == "running" and before == "retrying" and self.ledger.now < self.waits_until.get(key, 0.0) - 0.001:
            raise Violation("a rest lasts as long as its retry says", key)
        if state == "retrying":
            timer = self.ledger.timers.get(key)
            self.waits_until[key] = timer[0] if timer is not None else 0.0
        if key == name and state in TERMINAL and "map" in step and before == "running":
            self._map_ends(step, state)
        holds = self.on_failure == "hold" and "phase" not in step and self.stop is None
        if holds and state == "failed" and key == name and before != "held":
            raise Violation("a failure is held for a person", name)

    def _back(self, name: str, before: str) -> None:
        """A step is to be decided anew: because of a retry after the end, or as a person released it."""
        if not self.ledger.again and before != "held":
            raise Violation("only such changes of state", f"{name} waits again")
        if name in self.keep:
            raise Violation("what has succeeded stays", f"{name} is decided anew")
        self.anew.add(name)
        self.main_anew = self.main_anew or "phase" not in self.by_id[name]
        self.losses = {key: n for key, n in self.losses.items() if key.partition("[")[0] != name}

    def _decided(self, step: dict[str, Any], state: str) -> None:
        """A step that waited begins, or ends without: so its rule must say."""
        name = step["id"]
        if state == "cancelled" and self.stops(step):
            return
        if "phase" in step and not self.main_over:
            raise Violation("finally steps come last", f"{name} is {state} before the main part is over")
        said = verdict(step, self.known)
        if said == "open":
            raise Violation("no step is decided before its needs are", f"{name} is {state}")
        if said == "start":
            self._begins(step, state)
        elif state != said and not (said == "failed" and state == "held"):
            raise Violation("a step becomes what its rule says", f"{name} is {state}, not {said}")

    def _begins(self, step: dict[str, Any], state: str) -> None:
        name = step["id"]
        if name in self.case.kept:
            expected = {"succeeded"}
        elif "map" in step:
            items = items_of(step, self.known)
            expected = {"failed", "held"} if items is None else {"running"}
        elif not can_begin(step, self.known):
            expected = {"failed", "held"}
        else:
            expected = {"running" if step["kind"] in OWN or step["kind"] == "workflow" else "queued"}
        if state not in expected:
            raise Violation("a step becomes what its rule says", f"{name} is {state}, but starts")
        if "map" not in step and name not in self.case.kept:
            self._may_start(step, name)

    def _may_start(self, step: dict[str, Any], key: str) -> None:
        """Check what must be so whenever something starts that was not in flight."""
        if self.ledger.run == "paused":
            raise Violation("a paused run starts nothing", key)
        if self.room == 0:
            raise Violation("a run without room starts nothing", key)
        if self.stopped_before and self.stops(step):
            raise Violation("a stopped run starts nothing", key)

    def _item_begins(self, step: dict[str, Any], key: str) -> None:
        self._may_start(step, key)
        if key not in self.items.get(step["id"], ()):
            raise Violation("a map has the items of its list", key)

    def _map_ends(self, step: dict[str, Any], state: str) -> None:
        """A map ends: what it comes to follows from its items."""
        name = step["id"]
        states = [self.known.states.get(key, "waiting") for key in self.items[name]]
        good, skipped, must = states.count("succeeded"), states.count("skipped"), 0
        must = needed(step, len(states), skipped)
        stopped = self.stops(step)
        if any(each in ("queued", "running", "retrying") for each in states):
            raise Violation("a map ends after its items", f"{name} is {state}: {states}")
        unfinished = any(each == "waiting" for each in states)
        if unfinished and not stopped:
            raise Violation("a map ends after its items", f"{name} is {state}: {states}")
        if stopped and (unfinished or "cancelled" in states):
            expected = "cancelled"
        else:
            expected = "succeeded" if good >= must else "failed"
        if state != expected:
            raise Violation("a map becomes what its items are", f"{name} is {state}, not {expected}: {states}")

    def _is_now(self, change: Transition, before: str) -> None:
        """Take in a change of state."""
        key, state = change.key, change.state
        name = key.partition("[")[0]
        if not key:
            return
        step = self.by_id[name]
        if key != name:
            self.given[key] = change.result.value if state == "succeeded" and change.result is not None else None
            return
        if state == "running" and "map" in step:
            self._map_begins(step, change, before)
        if state in TERMINAL:
            self.known.outputs[name] = self._output(step, change) if state == "succeeded" else None
        if state == "failed":
            self.failures = [each for each in self.failures if each != name] + [name]
            if self.on_failure == "stop" and "phase" not in step:
                self.stop = self.stop or "failure"

    def _map_begins(self, step: dict[str, Any], change: Transition, before: str) -> None:
        """Take in that a map begins, or lets its failed items start anew."""
        name, states = step["id"], self.known.states
        fresh, final = "limit" in change.detail, "phase" in step
        follows = bool(self.anew & {need["step"] for need in step.get("needs", ())}) or (final and self.main_anew)
        if name in self.items and before == "waiting" and fresh != follows:
            what = "begins anew" if fresh else "goes on, though what was before it is another now"
            raise Violation("what has succeeded stays", f"{name} {what}")
        if fresh:
            self.items[name] = [name + path for path in items_of(step, self.known) or ()]
        for key in self.items.get(name, ()):
            if fresh or states.get(key) in ("failed", "cancelled"):
                states[key] = "waiting"
            if fresh:
                self.given.pop(key, None)
            self.losses.pop(key, None)

    def _output(self, step: dict[str, Any], change: Transition) -> Any:
        if "map" not in step or change.detail.get("operation") or step["id"] in self.case.kept:
            return change.result.value if change.result is not None else None
        return output_of(step, [self.given.get(key) for key in self.items[step["id"]]])

    def _given_to(self, start: StartStep, key: str) -> None:
        step = self.by_id[key.partition("[")[0]]
        try:
            expected = {name: self.known.render(template) for name, template in step.get("inputs", {}).items()}
        except Broken:
            raise Violation("a step gets what its needs gave", f"{key} starts without its input") from None
        if start.task.inputs != expected:
            raise Violation("a step gets what its needs gave", f"{key} gets {start.task.inputs}, not {expected}")

    # When all that follows from the event was done.

    def _settled(self) -> None:
        if self.ledger.taken > self.window:
            raise Violation("the window is never exceeded", f"{self.ledger.taken} of {self.window}")
        if self.ledger.end is not None:
            return
        for step in self.steps:
            state = self.known.states[step["id"]]
            if state == "waiting":
                self._still_waits(step)
            elif state == "running" and "map" in step:
                self._map_goes_on(step)
            if self.stop is not None and state not in TERMINAL and self.stops(step):
                self._is_being_stopped(step, state)

    def _still_waits(self, step: dict[str, Any]) -> None:
        """A step waits: its needs, the window or a pause must be the reason."""
        name = step["id"]
        if self.stops(step):
            raise Violation("what waits in a stopped run is cancelled", name)
        if "phase" in step and not self.main_over:
            return
        said = verdict(step, self.known)
        if said == "open" or (said == "start" and self.room == 0):
            return
        takes_a_place = said == "start" and name not in self.case.kept and "map" not in step
        if not (takes_a_place and self._hindered):
            raise Violation("what may start starts", f"{name} waits, though it is {said}")

    def _map_goes_on(self, step: dict[str, Any]) -> None:
        name = step["id"]
        states = [self.known.states.get(key, "waiting") for key in self.items[name]]
        open_items = sum(each in ("queued", "running", "retrying") for each in states)
        limit = step["map"].get("limit") or len(states)
        if open_items > limit:
            raise Violation("the limit of a map is never exceeded", f"{name}: {open_items} of {limit}")
        if name in self.said or self.stops(step):
            if open_items == 0:
                raise Violation("a map ends with its last item", name)
            return
        if open_items == 0 and "waiting" not in states:
            raise Violation("a map ends with its last item", name)
        if "waiting" in states and open_items < limit and not self._hindered:
            raise Violation("what may start starts", f"an item of {name} waits")

    def _is_being_stopped(self, step: dict[str, Any], state: str) -> None:
        name = step["id"]
        keys = self.items[name] if "map" in step and name in self.items else [name]
        for key in keys:
            flying = key in self.ledger.flying or key in self.ledger.children
            if flying and key not in self.ledger.asked:
                raise Violation("what is in flight in a stopped run is asked to stop", key)
        if state == "held":
            raise Violation("nothing is held in a stopped run", name)

    # The end.

    def _ended(self, end: EndRun) -> None:
        open_steps = [step["id"] for step in self.steps if self.known.states[step["id"]] not in TERMINAL]
        if open_steps:
            raise Violation("every step ends", ", ".join(open_steps))
        if self.said:
            raise Violation("what somebody said of a step becomes of it", ", ".join(self.said))
        expected = ends_as(self.case.fields, self.steps, self.known, self.stop)
        if end.state != expected:
            raise Violation("the leaves decide the run", f"the run is {end.state}, not {expected}")
        if end.state == "failed" and self.stop != "timeout":
            self._first_cause(end)

    def _first_cause(self, end: EndRun) -> None:
        possible = causes(self.steps, self.known)
        first = next((name for name in self.failures if name in possible), None)
        named = (end.error.detail.get("step") if end.error else None) if possible else None
        if named != first:
            raise Violation("the first cause is named", f"{named}, not {first}")
