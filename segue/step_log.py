"""`segue.log`: a logger like any other of Python's, whose lines carry their level to where a step's log is shown.

In a step, a line of the level `warning` is `::warning::text`, likewise `debug` and `error`; what is at `info` has no
mark. Outside of a step it prints what others print, unless logging is set up there, which is then left to do it.
"""

from __future__ import annotations

import logging
import sys

from segue.reports import in_step

_SAID = "_said_by_segue"


class MarkedLines(logging.Handler):
    """Writes records to stderr, with the marks of their levels."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, each of its lines with the mark."""
        inside = in_step()
        others = any(handler is not self for handler in logging.getLogger().handlers)
        if getattr(record, _SAID, False) or (others and not inside):
            return
        setattr(record, _SAID, True)  # it may come again by way of the root, which may have this handler too
        try:
            head = mark(record.levelno) if inside else f"{record.levelname}: "
            lines = self.format(record).splitlines() or [""]
            sys.stderr.write("".join(f"{head}{line}\n" for line in lines))
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def mark(level: int) -> str:
    """Return what stands before a line of a level."""
    if level >= logging.ERROR:
        return "::error::"
    if level >= logging.WARNING:
        return "::warning::"
    return "" if level >= logging.INFO else "::debug::"


def _logger() -> logging.Logger:
    made = logging.getLogger("segue.step")
    if not made.handlers:
        handler = MarkedLines()
        # One that has none is given a longer one by `logging.basicConfig`, which says the level a second time.
        handler.setFormatter(logging.Formatter("%(message)s"))
        made.addHandler(handler)
        made.setLevel(logging.DEBUG)
    made.propagate = not in_step()
    return made


log = _logger()
