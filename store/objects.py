"""Objects: named bytes that are written once and never changed in place.

`ObjectStore` is the protocol, `open_object_store` chooses who keeps it: a local directory or an S3 bucket. Both
behave alike and pass one contract suite. Keys are paths such as `runs/x/train[0]/000.001-3f2a9c1e/output.json`; they
are made by the service, never taken whole from a user. Nothing here retries for ever or keeps a whole file in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import parse_qs, unquote, urlsplit

CHUNK_BYTES = 1024 * 1024
MAX_KEY_BYTES = 900
"""S3 allows 1,024 bytes, of which a configured prefix may take some."""
MAX_SEGMENT_BYTES = 200
"""File systems allow 255 bytes for a name."""


class ObjectStoreError(Exception):
    """The root of what an object store raises."""

    code = "object_store"


class ObjectNotFound(ObjectStoreError):
    """There is no object of this key."""

    code = "object_not_found"

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no object {key!r}")
        self.key = key


class ObjectExists(ObjectStoreError):
    """The object was to be created, but exists; it is left as it was."""

    code = "object_exists"

    def __init__(self, key: str) -> None:
        super().__init__(f"the object {key!r} exists already")
        self.key = key


class InvalidKey(ObjectStoreError, ValueError):
    """The key could leave the store or cannot be kept by every kind of store."""

    code = "object_key_invalid"

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key!r} is no object key: {problem}")
        self.key = key
        self.problem = problem


class ObjectStoreUnavailable(ObjectStoreError):
    """The store cannot be reached or refuses us; the same call may succeed later."""

    code = "object_store_unavailable"

    def __init__(self, store: str, problem: str) -> None:
        super().__init__(f"the object store {store} cannot be used: {problem}")
        self.store = store
        self.problem = problem


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object's key and its size in bytes."""

    key: str
    size: int


@runtime_checkable
class ObjectStore(Protocol):
    """Bytes by key. Safe to call from several threads at once; every call blocks.

    An object is there as a whole or not at all, whoever dies while writing it. Any call may raise
    `ObjectStoreUnavailable`, and `InvalidKey` for a key that is refused.
    """

    @property
    def url(self) -> str:
        """The address it was opened with; holds no secret."""
        ...

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> None:
        """Write an object.

        Args:
            key: Its key.
            data: All of its bytes.
            create_only: Refuse to replace an object that is there.

        Raises:
            ObjectExists: With `create_only`, the object is there already.
        """
        ...

    def put_file(self, key: str, path: Path, *, create_only: bool = False) -> None:
        """Write an object from a file of any size; otherwise like `put`."""
        ...

    def get(self, key: str) -> bytes:
        """Return all bytes of an object.

        Raises:
            ObjectNotFound: It is not there.
        """
        ...

    def get_to_file(self, key: str, path: Path) -> None:
        """Write an object of any size to `path`, which appears only when it is complete.

        Raises:
            ObjectNotFound: It is not there; nothing is written.
        """
        ...

    def open(self, key: str) -> Iterator[bytes]:
        """Return the object's bytes in chunks; never holds more than one.

        Raises:
            ObjectNotFound: It is not there; raised by the call, not by the iteration.
        """
        ...

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose key starts with `prefix` and comes after the key `after`.

        The objects of one folder come in code point order. Whether `a/x` comes before `a-b` is the store's own
        choice (S3 compares keys, SeaweedFS folder by folder), so give as `after` only a key of the same listing.
        """
        ...

    def stat(self, key: str) -> ObjectInfo | None:
        """Return what is known about an object without reading it; None when it is not there."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...

    def close(self) -> None:
        """Let go of connections; the store is not used afterwards."""
        ...


def open_object_store(url: str, *, access_key: str | None = None, secret_key: str | None = None) -> ObjectStore:
    """Return the object store at `url`; nothing is contacted or made until the first call.

    Args:
        url: `file:///absolute/folder`, or `s3://bucket/prefix?endpoint=http://127.0.0.1:8333&region=us-east-1`.
        access_key: S3 credentials; None takes boto3's own chain (environment, profile, instance role).
        secret_key: See `access_key`.

    Raises:
        ValueError: The url is of no kind we know.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        from store.local_objects import LocalObjectStore

        return LocalObjectStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        # boto3 takes 0.4 s to import, which a local directory need not pay.
        from store.s3_objects import S3ObjectStore

        options = {name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
        unknown = sorted(set(options) - {"endpoint", "region"})
        if unknown:
            raise ValueError(f"object store {url!r}: unknown option {unknown[0]!r}; known are endpoint and region")
        return S3ObjectStore(
            parts.netloc,
            unquote(parts.path).strip("/"),
            endpoint=options.get("endpoint"),
            region=options.get("region"),
            access_key=access_key,
            secret_key=secret_key,
        )
    raise ValueError(f"object store {url!r}: use file:///absolute/folder or s3://bucket/prefix?endpoint=...")


def check_key(key: str) -> str:
    """Return the key if every kind of store can keep it.

    Raises:
        InvalidKey: It is empty, absolute, too long, or has an empty, `.` or `..` segment, a backslash or a control
            character.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise InvalidKey(key, "it is not valid text") from None
    if not key or size > MAX_KEY_BYTES:
        raise InvalidKey(key[:100], f"it must have 1 to {MAX_KEY_BYTES} bytes")
    if "\\" in key or any(ord(c) < 32 or ord(c) == 127 for c in key):
        raise InvalidKey(key, "a backslash or control character is in it")
    for segment in key.split("/"):
        if segment in ("", ".", ".."):
            raise InvalidKey(key, "a segment is empty, `.` or `..`")
        if len(segment.encode()) > MAX_SEGMENT_BYTES:
            raise InvalidKey(key, f"a segment has more than {MAX_SEGMENT_BYTES} bytes")
    if key.startswith(".incoming/") or key == ".incoming":
        raise InvalidKey(key, "`.incoming` is where a local store keeps files that are being written")
    return key
