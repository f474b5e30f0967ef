"""What a step needs of a machine, or a machine has, in words."""

from __future__ import annotations

from collections.abc import Mapping

_UNITS = (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))


def size_text(size: float) -> str:
    """Return bytes as definitions write them: `8Gi`, `1.5Gi`, `300Mi`."""
    unit, length = next(((unit, length) for unit, length in _UNITS if size >= length), ("Ki", 2**10))
    return f"{round(size / length, 1):g}{unit}"


def amounts(resources: Mapping[str, float]) -> str:
    """Return resources in words: `4 cpu, 8Gi memory, 1 gpu`."""
    return ", ".join(
        f"{size_text(value) if name == 'memory' else format(value, 'g')} {name}" for name, value in resources.items()
    )
