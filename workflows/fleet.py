"""What a worker says of itself in Temporal's worker list, where its slots stand too: no registry of ours. Pure.

Temporal keeps for each worker the names of its plugins; ours has one that is called after what the worker has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

PREFIX = "segue "
MAX_LABELS = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What a worker was started with.

    Attributes:
        slots: Steps at a time.
        labels: What its fleet calls it by.
        resources: What its machine has: `cpu`, `memory` (bytes), `gpu`; shared by all queues of its process.
    """

    slots: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    resources: dict[str, float] = field(default_factory=dict)

    def fits(self, wanted: dict[str, float]) -> bool:
        """Whether a step that needs so much could run there."""
        return all(value <= self.resources.get(name, 0) for name, value in wanted.items())


def plugin_name(facts: Facts) -> str:
    """Return the name that says it."""
    return PREFIX + json.dumps(asdict(facts), separators=(",", ":"))


def read_facts(plugins: Iterable[str]) -> Facts | None:
    """Return what a worker says among the names of its plugins; None: it is not one of ours, or says nothing."""
    for name in plugins:
        if name.startswith(PREFIX):
            try:
                found: dict[str, Any] = json.loads(name.removeprefix(PREFIX))
                return Facts(int(found["slots"]), dict(found["labels"]), dict(found["resources"]))
            except (ValueError, TypeError, KeyError):
                return None
    return None
