"""What steps tell of themselves while they run, as the client returns it: their progress and their metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step says it is.

    Attributes:
        total: None when nobody knows.
        text: What it does.
    """

    done: float
    total: float | None
    text: str

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> Progress | None:
        """Read the service's object; null is None."""
        if document is None:
            return None
        return cls(document["done"], document.get("total"), document.get("text") or "")


@dataclass(frozen=True, slots=True)
class Series:
    """A metric over time.

    Attributes:
        name: What it is called.
        steps: Where each point is.
        values: Its value; None for what was no finite number.
        at: When it was told, in seconds since the epoch.
    """

    name: str
    steps: tuple[float, ...]
    values: tuple[float | None, ...]
    at: tuple[float, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Series:
        """Read the service's object."""
        return cls(document["name"], tuple(document["steps"]), tuple(document["values"]), tuple(document["at"]))
