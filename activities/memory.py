"""Keeps the processes of a step within the memory that the step asked for, and says so when they want more.

Measured is what they use together and nobody else could give back: anonymous and shared memory, pages that several of
them share once. Limits of the kernel's that need no rights (RLIMIT_AS, RLIMIT_DATA) count addresses of one process
instead, of which CUDA and numpy reserve many more than they use. Linux only: elsewhere nothing is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

from activities.errors import StepFailed
from activities.guard import descendants
from workflows.sizes import size_text

INTERVAL_SECONDS = 0.25
OUT_OF_MEMORY = "OutOfMemory"


async def watch(process: Callable[[], int | None], limit: float) -> int:
    """Return the bytes in use as soon as they are more than `limit`.

    Args:
        process: Gives the id of the step's process, once there is one.
        limit: Bytes for it and all that it started.
    """
    while True:
        await asyncio.sleep(INTERVAL_SECONDS)
        number = process()
        if number is not None and (used := await asyncio.to_thread(in_use, number, limit)) > limit:
            return used


def out_of_memory(used: int, limit: float) -> StepFailed:
    """Return the failure of a step whose processes were ended for their size."""
    message = f"the step used {size_text(used)} of memory, and asked for {size_text(limit)} (resources.memory)"
    return StepFailed(OUT_OF_MEMORY, message, {"memory": used, "limit": int(limit)})


def in_use(process: int, limit: float) -> int:
    """Return the bytes that a process and all that it started use; exact only where they may be above `limit`."""
    parent = _parent(process)
    if parent is None:
        return 0
    # Its parent is its guard, who has nothing else below it but orphans of the same step.
    members = descendants(parent)
    quick = sum(_sum(f"/proc/{member}/status", ("RssAnon:", "RssShmem:")) for member in members)
    if quick <= limit:
        return quick
    return sum(_sum(f"/proc/{member}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")) for member in members)


def _parent(process: int) -> int | None:
    try:
        return int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except OSError:
        return None


def _sum(path: str, names: Iterable[str]) -> int:
    """Return the sum of some lines of a file of the kernel's, which are in KiB; 0 for a process that is gone."""
    total = 0
    with contextlib.suppress(OSError), Path(path).open() as lines:
        for line in lines:
            words = line.split()
            total += int(words[1]) * 1024 if words[0] in names else 0
    return total
