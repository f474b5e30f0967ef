"""Where in the user's file something was written.

Operators, edges and expressions remember the call that made them, so that every message about a definition can name
its file, line and column. Never reads a file; the interpreter knows the positions of the code it runs.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import islice
from types import FrameType

from segue.child_path import PACKAGE
from segue.codes import Code
from segue.errors import Diagnostic, InvalidDefinition

_OURS = {f"{folder}{part}" for folder in (PACKAGE, __file__.rpartition("/")[0]) for part in ("", "/functions")}
# A child process imports this package through a link, so its own code has two names.


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of source text: lines from 1; columns from 0, in UTF-8 bytes, as the interpreter counts them."""

    file: str
    line: int
    column: int = 0
    end_line: int = 0
    end_column: int = 0


def calling_frame() -> FrameType:
    """Return the innermost frame that is not of this package: the user's line that is running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.rpartition("/")[0] in _OURS:
        frame = frame.f_back
    if frame is None:  # this package alone is on the stack: `python -m segue...`
        return sys._getframe(1)
    return frame


def place_of(frame: FrameType) -> Place:
    """Return the place of the expression that a frame is evaluating."""
    positions = frame.f_code.co_positions()
    found = next(islice(positions, frame.f_lasti // 2, None), (None, None, None, None))
    line, end_line, column, end_column = found
    line = line or frame.f_lineno or 1
    return Place(frame.f_code.co_filename, line, column or 0, end_line or line, end_column or 0)


def here() -> Place:
    """Return the place of the user's line that is running."""
    return place_of(calling_frame())


def misuse(message: str, *, hint: str = "", code: str = Code.MISUSE, at: Place | None = None) -> InvalidDefinition:
    """Make the error for a definition that uses Segue in a way that cannot mean anything.

    It names the place `at`, or without it the user's line that is running.
    """
    place = at or here()
    return InvalidDefinition([Diagnostic(place.file, place.line, place.column + 1, code, message, hint)])


def not_supported(what: str, *, hint: str = "", at: Place | None = None) -> InvalidDefinition:
    """Make the error for a part of the language that this version leaves out."""
    return misuse(f"{what} is not supported yet", hint=hint, code=Code.NOT_SUPPORTED, at=at)
