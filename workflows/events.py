"""What becomes of an event: which trigger it matches, whether it waits for quiet, and which runs are to be started.

`EventDesk` is pure bookkeeping; the time comes with each call. It starts nothing itself: `workflows.trigger` does.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workflows.conditions import Look, look
from workflows.messages import Debounced, Event, EventDecision, EventState, EventTrigger, TriggerRequest, TriggerUpdate

EVENTS_REMEMBERED = 1_000
DECISIONS_REMEMBERED = 200
"""Fewer than ids, as a decision may be long and all travel when the trigger begins anew."""
MAX_REASON = 1_000


def event_run_id(name: str, event: str) -> str:
    """Return the id of the run that the event `event` starts of the workflow `name`."""
    return f"{name}-event-{hashlib.sha256(event.encode(errors='surrogatepass')).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Start:
    """A run to start.

    Attributes:
        params: Templates over the event.
        name: The event's name; None leaves the params to the newest version's first event trigger.
    """

    event: Event
    params: dict[str, Any] = field(default_factory=dict)
    name: str | None = None


class EventDesk:
    """The events of one workflow and its triggers for them."""

    def __init__(self, request: TriggerRequest) -> None:
        self._workflow = request.workflow
        self._seen = dict.fromkeys(request.seen)
        self._triggers = request.triggers
        self._version = request.version
        self._decided = {decision.id: decision for decision in request.decided}
        self._debounced = {burst.trigger: burst for burst in request.debounced}

    @property
    def due(self) -> float | None:
        """When the next burst is over, seconds since the epoch."""
        return min((burst.due for burst in self._debounced.values()), default=None)

    def decision(self, event: str) -> EventDecision | None:
        """Return what became of an event, by its id."""
        return self._decided.get(event)

    def kept(self) -> TriggerRequest:
        """Return what has to be known after beginning anew."""
        seen, decided = list(self._seen)[-EVENTS_REMEMBERED:], list(self._decided.values())[-DECISIONS_REMEMBERED:]
        return TriggerRequest(
            self._workflow, seen, self._triggers, self._version, decided, list(self._debounced.values())
        )

    def update(self, update: TriggerUpdate) -> None:
        """Take over the triggers of the newest version; what a removed one has debounced is dropped."""
        self._triggers, self._version = update.triggers, update.version
        names = {name for name, _ in self._named()}
        for name in [name for name in self._debounced if name not in names]:
            event = self._debounced.pop(name).event
            self._decide(event, "dropped", f"its trigger {event.name!r} was removed while it was debounced")

    def take(self, event: Event, now: float) -> Start | None:
        """Decide an event; return the run that it starts. One whose id was here before changes nothing."""
        if event.id in self._seen:
            self._count_again(event)
            return None
        self._seen[event.id] = None
        if self._triggers is None:
            return self._start(event, Start(event))
        looks: list[Look] = []
        for name, trigger in self._named():
            if not self._is_meant(event, trigger):
                continue
            if trigger.condition is not None:
                looks.append(look(trigger.condition, {"event": event.payload}, "if"))
                if not looks[-1].result:
                    continue
            if trigger.debounce <= 0:
                return self._start(event, Start(event, trigger.params, trigger.name))
            self._debounce(event, name, now + trigger.debounce, trigger.debounce)
            return None
        self._turn_away(event, looks)
        return None

    def take_due(self, now: float) -> list[Start]:
        """Return the runs of bursts that are over."""
        triggers = dict(self._named())
        over = sorted((burst.due, name) for name, burst in self._debounced.items() if burst.due <= now)
        return [
            self._start(event, Start(event, triggers[name].params, triggers[name].name))
            for _, name in over
            for event in (self._debounced.pop(name).event,)
        ]

    def _named(self) -> Iterator[tuple[str, EventTrigger]]:
        """Yield each trigger with what tells it from others of its name."""
        count: Counter[str] = Counter()
        for trigger in self._triggers or ():
            yield f"{trigger.name}#{count[trigger.name]}", trigger
            count[trigger.name] += 1

    def _is_meant(self, event: Event, trigger: EventTrigger) -> bool:
        """Say whether the trigger waits for this event; one without a name is meant for the only name there is."""
        names = {each.name for each in self._triggers or ()}
        return event.name == trigger.name or (not event.name and len(names) == 1)

    def _start(self, event: Event, start: Start) -> Start:
        run = event_run_id(self._workflow, event.id)
        self._decide(event, "started", f"started run {run}", run)
        return start

    def _debounce(self, event: Event, trigger: str, due: float, quiet: float) -> None:
        before = self._debounced.get(trigger)
        if before is not None:
            reason = f"superseded by the event {event.id!r}, which came within {quiet:g} s"
            self._decide(before.event, "superseded", reason)
        self._debounced[trigger] = Debounced(trigger, event, due)
        self._decide(event, "debounced", f"starts a run when no other event has come for {quiet:g} s")

    def _turn_away(self, event: Event, looks: list[Look]) -> None:
        broken = next((each.error for each in looks if each.error is not None), None)
        if broken is not None:
            self._decide(event, "condition_error", f"started no run: {broken.message}")
        elif looks:
            self._decide(event, "condition_false", f"started no run: {' and '.join(map(_false, looks))}")
        else:
            names = ", ".join(dict.fromkeys(repr(each.name) for each in self._triggers or ())) or "none"
            reason = f"started no run: no trigger waits for an event named {event.name!r}; there are {names}"
            self._decide(event, "unmatched", reason)

    def _decide(self, event: Event, state: EventState, reason: str, run: str | None = None) -> None:
        before = self._decided.pop(event.id, None)
        times = before.times if before is not None else 1
        self._decided[event.id] = EventDecision(event.id, state, reason[:MAX_REASON], run, times)
        while len(self._decided) > EVENTS_REMEMBERED:
            del self._decided[next(iter(self._decided))]

    def _count_again(self, event: Event) -> None:
        known = self._decided.get(event.id)
        if known is not None:
            known.times += 1


def _false(seen: Look) -> str:
    return f"{seen.sentence()} is false"
