"""Objects behind a step's values: fetched and verified for its inputs, written for its output.

A step's process never talks to the object store. It gets local copies, and leaves files that the worker writes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

from activities.artifacts import MANIFEST, find_artifacts, media_type, object_name
from activities.attempt import Attempt
from activities.digest import digest_of
from activities.errors import StepFailed
from activities.values import MAX_DOCUMENT_BYTES, Marker, checked, decode, invalid
from store.objects import InvalidKey, ObjectNotFound, ObjectStoreUnavailable
from workflows.messages import JSON, REFERENCE

AT_ONCE = 8
BYTES_AT_ONCE = 8 * 1024 * 1024
"""Artifacts that are written side by side: a store may read a small file into memory."""
FILE_FORMAT = "file"
"""The `format` of a declared output of a command which is the path of a file."""


class Inputs:
    """Local copies of what an attempt's inputs refer to; each object is fetched once."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._documents: dict[str, JSON] = {}
        self._paths: dict[str, Path] = {}

    async def local(self, value: JSON) -> JSON:
        """Return `value` with documents in place of their references, and local markers for files and bytes.

        A local marker is `{"$segue": "file" | "bytes", "path": path of the copy}`.

        Raises:
            StepFailed: `InputInvalid`: an object is missing, damaged or too large to be a value.
        """
        if isinstance(value, list):
            return [await self.local(item) for item in value]
        if not isinstance(value, dict):
            return value
        if REFERENCE not in value:
            return {name: await self.local(item) for name, item in value.items()}
        match value[REFERENCE]:
            case "json":
                return await self.local(await self._document(value))
            case "file" | "bytes" as kind:
                return {REFERENCE: kind, "path": str(await self._copy(value))}
            case kind:
                raise StepFailed("InputInvalid", f"a reference of unknown kind {kind!r}", retryable=False)

    async def _document(self, reference: Marker) -> JSON:
        key = reference["key"]
        if key not in self._documents:
            if reference["size"] > MAX_DOCUMENT_BYTES:
                raise StepFailed("InputInvalid", f"{key} is too large to be a value", retryable=False)
            data = await self._attempt.blocking(_fetched, self._attempt.workshop.objects.get, key)
            if hashlib.sha256(data).hexdigest() != reference["sha256"]:
                raise _damaged(key)
            self._documents[key] = await self._attempt.blocking(decode, data, key)
        return self._documents[key]

    async def _copy(self, reference: Marker) -> Path:
        key = reference["key"]
        if key not in self._paths:
            folder = self._attempt.scratch / "in" / str(len(self._paths))
            folder.mkdir(parents=True)
            path = folder / object_name(str(reference.get("name") or "bytes"))
            objects = self._attempt.workshop.objects
            await self._attempt.blocking(_fetched, lambda k: objects.get_to_file(k, path), key)
            if (await self._attempt.blocking(digest_of, path))[1] != reference["sha256"]:
                raise _damaged(key)
            self._paths[key] = path
        return self._paths[key]


