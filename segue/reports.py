"""What a step's code tells while it runs: how far it is, and numbers over time.

Each call is one line of JSON in a named pipe that the worker reads (`SEGUE_REPORT`). A call never breaks the step:
where nobody listens, as outside of a step, it does nothing, and one that the worker does not take in time is dropped.
Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from collections.abc import Iterator
from typing import Any, SupportsFloat

PIPE = "SEGUE_REPORT"
"""The variable with the pipe's path; the folder that it is in is where larger things are exchanged."""
PATIENCE_SECONDS = 5.0
"""How long a call waits for a worker that does not read; after that, calls wait no more until it reads again."""
MAX_TEXT_CHARACTERS = 200
MAX_NAME_CHARACTERS = 100


def progress(done: SupportsFloat, total: SupportsFloat | None = None, text: str = "") -> None:
    """Show how far the step is, wherever its run is shown; only the newest is kept.

    Args:
        done: How much is done.
        total: Of how much; None when nobody knows.
        text: What it does now; cut to 200 characters.

    Raises:
        TypeError: `done` or `total` is no number.
        ValueError: One of them is not finite.
    """
    numbers = [_number("done", done), None if total is None else _number("total", total)]
    send({"progress": [*numbers, " ".join(str(text).split())[:MAX_TEXT_CHARACTERS]]})


def metric(name: str, value: SupportsFloat, step: SupportsFloat | None = None) -> None:
    """Add a value to a series of the step, such as its loss; series are kept with the run and drawn on its page.

    Args:
        name: The series.
        value: NaN and infinity leave a gap in the drawing.
        step: Its place in the series; without it, one after the last.

    Raises:
        TypeError: `value` or `step` is no number.
        ValueError: The name is empty or too long, or `step` is not finite.
    """
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise ValueError(
            f"the name of a metric has 1 to {MAX_NAME_CHARACTERS} printable characters, unlike {name!r:.150}"
        )
    found = _float("value", value)
    place = None if step is None else _number("step", step)
    send({"metric": [name.strip(), found if found - found == 0 else None, place, time.time()]})


@contextlib.contextmanager
def group(title: str) -> Iterator[None]:
    """Fold what is printed inside under a title, where the log is shown."""
    inside = in_step()
    print(f"::group::{title}" if inside else title, flush=True)
    try:
        yield
    finally:
        if inside:
            print("::endgroup::", flush=True)


def in_step() -> bool:
    """Tell whether this process belongs to a step that a worker runs."""
    return bool(os.environ.get(PIPE))


def send(message: dict[str, Any]) -> bool:
    """Tell the worker something; say whether it was taken."""
    path = os.environ.get(PIPE)
    if not path:
        return False
    line = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
    try:
        return _channel.write(path, line.encode(errors="replace"))
    except OSError:
        return False


class _Channel:
    """The pipe, opened when it is first needed; a line is written whole or not at all."""

    def __init__(self) -> None:
        self._path = ""
        self._descriptor = -1
        self._patience = PATIENCE_SECONDS

    def write(self, path: str, line: bytes) -> bool:
        if path != self._path:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._path = path
        give_up_at = time.monotonic() + self._patience
        while True:
            try:
                os.write(self._descriptor, line)
            except BlockingIOError:
                left = give_up_at - time.monotonic()
                if left <= 0 or not self._writable(left):
                    self._patience = 0.0
                    return False
            else:
                self._patience = PATIENCE_SECONDS
                return True

    def _writable(self, seconds: float) -> bool:
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLOUT)
        return bool(waiting.poll(seconds * 1_000))


_channel = _Channel()


def _number(what: str, value: SupportsFloat) -> float:
    if type(value) is int and abs(value) < 2**53:
        return value
    found = _float(what, value)
    if found - found != 0:
        raise ValueError(f"{what} is {value!r:.80}; it must be a finite number")
    return found


def _float(what: str, value: SupportsFloat) -> float:
    try:
        if not isinstance(value, (str, bytes)):
            return float(value)
    except (TypeError, OverflowError):
        pass
    raise TypeError(f"{what} is {value!r:.80}; it must be a number")
