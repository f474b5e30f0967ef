"""A step's log as a terminal shows it: levels coloured, groups as headings. Elsewhere it stays as the step wrote it."""

from __future__ import annotations

from segue.markers import LEVELS, read_mark

_STYLES = {"debug": "2", "notice": "36", "warning": "33", "error": "1;31", "group": "1"}
_DIM = "2"


class MarkedLog:
    """Turns lines into what is shown of them.

    Args:
        colours: Whether the terminal wants any.
    """

    def __init__(self, colours: bool) -> None:
        self._colours = colours
        self._inside = False

    def shown(self, line: str) -> str | None:
        """Return what is shown of the next line; None when nothing is."""
        mark = read_mark(line)
        if mark is None:
            return self._indented(line)
        if mark.kind == "endgroup":
            self._inside = False
            return None
        if mark.kind == "group":
            self._inside = True
            return self._styled(mark.text, _STYLES["group"])
        if mark.kind in LEVELS:
            return self._indented(self._styled(f"{mark.kind}: {mark.text}", _STYLES[mark.kind]))
        return self._indented(self._styled(line, _DIM))

    def _indented(self, text: str) -> str:
        return f"  {text}" if self._inside else text

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colours else text
