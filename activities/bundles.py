"""The code that travels with a workflow: fetched by its sha256, verified, unpacked once for all steps of a machine.

A bundle is a zip that a stranger may have made. An entry that is not plainly a file or folder below the bundle is
refused, never rewritten; bytes and files are counted while they are unpacked, whatever the zip says about itself.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from activities.digest import digest_of
from activities.errors import StepFailed
from activities.scratch import ScratchSpace
from store.objects import CHUNK_BYTES, ObjectNotFound, ObjectStore

MAX_FILES = 20_000
MAX_BYTES = 4 * 1024**3
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DRIVE = re.compile(r"[A-Za-z]:")
_KINDS = (0, stat.S_IFREG, stat.S_IFDIR)  # 0: made on a system without modes
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


class BundleCache:
    """Unpacked bundles under `root`, one folder each, shared by all workers of the machine.

    Args:
        objects: Holds `bundles/<sha256>.zip`.
        root: Of the cache; can be deleted at any time.
        scratch: Where a bundle is unpacked before it gets its name in the cache; on the same file system.
    """

    def __init__(self, objects: ObjectStore, root: Path, scratch: ScratchSpace) -> None:
        self._objects = objects
        self._root = root
        self._scratch = scratch
        self._locks: dict[str, asyncio.Lock] = {}

    async def folder(self, digest: str, blocking: Callable[[Callable[[], Path]], Awaitable[Path]]) -> Path:
        """Return the folder of a bundle's files, which nobody may change.

        Args:
            digest: The sha256 of the zip, in hex.
            blocking: Makes a call in a thread.

        Raises:
            StepFailed: `BundleInvalid` or `BundleMissing`.
        """
        if not _DIGEST.fullmatch(digest):
            raise StepFailed("BundleInvalid", f"{digest!r} is no sha256", retryable=False)
        target = self._root / digest
        # One download, however many steps want it at once.
        async with self._locks.setdefault(digest, asyncio.Lock()):
            if target.is_dir():
                return target
            return await blocking(lambda: self._fetch(digest, target))

    def _fetch(self, digest: str, target: Path) -> Path:
        folder = self._scratch.make()
        try:
            archive = folder / "zip"
            self._objects.get_to_file(f"bundles/{digest}.zip", archive)
            if digest_of(archive)[1] != digest:
                raise StepFailed("BundleInvalid", f"the bundle {digest} was not stored or sent whole")
            unpack(archive, folder / "files")
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                (folder / "files").rename(target)
            except OSError:
                if not target.is_dir():  # another process was first
                    raise
        except ObjectNotFound:
            raise StepFailed("BundleMissing", f"the bundle {digest} is not in the object store") from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return target


def unpack(archive: Path, folder: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> None:
    """Unpack a zip into `folder`, which is made.

    Raises:
        StepFailed: `BundleInvalid`: an entry could leave the folder or is not plain, or the limits are passed.
    """
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as bundle:
            entries = bundle.infolist()
            if len(entries) > max_files:
                raise _refused(f"has {len(entries):,} files; {max_files:,} are allowed")
            check_entries(entries)
            room = max_bytes
            for entry in entries:
                room -= _unpack_entry(bundle, entry, folder, room)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise _refused(f"cannot be unpacked: {error}") from None


def check_entries(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse names that are not plainly below the bundle, kinds other than file and folder, and doubles.

    Raises:
        StepFailed: `BundleInvalid`.
    """
    seen: dict[str, str] = {}
    for entry in entries:
        # zipfile itself cuts a name at NUL and turns backslashes around; the original is judged.
        name = entry.orig_filename
        if problem := _problem(name, entry):
            raise _refused(f"entry {name!r} {problem}")
        # Two names that differ by case are one file on some machines.
        if (other := seen.setdefault(name.rstrip("/").casefold(), name)) is not name:
            raise _refused(f"entries {other!r} and {name!r} have one name")


def _problem(name: str, entry: zipfile.ZipInfo) -> str | None:
    if any(ord(character) < 32 or ord(character) == 127 for character in name) or "\\" in name:
        return "has a control character or a backslash in its name"
    if name.startswith("/") or _DRIVE.match(name):
        return "is absolute"
    if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        return "has an empty, `.` or `..` part in its name"
    if stat.S_IFMT(entry.external_attr >> 16) not in _KINDS:
        return "is neither a file nor a folder"
    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
        return "is encrypted or compressed in a way that is not supported"
    return None


def _unpack_entry(bundle: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, room: int) -> int:
    target = folder / entry.orig_filename
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    executable = entry.external_attr >> 16 & stat.S_IXUSR
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with (
        bundle.open(entry) as source,
        open(target, "xb", opener=lambda path, _: os.open(path, flags, 0o755 if executable else 0o644)) as file,
    ):
        while chunk := source.read(CHUNK_BYTES):
            size += len(chunk)
            if size > room:
                raise _refused("is too large once unpacked")
            file.write(chunk)
    return size


def _refused(problem: str) -> StepFailed:
    return StepFailed("BundleInvalid", f"the bundle {problem}", retryable=False)
