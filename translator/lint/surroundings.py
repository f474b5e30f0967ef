"""Warns about what a definition expects of its surroundings: params nobody reads, queues nobody serves, clocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

from translator.forecast.speech import paths_of
from translator.lint.codes import Warned
from translator.lint.subject import Subject
from workflows.plan import INTERPRETER_KINDS

_DAYS = 400


def check_params(subject: Subject) -> None:
    """Warn about params that nothing reads."""
    read = {path[1] if len(path) > 1 else None for path in paths_of(subject.plan) if path[0] == "params"}
    if None in read:
        return  # all of them together are read
    for name in subject.plan.params:
        at = subject.key("params", name)
        if name not in read and at is not None:
            message = f'nothing reads the param "{name}"'
            subject.warn(at, Warned.UNUSED_PARAM, message, f"use params.{name} in a step, or remove it")


def check_queues(subject: Subject, pollers: Mapping[str, int]) -> None:
    """Warn about queues that no worker serves."""
    told: set[str] = set()
    for step in subject.plan.steps:
        if step.kind in INTERPRETER_KINDS or step.queue in told or pollers.get(step.queue, 1) > 0:
            continue
        told.add(step.queue)
        places = ((step.phase if step.phase == "finally" else "steps", step.id, "queue"), ("defaults", "queue"))
        at = next((node for place in places if (node := subject.node(*place)) is not None), subject.step(step.id).at)
        message = f'no worker serves the queue "{step.queue}": step "{step.id}" would wait'
        subject.warn(at, Warned.NO_WORKER, message, f"start one: segue worker --queue {step.queue}")


def check_vars(subject: Subject, variables: Mapping[str, object]) -> None:
    """Warn about variables that the service does not have."""
    uses = [use for _, written in subject.own_steps() for use in written.uses]
    uses += [use for held in subject.definition.defaults.uses.values() for use in held]
    told: set[str] = set()
    for use in [*uses, *subject.definition.uses]:
        for path, offset in use.expression.places():
            if path[0] == "vars" and len(path) > 1 and path[1] not in variables and path[1] not in told:
                told.add(path[1])
                message = f'the service has no variable "{path[1]}"'
                subject.warn(use.inside(offset), Warned.MISSING_VAR, message, f"segue vars set {path[1]}=...")


def check_clocks(subject: Subject, now: datetime) -> None:
    """Warn about schedules at an hour that a change of the clock leaves out or has twice."""
    for index, trigger in enumerate(subject.plan.triggers):
        cron = trigger.spec.get("cron")
        if trigger.kind != "schedule" or not cron or str(cron).startswith("@") or _often(str(cron)):
            continue
        zone = str(trigger.spec.get("timezone", "UTC"))
        change = next(_changes(str(cron), zone, now), None)
        if change is not None:
            when, what = change
            at = subject.definition.triggers[index].at
            message = f"on {when:%Y-%m-%d} the clocks of {zone} change, and this time {what}"
            subject.warn(at, Warned.CLOCK_CHANGE, message, "choose an hour before 1 or after 3, or the timezone UTC")


def _often(cron: str) -> bool:
    """Tell whether a schedule runs in every hour, so that one more or less matters little."""
    return cron.split()[1].startswith("*")


def _changes(cron: str, name: str, now: datetime) -> Iterator[tuple[datetime, str]]:
    try:
        zone = ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return
    for hour in range(_DAYS * 24):
        before = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=hour)
        earlier, later = before.astimezone(zone), (before + timedelta(hours=1)).astimezone(zone)
        jump = (later.utcoffset() or timedelta()) - (earlier.utcoffset() or timedelta())
        if not jump:
            continue
        start = earlier.replace(tzinfo=None) + timedelta(hours=1)
        affected = start if jump > timedelta() else start + jump
        minutes = int(abs(jump).total_seconds() // 60)
        if any(croniter.match(cron, affected + timedelta(minutes=minute)) for minute in range(minutes)):
            yield later, "does not exist" if jump > timedelta() else "comes twice"
