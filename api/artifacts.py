"""The artifacts of an attempt, as its worker listed them; of one that was lost, as far as they are there. Blocks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from api.downloads import damaged
from store.objects import InvalidKey, ObjectNotFound, ObjectStore

MANIFEST = "artifacts.json"
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
MAX_LISTED = 10_000
BINARY = "application/octet-stream"
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif"})
"""What a browser may be told the type of: it runs no code, whatever is in it."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that an attempt left.

    Attributes:
        key: Of the object.
        sha256: None when the worker was lost before it listed what it had written.
    """

    name: str
    key: str
    size: int
    sha256: str | None
    type: str = BINARY


def list_artifacts(objects: ObjectStore, folder: str) -> list[Artifact]:
    """Return the artifacts of the attempt in `folder`, in order of their names.

    Raises:
        Problem: The list is not what a worker writes.
    """
    key = f"{folder}/{MANIFEST}"
    about = objects.stat(key)
    if about is None:
        return [*_there(objects, f"{folder}/artifacts/")]
    if about.size > MAX_MANIFEST_BYTES:
        raise damaged()
    try:
        found = json.loads(objects.get(key))["artifacts"]
        return sorted((_listed(folder, each) for each in found), key=lambda each: each.name)
    except ObjectNotFound:
        return []
    except (ValueError, TypeError, LookupError, RecursionError):
        raise damaged() from None


def find_artifact(objects: ObjectStore, folder: str, name: str) -> Artifact | None:
    """Return one of them, or None."""
    try:
        return next((each for each in list_artifacts(objects, folder) if each.name == name), None)
    except InvalidKey:
        return None


def _listed(folder: str, document: dict[str, Any]) -> Artifact:
    name, size, digest, kind = document["name"], document["size"], document["sha256"], document["type"]
    if not (isinstance(name, str) and isinstance(size, int) and isinstance(kind, str) and len(bytes.fromhex(digest))):
        raise ValueError(name)
    return Artifact(name, f"{folder}/artifacts/{name}", size, digest, kind)


def _there(objects: ObjectStore, prefix: str) -> Iterator[Artifact]:
    for number, info in enumerate(objects.list(prefix)):
        if number >= MAX_LISTED:
            return
        yield Artifact(info.key.removeprefix(prefix), info.key, info.size, None)
