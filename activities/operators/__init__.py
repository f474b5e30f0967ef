"""Operators: the kinds of steps, one a file, each an `Operator`. They know nothing of Temporal."""

from __future__ import annotations

from typing import Protocol

from activities.attempt import Attempt
from workflows.messages import JSON


class Operator(Protocol):
    """Runs the steps of one kind."""

    async def run(self, attempt: Attempt) -> JSON:
        """Do the step's work and return its output: strict JSON, with references to what was written as objects.

        Cancelled when the step is cancelled, its time is over or the worker stops; leaves nothing running then.

        Raises:
            StepFailed: The step failed.
        """
        ...
