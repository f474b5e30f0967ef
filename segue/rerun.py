"""A rerun, as the service answers it. Never imports anything outside the standard library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segue.models import Run


@dataclass(frozen=True, slots=True)
class Rerun:
    """A run that takes over what another has done.

    Attributes:
        run: The new run.
        kept: Steps whose outputs are taken over.
        again: Steps that run again, each with the reason.
        notes: What somebody should know of it.
    """

    run: Run
    kept: tuple[str, ...]
    again: dict[str, str]
    notes: tuple[str, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Rerun:
        """Read the service's object."""
        again = {each["step"]: each["why"] for each in document["again"]}
        return cls(Run.from_json(document["run"]), tuple(document["kept"]), again, tuple(document.get("notes") or ()))
