"""The kinds of warnings: what is valid, and yet probably not meant. A code never changes its meaning."""

from __future__ import annotations

from enum import StrEnum


class Warned(StrEnum):
    """The kinds of warnings."""

    NULL_READ = "W0101"
    UNREACHABLE = "W0102"
    CONSTANT = "W0103"
    UNSEEN_FAILURE = "W0104"
    NO_WORKER = "W0105"
    SECRET = "W0106"
    UNUSED_PARAM = "W0107"
    MISSING_VAR = "W0108"
    CLOCK_CHANGE = "W0109"
