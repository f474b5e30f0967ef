"""The digest of a file: what names a bundle, and what a reference says of its object."""

from __future__ import annotations

import hashlib
from pathlib import Path

from store.objects import CHUNK_BYTES


def digest_of(path: Path) -> tuple[int, str]:
    """Return a file's size in bytes and the sha256 of its content in hex; never holds the file in memory."""
    size, digest = 0, hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()