def as_text(value: JSON) -> str:
    """Return a local value as an environment variable holds it: text as it is, files as paths, the rest as JSON."""
    plain = _with_paths(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def refuse_files(value: JSON, where: str) -> None:
    """Refuse local files in a value that leaves this machine.

    Raises:
        StepFailed: `InputInvalid`, naming the place.
    """
    if isinstance(value, list):
        for place, item in enumerate(value):
            refuse_files(item, f"{where}[{place}]")
    elif isinstance(value, dict):
        if REFERENCE in value:
            raise StepFailed("InputInvalid", f"{where} is a file, which can be sent as `body` alone", retryable=False)
        for name, item in value.items():
            refuse_files(item, f"{where}.{name}")


def _with_paths(value: JSON) -> JSON:
    if isinstance(value, list):
        return [_with_paths(item) for item in value]
    if not isinstance(value, dict):
        return value
    return value["path"] if REFERENCE in value else {name: _with_paths(item) for name, item in value.items()}


class Outputs:
    """Writes what an attempt leaves: its artifacts, and the files that its output speaks of.

    Args:
        attempt: The attempt.
        artifacts: Its folder for artifacts.
        work: Where it runs; the task's patterns are relative to it.
    """

    def __init__(self, attempt: Attempt, artifacts: Path, work: Path) -> None:
        self._attempt = attempt
        self._artifacts = artifacts
        self._work = work
        self._written: dict[Path, Marker] = {}
        self._count = 0

    async def write_artifacts(self) -> None:
        """Write the artifacts and the list of them; links are passed over, since they may point anywhere.

        Raises:
            StepFailed: One is missing, there are too many, or the store does not take one; the others are written.
        """
        attempt = self._attempt
        patterns = attempt.task.artifacts
        found = await attempt.blocking(find_artifacts, attempt.scratch, self._artifacts, self._work, patterns)
        if found.links:
            attempt.log.line(f"[segue] links are no artifacts, since they may point anywhere: {found.links}")
        listed: list[dict[str, Any]] = []
        problem = found.problem
        for batch in await attempt.blocking(_batches, found.paths):
            calls = [self._write(name, path) for name, path in batch]
            for written in await asyncio.gather(*calls, return_exceptions=True):
                if isinstance(written, dict):
                    listed.append(written)
                elif isinstance(written, StepFailed):
                    problem = problem or written
                elif isinstance(written, BaseException):
                    raise written
        if listed:
            document = json.dumps({"artifacts": listed}, ensure_ascii=False, separators=(",", ":")).encode()
            await attempt.put(MANIFEST, document)
        if problem is not None:
            raise problem

    async def _write(self, name: str, path: Path) -> dict[str, Any]:
        try:
            reference = await self._attempt.put_file(f"artifacts/{name}", path)
        except OSError as error:
            raise invalid("artifacts", f"cannot be read: {error.strerror}: {name}") from None
        except InvalidKey as error:
            raise invalid("artifacts", f"cannot be kept: {name}: {error.problem}") from None
        resolved = await self._attempt.blocking(path.resolve)
        self._written[resolved] = {**reference, "name": object_name(path.name)}
        return {"name": name, "size": reference["size"], "sha256": reference["sha256"], "type": media_type(name)}

    async def named(self, values: dict[str, JSON]) -> JSON:
        """Return the output of a command, with references in place of the paths that are declared as files.

        Raises:
            StepFailed: `OutputInvalid`: a file is not there.
        """
        declared = self._attempt.task.output or {}
        files = {
            name: {REFERENCE: "file", "path": str(self._work / str(values[name]))}
            for name, entry in declared.items()
            if name in values and entry.get("schema", {}).get("format") == FILE_FORMAT
        }
        checked(values)
        return await self.published(values | files) if files else values

    async def published(self, document: JSON) -> JSON:
        """Return an output with references in place of its local markers, whose files are written.

        Raises:
            StepFailed: `OutputInvalid`: the document is not strict JSON, or a file is not there.
        """
        found: dict[tuple[str, str], str] = {}

        def note(marker: Marker, path: str) -> JSON:
            local = marker.get("path")
            if marker[REFERENCE] not in ("file", "bytes") or not isinstance(local, str):
                raise invalid(path, f"has the key {REFERENCE}, which is kept for Segue's own references")
            found.setdefault((marker[REFERENCE], local), path)
            return marker

        document = await self._attempt.blocking(checked, document, "output", note)
        if not found:
            return document
        references = {place: await self._publish(*place, where) for place, where in found.items()}
        return checked(document, "output", lambda marker, _: references[marker[REFERENCE], marker["path"]])

    async def _publish(self, kind: str, local: str, where: str) -> Marker:
        path = Path(local)
        # A path into the artifacts folder stands for an object that is written already.
        resolved = await self._attempt.blocking(path.resolve)
        if kind == "file" and resolved in self._written:
            return self._written[resolved]
        if self._attempt.task.isolation == "sandbox" and not resolved.is_relative_to(self._attempt.scratch.resolve()):
            raise invalid(where, f"is a path outside the sandbox: {local}; leave the file in $SEGUE_ARTIFACTS")
        if not resolved.is_file():
            raise invalid(where, f"is the path of no file: {local}")
        name = object_name(path.name if kind == "file" else "bytes")
        try:
            reference = await self._attempt.put_file(f"files/{self._count}-{name}", resolved, kind)
        except OSError as error:
            raise invalid(where, f"cannot be read: {error.strerror}: {local}") from None
        self._count += 1
        return {**reference, "name": name} if kind == "file" else reference


def _batches(paths: dict[str, Path]) -> list[list[tuple[str, Path]]]:
    """Return files by what is written at once: a few small ones, or one that is large."""
    batches: list[list[tuple[str, Path]]] = []
    room = 0
    for name, path in paths.items():
        try:
            size = path.stat().st_size
        except OSError:
            size = 0  # whoever reads it says what is wrong
        if not batches or len(batches[-1]) == AT_ONCE or size > room:
            batches.append([])
            room = BYTES_AT_ONCE
        batches[-1].append((name, path))
        room -= size
    return batches


def _fetched(get: Any, key: str) -> Any:
    try:
        return get(key)
    except ObjectNotFound:
        raise StepFailed("InputInvalid", f"the object {key} is not there any more") from None
    except ObjectStoreUnavailable as error:
        raise StepFailed("ObjectStoreUnavailable", str(error)) from None


def _damaged(key: str) -> StepFailed:
    return StepFailed("InputInvalid", f"the object {key} is not what was written: its sha256 differs")
