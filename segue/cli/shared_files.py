"""Reads the files with shared steps that a definition uses: beside it, or in a library's folders.

Nothing outside those folders is read, whatever a definition says, and nothing larger than a definition may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

MAX_BYTES = 1024 * 1024
MAX_TOTAL_BYTES = 2 * MAX_BYTES


def read_files(paths: Iterable[str], folders: Sequence[str]) -> dict[str, str]:
    """Return the texts of files by path; one that is not there is left out, and compiling says so.

    Args:
        paths: Relative to a folder.
        folders: The definition's own, then those of the library. A local file is looked for in the first alone.
    """
    found: dict[str, str] = {}
    left = MAX_TOTAL_BYTES
    for path in paths:
        places = folders if "@" in path else folders[:1]
        file = next((each for folder in places if (each := _inside(Path(folder), path)) is not None), None)
        if file is None or left <= 0:
            continue
        with file.open("rb") as opened:
            # One byte more than is allowed: that the file is too large is said where it is compiled.
            data = opened.read(MAX_BYTES + 1)
        left -= len(data)
        # Bytes that are no UTF-8 become characters that no definition may hold, and are refused with their place.
        found[path] = data.decode("utf-8", errors="surrogateescape")
    return found


def _inside(folder: Path, path: str) -> Path | None:
    """Return a file that really lies in a folder, links followed."""
    try:
        file = (folder / path).resolve()
        return file if file.is_file() and file.is_relative_to(folder.resolve()) else None
    except (OSError, ValueError):
        return None
