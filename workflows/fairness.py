"""Who shares a queue with whom: Temporal gives each key its turn, so that a run of 10,000 steps starves nobody.

The key is that of the run, and of the runs that it starts. It goes with the start of the execution, once, and Temporal
hands it on to everything that the execution schedules.
"""

from __future__ import annotations

MAX_KEY = 64


def fairness_key(run: str) -> str:
    """Return what Temporal tells a run's tasks by; the end of an id is what no other run has."""
    return run[-MAX_KEY:]
