"""An object store in a local directory: one file an object, for the embedded stack and for tests.

A file is written beside the objects, synced, and then linked or renamed into place, so it is there whole or not at
all. It never follows a key out of its directory. Unlike S3, an object `a` and an object `a/b` exclude each other.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from store.objects import (
    CHUNK_BYTES,
    InvalidKey,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    ObjectStoreUnavailable,
    check_key,
)

INCOMING = ".incoming"


class LocalObjectStore:
    """`ObjectStore` in a directory, which is made by the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @property
    def url(self) -> str:
        """The directory as a `file://` url."""
        return self.root.as_uri()

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> None:
        """Write an object; see the protocol."""
        target = self._path(key)
        with self._disk_errors(), self._incoming() as file:
            file.write(data)
            self._publish(file, target, key, create_only)

    def put_file(self, key: str, path: Path, *, create_only: bool = False) -> None:
        """Write an object from a file; see the protocol."""
        target = self._path(key)
        with path.open("rb") as source, self._disk_errors(), self._incoming() as file:
            shutil.copyfileobj(source, file, CHUNK_BYTES)
            self._publish(file, target, key, create_only)

    def get(self, key: str) -> bytes:
        """Return all bytes of an object; see the protocol."""
        with self._open(key) as file:
            return file.read()

    def get_to_file(self, key: str, path: Path) -> None:
        """Copy an object to a file; see the protocol."""
        with self._open(key) as source:
            write_whole(path, iter(lambda: source.read(CHUNK_BYTES), b""))

    def open(self, key: str) -> Iterator[bytes]:
        """Return an object's bytes in chunks; see the protocol."""
        return _chunks(self._open(key))

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Yield objects in order of their keys; see the protocol."""
        yield from self._walk("", prefix, after)

    def stat(self, key: str) -> ObjectInfo | None:
        """Return an object's size; see the protocol."""
        try:
            with self._open(key) as file:
                return ObjectInfo(key, os.fstat(file.fileno()).st_size)
        except ObjectNotFound:
            return None

    def delete(self, key: str) -> None:
        """Remove an object; see the protocol. Folders left empty stay."""
        path = self._path(key)
        with self._disk_errors(), contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            path.unlink()

    def close(self) -> None:
        """Nothing is held open."""

    def _path(self, key: str) -> Path:
        path = self.root / check_key(key)
        # check_key leaves no `..`; a symbolic link inside the store could still lead out of it.
        if not path.parent.resolve().is_relative_to(self.root.resolve()):
            raise InvalidKey(key, "it leads out of the store")
        return path

    def _open(self, key: str) -> IO[bytes]:
        path = self._path(key)
        with self._disk_errors():
            try:
                return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise ObjectNotFound(key) from None

    @contextlib.contextmanager
    def _incoming(self) -> Iterator[IO[bytes]]:
        folder = self.root / INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.NamedTemporaryFile(dir=folder)  # noqa: SIM115 - closed below, after a possible rename
        try:
            yield file
        finally:
            with contextlib.suppress(FileNotFoundError):
                file.close()

    def _publish(self, file: IO[bytes], target: Path, key: str, create_only: bool) -> None:
        file.flush()
        # Without it a power cut can leave a linked file of zero bytes.
        os.fsync(file.fileno())
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # A link never replaces, a rename always does; both are atomic.
            (os.link if create_only else os.replace)(file.name, target)
        except FileExistsError:
            if not target.exists():
                raise InvalidKey(key, "a part of it is an object of its own") from None
            raise ObjectExists(key) from None
        except (NotADirectoryError, IsADirectoryError):
            raise InvalidKey(key, "it or a part of it is an object or a folder of its own") from None

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[ObjectInfo]:
        """Yield what lies under `folder` ("" or ending in a slash), skipping subtrees that cannot match."""
        try:
            with os.scandir(self.root / folder) as scan:
                # A folder sorts as its members' keys do, that is with its slash.
                found = sorted((e.name + "/" if e.is_dir(follow_symlinks=False) else e.name, e) for e in scan)
        except (FileNotFoundError, NotADirectoryError):
            return
        for name, entry in found:
            key = folder + name
            if name.endswith("/"):
                related = key.startswith(prefix) or prefix.startswith(key)
                if related and key != INCOMING + "/" and (key > after or after.startswith(key)):
                    yield from self._walk(key, prefix, after)
            elif key.startswith(prefix) and key > after and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    yield ObjectInfo(key, entry.stat(follow_symlinks=False).st_size)

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ObjectStoreUnavailable(self.url, error.strerror or str(error)) from error


def write_whole(path: Path, chunks: Iterator[bytes]) -> None:
    """Write chunks to `path`, which appears, or is replaced, only when all of them are written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
