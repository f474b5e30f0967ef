"""Checkpoints of a step: what one attempt saves, the next begins with.

Each attempt writes under its own folder alone: `checkpoints/000002.json` says what the second one holds, and is written
when all its files are there. So an attempt that is still alive after its successor has begun can spoil nothing: what is
restored is the newest checkpoint of the newest attempt that has one. When there is a newer one, its forerunner goes.

What the process has in its folder may change or be led elsewhere while we look: its files are taken by hard links into
a folder of ours, never through a link. What cannot be saved makes no step fail; the log says what went wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from activities.attempt import STORE_PATIENCE_SECONDS, STORE_RETRY_SECONDS, Attempt
from activities.digest import digest_of
from activities.errors import StepFailed
from activities.scratch import remove
from segue.checkpoints import MAX_VALUE_BYTES, RESTORED
from store.attempts import list_attempts, step_prefix
from store.objects import CHUNK_BYTES, ObjectNotFound, ObjectStore, ObjectStoreError, ObjectStoreUnavailable

MAX_FILES = 10_000
MAX_WAITING = 16
"""Saves that are asked for at once; a step that asks for more does not wait for them."""
TRIES = 5
"""Of finding a checkpoint while an attempt that is still alive replaces what is found."""
_NAME = re.compile(r"save-\d{1,10}-\d{1,10}")
_ATTEMPT = re.compile(r"(\d+)\.(\d+)-[0-9a-f]*")
_DOCUMENT = re.compile(r"checkpoints/(\d{6,9})\.json")


@dataclass(frozen=True)
class Saved:
    """A checkpoint in the object store.

    Attributes:
        key: Of its document.
        document: `{"value", "files": [{"path", "key", "size", "sha256"}]}`.
    """

    key: str
    document: dict[str, Any]

    def objects(self) -> list[str]:
        """Return the keys of its objects, the document's first."""
        return [self.key, *(file["key"] for file in self.document["files"])]


