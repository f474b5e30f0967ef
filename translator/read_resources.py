"""Reads what a step says about its place among others: its priority, and what it needs of a machine."""

from __future__ import annotations

from translator import keys
from translator.diagnostics import Code, shown
from translator.fields import Fields
from translator.located import Node
from workflows.plan import MAX_PRIORITY
from workflows.sizes import parse_size

MAX_CPU = 4_096.0
MAX_GPU = 64
MAX_MEMORY = 2**50
_NAMES = {"highest": 1, "urgent": 1, "high": 2, "normal": 3, "medium": 3, "default": 3, "low": 4, "lowest": 5}


def read_priority(found: Fields) -> int | None:
    """Return the priority, from 1 (first) to `MAX_PRIORITY` (last)."""
    node = found.get("priority")
    if node is not None and isinstance(node.value, str) and node.value.lower() in _NAMES:
        wanted = f"a whole number from 1 (first) to {MAX_PRIORITY} (last)"
        found.wrong("priority", node, wanted, f"write {_NAMES[node.value.lower()]}")
        return None
    return found.integer("priority", 1, MAX_PRIORITY)


def read_resources(found: Fields, what: str) -> dict[str, float]:
    """Return what is needed of each resource that is named; memory in bytes."""
    node = found.get("resources")
    if node is None:
        return {}
    resources = Fields(node, found.report, f"resources of {what}", keys.RESOURCES)
    values = {
        "cpu": resources.number("cpu", 0.001, MAX_CPU) if _is_number(resources) else None,
        "memory": _memory(resources),
        "gpu": resources.integer("gpu", 0, MAX_GPU),
    }
    return {name: value for name, value in values.items() if value is not None}


def _is_number(resources: Fields) -> bool:
    """Report the cores of another tool, `500m`; tell whether it is not that."""
    node = resources.entries["cpu"].value if resources.has("cpu") else None
    text = node.value if node is not None else None
    if node is None or not isinstance(text, str) or not text.endswith("m") or not text[:-1].isdigit():
        return True
    resources.wrong("cpu", node, "a number of cores", f"write {int(text[:-1][:9]) / 1_000:g}")
    return False


def _memory(resources: Fields) -> int | None:
    node = resources.get("memory")
    if node is None:
        return None
    size = parse_size(node.value) if isinstance(node.value, str) else None
    if size is None:
        given = shown(node.raw or str(node.plain()))
        resources.report.add(node, Code.BAD_VALUE, f'"memory" is {given}, which is not a size', _hint(node))
    elif not 2**20 <= size <= MAX_MEMORY:
        resources.report.add(
            node, Code.BAD_VALUE, f'"memory" is {shown(str(node.value))}, but must be from 1Mi to 1024Ti'
        )
        return None
    return size


def _hint(node: Node) -> str:
    """Say how the size is written that was meant, as far as that can be told."""
    given = str(node.value).strip()
    number = given.rstrip("BbIi").rstrip("KkMmGgTt")
    unit = given[len(number) :][:1].upper()
    if unit in "KMGT" and unit and parse_size(f"{number}{unit}i") is not None:
        return f"write {number}{unit}i"
    return "such as 512Mi or 8Gi"
