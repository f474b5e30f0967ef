"""Virtual time: what is due and when. A run and the runs it starts share one clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Due:
    """A call that is to be made.

    Attributes:
        limit: It ends a run whose time is up; a test that comes to that has forgotten something, as a rule.
        cancelled: It is not to be made any more, and time does not go on to it.
    """

    call: Callable[[], None]
    limit: bool = False
    cancelled: bool = False

    def cancel(self) -> None:
        """Forget it."""
        self.cancelled = True


class Clock:
    """A clock that jumps from one thing that is due to the next.

    Args:
        now: In seconds since the epoch.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self._due: list[tuple[float, int, Due]] = []
        self._count = 0

    def after(self, seconds: float, call: Callable[[], None], *, limit: bool = False) -> Due:
        """Make a call when this much time has passed; what is due at once keeps its order."""
        self._count += 1
        due = Due(call, limit)
        heapq.heappush(self._due, (self.now + seconds, self._count, due))
        return due

    def next(self) -> Due | None:
        """Go on to what is due next, and return it."""
        while self._due:
            at, _, due = heapq.heappop(self._due)
            if not due.cancelled:
                self.now = at
                return due
        return None

    @property
    def quiet(self) -> bool:
        """Whether nothing will happen any more but that the time of a run is up."""
        return all(due.limit or due.cancelled for _, _, due in self._due)