class Checkpoints:
    """Restores and saves the checkpoints of one attempt: a context around the time in which its process runs.

    Args:
        attempt: The attempt.
        folder: Whose files belong to them.
        exchange: Where the values are, beside the pipe.
    """

    def __init__(self, attempt: Attempt, folder: Path, exchange: Path) -> None:
        self._attempt = attempt
        self._folder = folder
        self._exchange = exchange
        self._descriptor = -1
        self._number = 0
        self._before: Saved | None = None
        self._wishes: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)
        self._saver: asyncio.Task[None] | None = None

    async def _restore(self) -> None:
        """Put what an attempt before this one has saved where the process finds it; the first has nothing to find.

        Raises:
            StepFailed: It is there, but cannot be had here or now; to begin without would do all of it again.
        """
        attempt = self._attempt
        if attempt.number == 1:
            return
        try:
            found = await self._found_with_patience()
        except OSError as error:
            raise StepFailed("CheckpointFailed", f"the checkpoint cannot be restored: {error}") from None
        except (ValueError, LookupError, TypeError, RecursionError, ObjectStoreError) as error:
            await attempt.blocking(self._empty)
            attempt.log.line(f"[segue] the checkpoint cannot be restored, the step begins without: {error}")
            return
        if found is not None:
            self._before = found
            attempt.log.line(f"[segue] restored the checkpoint of attempt {_attempt_of(found.key)}")

    async def _found_with_patience(self) -> Saved | None:
        give_up_at = time.monotonic() + STORE_PATIENCE_SECONDS
        while True:
            try:
                return await self._attempt.blocking(self._found_and_read)
            except ObjectStoreUnavailable as error:
                if time.monotonic() > give_up_at:
                    raise StepFailed("ObjectStoreUnavailable", str(error)) from None
                self._attempt.log.line(f"[segue] {error}; trying again")
            await self._attempt.blocking(self._empty)
            await asyncio.sleep(STORE_RETRY_SECONDS)

    async def __aenter__(self) -> Checkpoints:
        await self._restore()
        # Before the process starts: what it does to the path afterwards leads us nowhere.
        self._descriptor = os.open(self._exchange, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._attempt.reports.wish = self._wish
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._attempt.reports.wish = None
        try:
            if self._saver is not None and kind is None:
                await self._wishes.join()
        finally:
            if self._saver is not None:
                self._saver.cancel()
                await asyncio.wait([self._saver])
            os.close(self._descriptor)

    def _wish(self, name: str) -> None:
        if name and not _NAME.fullmatch(name):
            return
        if self._saver is None:
            self._saver = asyncio.create_task(self._save_all())
        try:
            self._wishes.put_nowait(name)
        except asyncio.QueueFull:
            self._answer(name, kept=False)

    async def _save_all(self) -> None:
        while True:
            name = await self._wishes.get()
            kept = False
            try:
                await self._save(name)
                kept = True
            except Exception as error:  # whatever it is: hours of work matter more
                said = error.message if isinstance(error, StepFailed) else str(error)
                self._attempt.log.line(f"[segue] the checkpoint is not kept: {said}")
            finally:
                self._answer(name, kept=kept)
                self._wishes.task_done()

    async def _save(self, name: str) -> None:
        attempt = self._attempt
        value = await attempt.blocking(self._value, name) if name else None
        snapshot = await attempt.blocking(attempt.workshop.scratch.make)
        try:
            paths = await attempt.blocking(take_files, self._folder, snapshot)
            self._number += 1
            place = f"checkpoints/{self._number:06}"
            files = []
            for number, path in enumerate(paths):
                reference = await attempt.put_file(f"{place}/{number}", snapshot / path)
                files.append({"path": path, **{fact: reference[fact] for fact in ("key", "size", "sha256")}})
            document = {"value": value, "files": files}
            reference = await attempt.put(f"{place}.json", json.dumps(document).encode())
        finally:
            await attempt.blocking(remove, snapshot)
        before, self._before = self._before, Saved(reference["key"], document)
        if before is not None:
            await attempt.blocking(_delete, attempt.workshop.objects, before)

    def _value(self, name: str) -> Any:
        descriptor = os.open(f"{name}.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._descriptor)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError("its value is no file")
            data = file.read(MAX_VALUE_BYTES + 1)
        os.unlink(f"{name}.json", dir_fd=self._descriptor)
        if len(data) > MAX_VALUE_BYTES:
            raise ValueError(f"its value has more than {MAX_VALUE_BYTES:,} bytes")
        try:
            return json.loads(data)
        except RecursionError:
            raise ValueError("its value is nested too deep") from None

    def _answer(self, name: str, *, kept: bool) -> None:
        if not name:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with contextlib.suppress(OSError):  # it has put something there itself: then it waits for itself
            descriptor = os.open(f"{name}.done", flags, 0o600, dir_fd=self._descriptor)
            with os.fdopen(descriptor, "wb") as file:
                file.write(b"kept\n" if kept else b"lost\n")

    def _found_and_read(self) -> Saved | None:
        """Find the newest checkpoint of the newest attempt, and write it out."""
        attempt = self._attempt
        objects = attempt.workshop.objects
        for _ in range(TRIES):
            found = newest(objects, attempt.task.run, attempt.task.key, attempt.name)
            if found is None:
                return None
            try:
                read_into(objects, found, self._folder)
            except ObjectNotFound:  # replaced by one that is newer, meanwhile
                self._empty()
                continue
            (self._exchange / RESTORED).write_text(json.dumps(found.document["value"]), encoding="utf-8")
            return found
        raise ValueError("it is replaced again and again")

    def _empty(self) -> None:
        shutil.rmtree(self._folder)
        self._folder.mkdir()


def newest(objects: ObjectStore, run: str, key: str, own: str) -> Saved | None:
    """Return the checkpoint to go on from: the last one of the newest attempt that has one; None without any.

    Args:
        objects: Where they are.
        run: The run.
        key: The step.
        own: The name of the attempt that asks.
    """
    before = [name for name in list_attempts(objects, run, key) if _order(name) < _order(own)]
    for name in sorted(before, key=_order, reverse=True):
        prefix = f"{step_prefix(run, key)}{name}/"
        infos = objects.list(f"{prefix}checkpoints/")
        documents = sorted(info.key for info in infos if _DOCUMENT.fullmatch(info.key.removeprefix(prefix)))
        for found in reversed(documents):
            with contextlib.suppress(ObjectNotFound):
                return Saved(found, json.loads(objects.get(found)))
    return None


def read_into(objects: ObjectStore, saved: Saved, folder: Path) -> None:
    """Write the files of a checkpoint to a folder.

    Raises:
        ValueError: A file is not as it was written.
        ObjectNotFound: It is gone.
    """
    for file in saved.document["files"]:
        path = PurePosixPath(file["path"])
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{file['path']!r} leads out of its folder")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        objects.get_to_file(file["key"], target)
        if digest_of(target) != (file["size"], file["sha256"]):
            raise ValueError(f"{file['path']} is not as it was written")


def take_files(folder: Path, into: Path) -> list[str]:
    """Link the files below a folder into another one, as they are now; return their paths, in order.

    Raises:
        ValueError: There are too many.
    """
    paths: list[str] = []
    for parent, _, names, descriptor in os.fwalk(folder):
        inner = Path(parent).relative_to(folder)
        for name in sorted(names):
            if not stat.S_ISREG(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                continue
            if len(paths) >= MAX_FILES:
                raise ValueError(f"its folder has more than {MAX_FILES:,} files")
            target = into / inner / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _take(name, descriptor, target)
            paths.append((inner / name).as_posix())
    return sorted(paths)


def _take(name: str, folder: int, target: Path) -> None:
    try:
        os.link(name, target, src_dir_fd=folder, follow_symlinks=False)
    except OSError:  # the file system has no such links
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file, target.open("wb") as copy:
            shutil.copyfileobj(file, copy, CHUNK_BYTES)
        return
    if not stat.S_ISREG(target.lstat().st_mode):  # swapped between the look and the link
        target.unlink()
        raise ValueError(f"{name} is no file any more")


def _delete(objects: ObjectStore, saved: Saved) -> None:
    """Remove a checkpoint that has a successor; what cannot be removed is only in the way."""
    with contextlib.suppress(ObjectStoreError):
        for key in saved.objects():
            objects.delete(key)


def _order(name: str) -> tuple[int, int]:
    match = _ATTEMPT.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else (-1, -1)


def _attempt_of(key: str) -> str:
    return key.rsplit("/", 3)[-3]
