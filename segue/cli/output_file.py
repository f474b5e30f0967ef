"""Files that a command is asked to write."""

from __future__ import annotations

from pathlib import Path

from segue.errors import SubmitError


def write_output(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        SubmitError: The system refuses, with its reason.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SubmitError(f"{path} cannot be written: {error.strerror}.") from None
