"""Ids of runs, which are the ids of their Temporal workflows too, and the shapes of ids that come in from outside.

An id never decides what may be read: what it names is looked up before anything is opened.
"""

from __future__ import annotations

import hashlib
import secrets
import time

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: no i, l, o or u to misread."""
_RANDOM_BITS = 18

WORKFLOW_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}$"
RUN_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:\-]{0,254}$"
"""Temporal's own schedules append a time such as `2026-11-24T06:00:00Z`."""
STEP_KEY_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.\-]{0,127}(\[[0-9]{1,6}\]){0,3}$"
ATTEMPT_PATTERN = r"^[0-9]{3,6}\.[0-9]{3,6}-[0-9a-f]{8}$"


def new_run_id(workflow: str) -> str:
    """Return an id such as `train-digits-01jdh3v6w8kq`, whose last 12 characters sort by time of creation."""
    # 42 bits of milliseconds last until 2109.
    number = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    return f"{workflow}-" + "".join(_DIGITS[number >> shift & 31] for shift in range(55, -1, -5))


def event_run_id(workflow: str, event: str) -> str:
    """Return the id of the one run that the event of id `event` starts."""
    return f"{workflow}-event-{hashlib.sha256(event.encode()).hexdigest()[:16]}"
