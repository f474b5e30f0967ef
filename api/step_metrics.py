"""The metrics of a step, read from what its attempts have left in the object store. All of it blocks.

An attempt that goes on from a checkpoint goes on with its series too: of the attempts before it, those points are shown
that come before its own. Nothing here trusts what an object holds.
"""

from __future__ import annotations

import json
import math
from typing import Any

from store.attempts import step_prefix
from store.objects import ObjectNotFound, ObjectStore

METRICS = "metrics.json"
MOST_ATTEMPTS = 20
"""Older ones are not looked at."""

Columns = tuple[list[float], list[float | None], list[float]]
"""Steps, values and times."""


def read_metrics(objects: ObjectStore, run: str, key: str, attempts: list[str]) -> dict[str, Columns]:
    """Return the series of some attempts of a step, joined, by name.

    Args:
        objects: Where they are.
        run: The run.
        key: The step's key.
        attempts: Names of the attempts, oldest first.
    """
    joined: dict[str, Columns] = {}
    for attempt in attempts[-MOST_ATTEMPTS:]:
        try:
            document = json.loads(objects.get(f"{step_prefix(run, key)}{attempt}/{METRICS}"))
        except (ObjectNotFound, ValueError, RecursionError):
            continue
        for name, series in _series(document).items():
            joined[name] = _joined(joined[name], series) if name in joined else series
    return joined


def _joined(older: Columns, newer: Columns) -> Columns:
    if not newer[0]:
        return older
    kept = [place for place, step in enumerate(older[0]) if step < newer[0][0]]
    return (
        [older[0][place] for place in kept] + newer[0],
        [older[1][place] for place in kept] + newer[1],
        [older[2][place] for place in kept] + newer[2],
    )


def _series(document: Any) -> dict[str, Columns]:
    found: dict[str, Columns] = {}
    for each in document.get("series", ()) if isinstance(document, dict) else ():
        match each:
            case {"name": str(name), "steps": [*steps], "values": [*values], "at": [*times]}:
                rows = [row for row in zip(steps, values, times, strict=False) if _is_point(*row)]
                found[name] = ([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])
    return found


def _is_point(step: Any, value: Any, at: Any) -> bool:
    numbers = (step, at) if value is None else (step, value, at)
    return all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
