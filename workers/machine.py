"""What a worker's machine has: as far as the worker is told, else as far as the machine itself says. Starts nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

from activities.room import Machine

_DEVICE = re.compile(r"nvidia([0-9]+)")
_CGROUP = Path("/sys/fs/cgroup")


def find_machine(cpu: float | None = None, memory: int | None = None, gpu: int | None = None) -> Machine:
    """Return what steps of this process may occupy together.

    Args:
        cpu: Cores; None: those that this process may use.
        memory: Bytes; None: the machine's, or the container's.
        gpu: Devices; None: those of `CUDA_VISIBLE_DEVICES`, else all that the machine has.
    """
    seen = _devices()
    if gpu is not None:
        # Told of more than is seen, in a container for example, it counts them.
        seen = seen[:gpu] if len(seen) >= gpu else tuple(str(number) for number in range(gpu))
    return Machine(cpu or _cores(), memory or _memory(), seen)


def _cores() -> float:
    cores: float = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        cores = min(cores, int(quota) / int(period))
    return cores


def _memory() -> float:
    bytes_: float = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read(_CGROUP / "memory.max").strip()
    return min(bytes_, int(limit)) if limit.isdigit() else bytes_


def _devices() -> tuple[str, ...]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name.strip() for name in visible.split(",") if name.strip() not in ("", "-1", "NoDevFiles"))
    numbers = (_DEVICE.fullmatch(path.name) for path in Path("/dev").glob("nvidia[0-9]*"))
    return tuple(str(number) for number in sorted(int(found[1]) for found in numbers if found))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
