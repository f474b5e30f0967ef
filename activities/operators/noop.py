"""The noop operator: does nothing, at next to no cost. A place for edges to meet."""

from __future__ import annotations

from activities.attempt import Attempt


class NoopOperator:
    """Succeeds at once, with no output."""

    async def run(self, attempt: Attempt) -> None:
        """Return nothing."""
