"""What a step needs of a machine, as people write it: `8Gi` of memory, and the sentence that names all of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(Ki|Mi|Gi|Ti)")
_BYTES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def parse_size(text: str) -> int | None:
    """Return the bytes of `512Mi`, `8Gi` or `1.5Ti`, or None when the text is no size."""
    found = _SIZE.fullmatch(text)
    return None if found is None else round(float(found[1]) * _BYTES[found[2]])


def size_text(size: float) -> str:
    """Return a size as people read it: `8Gi`, `1.5Gi`, `300Mi`."""
    unit = next((unit for unit in ("Ti", "Gi", "Mi") if size >= _BYTES[unit]), "Ki")
    return f"{round(size / _BYTES[unit], 1):g}{unit}"


def amount(name: str, value: float) -> str:
    """Return one resource in words: `2 gpu`, `8Gi memory`."""
    return f"{size_text(value) if name == 'memory' else format(value, 'g')} {name}"


def amounts(resources: Mapping[str, float]) -> str:
    """Return resources in words: `4 cpu, 8Gi memory, 1 gpu`."""
    return ", ".join(amount(name, value) for name, value in resources.items())
