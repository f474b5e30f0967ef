"""What starts runs by itself, as the Python spelling writes it: `cron(...)`, `event(...)` and Airflow's `schedule`.

Only builds the definition's `triggers` key; the translator judges cron text and time zones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from segue.duration import duration_text
from segue.place import Place, here, misuse, not_supported
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
    """An entry of `DAG(triggers=[...])`, made by `cron` or `event`.

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
    spec: dict[str, Any] = {"cron": _PRESETS.get(text, text)}
    if timezone is not None:
        spec["timezone"] = timezone
    if overlap is not None:
        spec["overlap"] = overlap
    if catchup is not None:
        spec["catchup"] = duration_text(catchup, "catchup")
    return _trigger("schedule", spec, params)


def event_trigger(name: str, params: dict[str, Any] | None) -> Trigger:
    """Make a trigger: an event of this name starts a run. Users call it as `event(name, params=...)`."""
    return _trigger("event", {"name": name}, params)


def _trigger(kind: str, spec: dict[str, Any], params: dict[str, Any] | None) -> Trigger:
    definition: dict[str, Any] = {kind: spec}
    if params is not None:
        definition["params"] = plain(params, "params")
    return Trigger(definition, here())


def scheduled(
    schedule: Any, *, start_date: Any, timezone: str | None, overlap: str | None, catchup: Any, now: datetime
) -> list[Trigger]:
    """Return the triggers that Airflow's arguments `schedule`, `start_date` and `catchup` amount to.

    A `start_date` in the past changes nothing but the time zone, because Segue makes up for missed runs only as far
    back as `catchup` says.
    """
    if catchup is True:
        raise not_supported("catchup=True", hint='say how far back: catchup="24h"')
    zone = timezone or _zone_of(start_date, now)
    if schedule is None:
        given = [name for name, value in (("timezone", timezone), ("overlap", overlap), ("catchup", catchup)) if value]
        if given:
            raise misuse(f"{given[0]} needs a schedule", hint='schedule="0 6 * * MON"')
        return []
    if schedule == "@once":
        raise not_supported('schedule="@once"', hint="leave schedule out and start the run with `segue run`")
    if isinstance(schedule, Trigger):
        return [schedule]
    if not isinstance(schedule, str):
        raise _not_cron(schedule)
    return [cron(schedule, timezone=zone, overlap=overlap, catchup=catchup or None)]


def _zone_of(start_date: Any, now: datetime) -> str | None:
    if start_date is None:
        return None
    if not isinstance(start_date, datetime):
        raise misuse(f"start_date={start_date!r} is not a datetime", hint="use datetime(2025, 1, 1)")
    aware = start_date if start_date.tzinfo else start_date.replace(tzinfo=UTC)
    if aware > now:
        raise not_supported("a start_date in the future", hint="deploy the workflow when it should start")
    name = getattr(start_date.tzinfo, "key", None)
    return name if isinstance(name, str) and name != "UTC" else None


def _not_cron(schedule: Any) -> Exception:
    kind = type(schedule).__name__
    if kind not in ("timedelta", "relativedelta"):
        return misuse(f"schedule={schedule!r} is not cron text", hint='use cron text such as "0 6 * * MON" or "@daily"')
    text = _same_as(schedule)
    hint = f'schedule="{text}" runs as often' if text else 'use cron text such as "0 6 * * MON"'
    return not_supported(f"schedule={kind}(...)", hint=hint)


def _same_as(delta: Any) -> str:
    """Return cron text with the same rhythm, or an empty text when cron has none."""
    if not isinstance(delta, timedelta):
        return "0 0 1 * *" if getattr(delta, "months", 0) == 1 else ""
    minutes, rest = divmod(delta, timedelta(minutes=1))
    if rest or minutes < 1:
        return ""
    if minutes < 60 and 60 % minutes == 0:
        return f"*/{minutes} * * * *"
    hours, rest_minutes = divmod(minutes, 60)
    if rest_minutes == 0 and 1 <= hours < 24 and 24 % hours == 0:
        return f"0 */{hours} * * *" if hours > 1 else "0 * * * *"
    return {24: "0 0 * * *", 168: "0 0 * * 0"}.get(hours, "") if rest_minutes == 0 else ""
