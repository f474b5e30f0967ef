"""Codes of what can be wrong with a Python definition; E01xx to E06xx are the translator's.

A code never changes its meaning. Branch on a code, never on a message.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """The kinds of problems."""

    TOO_LARGE = "E0101"
    NOT_SUPPORTED = "E0202"
    CYCLE = "E0402"

    NO_FILE = "E0701"
    SUFFIX = "E0702"
    NOT_TEXT = "E0703"
    WHICH_WORKFLOW = "E0704"
    BUNDLE = "E0705"

    SYNTAX = "E0711"
    EXCEPTION = "E0712"
    EXIT = "E0713"
    TIMEOUT = "E0714"
    CRASH = "E0715"
    NO_INTERPRETER = "E0716"

    NO_DAG = "E0721"
    MISUSE = "E0722"
    UNKNOWN_ARGUMENT = "E0723"
    NO_STEP_ID = "E0724"
    DUPLICATE_STEP = "E0725"
    DUPLICATE_WORKFLOW = "E0726"

    CONSTRUCT = "E0731"
    NAME = "E0732"
    NOT_A_STEP = "E0733"
    CALL = "E0734"
    ANNOTATION = "E0735"
    DIFFERENT = "E0736"
    LOOP = "E0737"
    TOO_LONG = "E0738"
    TRY = "E0739"
