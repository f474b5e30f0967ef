"""Whether the kernel's out-of-memory killer was at work: its count, from the nearest place that has one.

A process that it ends cannot say so. The count of this worker's own cgroup is that of the worker and its steps; where
there is none, the machine's own is that of all that runs there.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
_COUNT = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)


def kills() -> int | None:
    """Return how many processes it has ended so far; None where nobody counts."""
    place = counter()
    return None if place is None else count(place)


@functools.cache
def counter() -> Path | None:
    """Return the file with the count."""
    return next((place for place in places() if count(place) is not None), None)


def places() -> list[Path]:
    """Return the files that may have the count, the nearest first."""
    try:
        lines = OWN.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    paths = {controllers: path.lstrip("/") for _, controllers, path in (line.split(":", 2) for line in lines)}
    # Inside a container, its own cgroup is the root of what it sees.
    old = [CGROUPS / "memory" / path / "memory.oom_control" for path in (paths.get("memory", ""), "")]
    new = [CGROUPS / path / "memory.events" for path in (paths.get("", ""), "")]
    return [*(old if "memory" in paths else ()), *new, Path("/proc/vmstat")]


def count(place: Path) -> int | None:
    """Return the count in a file; None where it has none."""
    try:
        found = _COUNT.search(place.read_bytes())
    except OSError:
        return None
    return None if found is None else int(found[1])
