"""Reading a step's log to its end, or following it: which page to ask for next, and when to pause.

Written once as a generator that yields requests and pauses, and gets answers sent back; the clients do the I/O.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias

from segue.calls import Call, get_logs, get_run
from segue.errors import NotFound
from segue.models import LogLine, LogPage, Run

POLL_SECONDS = 0.4
SETTLED = frozenset({"succeeded", "failed", "upstream_failed", "skipped", "cancelled"})

Script: TypeAlias = Generator[Call[Any] | float | LogLine, Any, None]
"""Yields a call (its answer is sent back), a pause in seconds, or a line for the reader."""


def read_log(run: str, step: str, attempt: str | int | None = None, follow: bool = False) -> Script:
    """Read the log of one attempt, or with `follow` all from the newest on until the step has ended.

    Args:
        run: The run's id.
        step: The step's key, such as `train` or `train[3]`.
        attempt: An attempt's name, or its place from 1; without it, the newest.
        follow: Whether to wait for lines that are still to come.
    """
    name = yield from _attempt_name(run, step, attempt)
    after = 0
    while True:
        page: LogPage = yield get_logs(run, step, name, after)
        yield from page.lines
        if page.attempt is not None:
            # From here on by name: the newest attempt may be another one by the time of the next page.
            moved = page.next > after
            name, after = page.attempt, page.next
            if moved and not page.complete:
                continue
        if not page.complete and not follow:
            return
        if page.complete:
            newer = page.attempts[page.attempts.index(name) + 1 :] if name in page.attempts else ()
            if attempt is not None or (not newer and (yield from _settled(run, step))):
                return
            if newer and follow:
                name, after = newer[0], 0
                continue
            if not follow:
                return
        yield POLL_SECONDS


def _attempt_name(run: str, step: str, attempt: str | int | None) -> Generator[Call[Any], Any, str | None]:
    if not isinstance(attempt, int):
        return attempt
    page: LogPage = yield get_logs(run, step, None, 0)
    if not 1 <= attempt <= len(page.attempts):
        raise NotFound(f"The step {step} has written logs in {len(page.attempts)} attempts; there is no {attempt}.")
    return page.attempts[attempt - 1]


def _settled(run: str, step: str) -> Generator[Call[Any], Any, bool]:
    """Return whether the step will not be tried again."""
    found: Run = yield get_run(run)
    return found.ended or found.step(step).state in SETTLED
