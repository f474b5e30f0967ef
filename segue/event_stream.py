"""A run's event stream as the client sees it: what to ask for, what a line means, when to come back.

No I/O happens here. Events have numbers without gaps, so after a lost connection the stream goes on behind the last one
that arrived.
"""

from __future__ import annotations

import json
import time

from segue.calls import Call, follow_run
from segue.errors import ServiceUnreachable, UnexpectedAnswer, WaitTimeout
from segue.models import RunEvent

SILENCE_SECONDS = 30.0
"""The service says something every 10 s; after this long, the connection is dead."""


class EventStream:
    """The state of one reader.

    Args:
        run: The run's id.
        after: Number of the last event that the reader has.
        deadline: By `time.monotonic`, when to give up; None: when the run has ended.
        patience: Seconds for which nobody may answer before that is an error.
    """

    def __init__(self, run: str, after: int = 0, *, deadline: float | None = None, patience: float = 60.0) -> None:
        self.run = run
        self.after = after
        self.ended = False
        self._deadline = deadline
        self._patience = patience
        self._heard = time.monotonic()
        self._kind = ""
        self._data: list[str] = []

    def call(self) -> Call[None]:
        """Return the request that opens the stream where it was left."""
        self._kind, self._data = "", []
        return follow_run(self.run, self.after)

    def silence(self) -> float:
        """Return how many seconds to wait for the next line."""
        if self._deadline is None:
            return SILENCE_SECONDS
        return max(0.05, min(SILENCE_SECONDS, self._deadline - time.monotonic()))

    def feed(self, line: str) -> RunEvent | None:
        """Take in a line; return the event that it completes.

        Raises:
            UnexpectedAnswer: The stream is not one of Segue's.
        """
        self._heard = time.monotonic()
        self._check_deadline()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif not line:
            return self._dispatch()
        return None

    def interrupted(self) -> float:
        """Return the seconds to wait before the stream is opened again.

        Raises:
            WaitTimeout: The deadline has passed.
            ServiceUnreachable: Nobody has answered for too long.
        """
        self._check_deadline()
        if time.monotonic() - self._heard > self._patience:
            raise ServiceUnreachable(
                f"The service has not answered for {self._patience:.0f} s; the run {self.run} goes on without us.",
                hint=f"Ask again later: segue show {self.run}",
            )
        return 0.5

    def _check_deadline(self) -> None:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise WaitTimeout(f"The run {self.run} has not ended yet; it goes on.")

    def _dispatch(self) -> RunEvent | None:
        kind, data = self._kind, "\n".join(self._data)
        self._kind, self._data = "", []
        if kind == "end":
            self.ended = True
        if kind not in ("run", "step"):
            return None
        try:
            event = RunEvent.from_json(kind, json.loads(data))
        except (ValueError, KeyError, TypeError) as error:
            raise UnexpectedAnswer(f"The event stream of {self.run} cannot be read: {error!r}.") from None
        if event.seq <= self.after:
            return None
        self.after = event.seq
        return event
