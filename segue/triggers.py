"""What starts runs by itself, as the Python spelling writes it: `cron`, `every`, `event` and Airflow's `schedule`.

Only builds the definition's `triggers` key; the translator judges cron text and time zones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from segue.duration import duration_text
from segue.place import Place, here, misuse, not_supported
from segue.rhythm import is_relativedelta, rhythm_text, start_text
from segue.values import plain

_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class Trigger:
    """An entry of `DAG(triggers=[...])`, made by `cron`, `every` or `event`.

    Attributes:
        definition: The entry as YAML would write it.
    """

    definition: dict[str, Any]
    place: Place


def cron(
    text: str,
    *,
    timezone: str | None = None,
    overlap: str | None = None,
    catchup: str | timedelta | None = None,
    params: dict[str, Any] | None = None,
) -> Trigger:
    """Make a trigger: a run at every time that cron text names.

    Args:
        text: Five fields, `minute hour day month weekday`, or a preset such as `@daily`.
        timezone: An IANA name such as `Europe/Paris`; UTC without it.
        overlap: What to do when the run before is still going: `skip`, `allow`, `queue` or `cancel_oldest`.
        catchup: How far back missed runs are made up for after an outage.
        params: Params of these runs.
    """
    spec = {"cron": _PRESETS.get(text, text), **_common(timezone, overlap, catchup)}
    return _trigger("schedule", spec, params)


def every(
    rhythm: str | timedelta | Any,
    *,
    start: str | date | datetime | None = None,
    timezone: str | None = None,
    overlap: str | None = None,
    catchup: str | timedelta | None = None,
    params: dict[str, Any] | None = None,
) -> Trigger:
    """Make a trigger: runs in a rhythm that cron text cannot say, such as every 36 hours, or every second month.

    Args:
        rhythm: A `timedelta`, dateutil's `relativedelta(months=1)`, or text such as `1 month`.
        start: When the first run may be, and what the others are counted from.
        timezone: Of `start`, and of the calendar's months; UTC without it.
        overlap: What to do when the run before is still going: `skip`, `allow`, `queue` or `cancel_oldest`.
        catchup: How far back missed runs are made up for after an outage.
        params: Params of these runs.
    """
    spec: dict[str, Any] = {"every": rhythm_text(rhythm, "rhythm")}
    if start is not None:
        spec["start"] = start_text(start, timezone, "start")
    return _trigger("schedule", spec | _common(timezone, overlap, catchup), params)


def event_trigger(name: str, condition: Any, debounce: Any, params: dict[str, Any] | None) -> Trigger:
    """Make a trigger: an event of this name starts a run. Users call it as `event(name, params=...)`."""
    from segue.options import condition_text

    spec = {"name": str(name)}
    if condition is not None:
        spec["if"] = condition_text(condition, "condition")
    if debounce is not None:
        spec["debounce"] = duration_text(debounce, "debounce")
    return _trigger("event", spec, params)


def _common(timezone: str | None, overlap: str | None, catchup: str | timedelta | None) -> dict[str, Any]:
    given = {"timezone": timezone, "overlap": overlap}
    spec: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    return spec if catchup is None else spec | {"catchup": duration_text(catchup, "catchup")}


def _trigger(kind: str, spec: dict[str, Any], params: dict[str, Any] | None) -> Trigger:
    definition: dict[str, Any] = {kind: spec}
    if params is not None:
        definition["params"] = plain(params, "params")
    return Trigger(definition, here())


def scheduled(
    schedule: Any, *, start_date: Any, timezone: str | None, overlap: str | None, catchup: Any, now: datetime
) -> list[Trigger]:
    """Return the triggers that Airflow's arguments `schedule`, `start_date` and `catchup` amount to.

    With cron text, a `start_date` changes nothing but the time zone, because Segue makes up for missed runs only as
    far back as `catchup` says; with a rhythm, it is what the runs are counted from.
    """
    if catchup is True:
        raise not_supported("catchup=True", hint='say how far back: catchup="24h"')
    zone = timezone or _zone_of(start_date)
    if schedule is None:
        given = [name for name, value in (("timezone", timezone), ("overlap", overlap), ("catchup", catchup)) if value]
        if given:
            raise misuse(f"{given[0]} needs a schedule", hint='schedule="0 6 * * MON"')
        return []
    if schedule == "@once":
        raise not_supported('schedule="@once"', hint="leave schedule out and start the run with `segue run`")
    if isinstance(schedule, Trigger):
        return [schedule]
    options: dict[str, Any] = {"timezone": zone, "overlap": overlap, "catchup": catchup or None}
    if isinstance(schedule, timedelta) or is_relativedelta(schedule):
        return [every(schedule, start=start_date, **options)]
    if not isinstance(schedule, str):
        hint = 'use cron text such as "0 6 * * MON" or "@daily", timedelta(hours=6), or relativedelta(months=1)'
        raise misuse(f"schedule={schedule!r} is no schedule", hint=hint)
    _refuse_future(start_date, now)
    return [cron(schedule, **options)]


def _zone_of(start_date: Any) -> str | None:
    if start_date is None:
        return None
    if not isinstance(start_date, datetime):
        raise misuse(f"start_date={start_date!r} is not a datetime", hint="use datetime(2025, 1, 1)")
    name = getattr(start_date.tzinfo, "key", None)
    return name if isinstance(name, str) and name != "UTC" else None


def _refuse_future(start_date: datetime | None, now: datetime) -> None:
    """Refuse to begin later what cron text names: its times have no beginning."""
    if start_date is None:
        return
    aware = start_date if start_date.tzinfo else start_date.replace(tzinfo=UTC)
    if aware > now:
        raise not_supported("a start_date in the future", hint="deploy the workflow when it should start")
