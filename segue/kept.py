"""What the clients can do with what steps have left: artifacts, and the outputs that are kept for reuse."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from segue.calls import Call, path_of
from segue.errors import NotFound, SubmitError, UnexpectedAnswer
from segue.models import time_of
from segue.transport import AsyncTransport, Lost, Transport

SILENCE_SECONDS = 60.0
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a step left to be kept.

    Attributes:
        name: Its path below the folder in which it was left.
        size: In bytes.
        sha256: Hex digits; None when the worker was lost before it said so.
        type: The media type that its name stands for.
    """

    name: str
    size: int
    sha256: str | None
    type: str

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Artifact:
        """Read the service's object."""
        return cls(document["name"], document["size"], document.get("sha256"), document.get("type") or "")


@dataclass(frozen=True, slots=True)
class CachedOutput:
    """An output that is kept for reuse, or is being computed.

    Attributes:
        key: Names what it was computed from: the same code, inputs and environment.
        state: `computing` or `done`.
        run: Which run computes it, or did.
        step_key: As which step or item of that run.
        at: When it was done; of one that is being computed, when its worker last said so.
        size: Bytes of the output.
    """

    workflow: str
    step: str
    key: str
    state: str
    run: str
    step_key: str
    at: datetime | None
    size: int

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> CachedOutput:
        """Read the service's object."""
        names = ("workflow", "step", "key", "state", "run", "step_key")
        return cls(**{name: document[name] for name in names}, at=time_of(document["at"]), size=document["size"])


class KeptOperations:
    """The part of `Client` that is about what steps have left."""

    _transport: Transport

    def artifacts(self, run: str, step: str) -> list[Artifact]:
        """Return the files that a step's newest attempt has left.

        Of a step whose output was reused: those of the attempt that made it.
        """
        found: list[Artifact] = []
        after: str | None = ""
        while after is not None:
            page, after = self._transport.send(_list_artifacts(run, step, after))
            found += page
        return found

    def save_artifact(self, run: str, step: str, name: str, path: str | Path) -> Artifact:
        """Write an artifact to a file, which appears only when it is complete and what was recorded.

        Raises:
            NotFound: The step has left no such file.
            UnexpectedAnswer: It was cut off, or is not what was recorded.
        """
        about = _named(self.artifacts(run, step), name, step)
        with _Saving(about, Path(path)) as saving:
            try:
                for chunk in self._transport.chunks(_get_artifact(run, step, name), SILENCE_SECONDS):
                    saving.write(chunk)
            except Lost:
                raise saving.cut_off() from None
        return about

    def cached(self, workflow: str | None = None, step: str | None = None, *, limit: int = 100) -> list[CachedOutput]:
        """Return the outputs that are kept for reuse, and those being computed, by workflow and step.

        Args:
            workflow: Only of this one.
            step: Only of this step of it.
            limit: How many at most.
        """
        return self._transport.send(_list_cached(workflow, step, limit))

    def clear_cache(self, workflow: str, step: str | None = None) -> int:
        """Reuse no output any more that was computed up to now; return how many that are.

        Args:
            workflow: Whose outputs.
            step: Of which of its steps; of all without it.
        """
        return self._transport.send(_clear_cached(workflow, step))


class AsyncKeptOperations:
    """The part of `AsyncClient` that is about what steps have left."""

    _transport: AsyncTransport

    async def artifacts(self, run: str, step: str) -> list[Artifact]:
        """Return the files that a step has left; see `Client.artifacts`."""
        found: list[Artifact] = []
        after: str | None = ""
        while after is not None:
            page, after = await self._transport.send(_list_artifacts(run, step, after))
            found += page
        return found

    async def save_artifact(self, run: str, step: str, name: str, path: str | Path) -> Artifact:
        """Write an artifact to a file; see `Client.save_artifact`."""
        about = _named(await self.artifacts(run, step), name, step)
        with _Saving(about, Path(path)) as saving:
            try:
                async for chunk in self._transport.chunks(_get_artifact(run, step, name), SILENCE_SECONDS):
                    saving.write(chunk)
            except Lost:
                raise saving.cut_off() from None
        return about

    async def cached(
        self, workflow: str | None = None, step: str | None = None, *, limit: int = 100
    ) -> list[CachedOutput]:
        """Return the outputs that are kept for reuse; see `Client.cached`."""
        return await self._transport.send(_list_cached(workflow, step, limit))

    async def clear_cache(self, workflow: str, step: str | None = None) -> int:
        """Reuse no output any more that was computed up to now; see `Client.clear_cache`."""
        return await self._transport.send(_clear_cached(workflow, step))


class _Saving:
    """A file while it is being received: beside its place, under a name of its own."""

    def __init__(self, about: Artifact, path: Path) -> None:
        self._about = about
        self._path = path
        self._part = path.with_name(f".part-{secrets.token_hex(8)}")
        self._digest = hashlib.sha256()
        self._size = 0

    def __enter__(self) -> _Saving:
        try:
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            raise SubmitError(f"{self._path} cannot be written: {error.strerror}.") from None
        self._file = os.fdopen(descriptor, "wb")
        return self

    def write(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._size += len(chunk)
        self._file.write(chunk)

    def cut_off(self) -> UnexpectedAnswer:
        return UnexpectedAnswer(f"{self._about.name} was cut off after {self._size:,} bytes of {self._about.size:,}.")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        try:
            if kind is not None:
                return
            if self._size != self._about.size:
                raise self.cut_off()
            if self._about.sha256 is not None and self._digest.hexdigest() != self._about.sha256:
                raise UnexpectedAnswer(f"{self._about.name} is not what was recorded: its sha256 differs.")
            self._part.replace(self._path)
        except OSError as error:
            raise SubmitError(f"{self._path} cannot be written: {error.strerror}.") from None
        finally:
            self._part.unlink(missing_ok=True)


def _named(found: list[Artifact], name: str, step: str) -> Artifact:
    for each in found:
        if each.name == name:
            return each
    names = ", ".join(each.name for each in found[:10]) + (" ..." if len(found) > 10 else "")
    hint = f"It left {names}." if found else "It left no files."
    raise NotFound(f'The step {step} has no artifact "{name}".', hint=hint)


def _list_artifacts(run: str, step: str, after: str) -> Call[tuple[list[Artifact], str | None]]:
    def read(found: Any) -> tuple[list[Artifact], str | None]:
        return [Artifact.from_json(each) for each in found["artifacts"]], found["next"]

    query = {"limit": str(PAGE), **({"after": after} if after else {})}
    return Call("GET", path_of("runs", run, "steps", step, "artifacts"), read, query=query)


def _get_artifact(run: str, step: str, name: str) -> Call[None]:
    return Call("GET", path_of("runs", run, "steps", step, "artifacts", *name.split("/")), lambda _: None)


def _list_cached(workflow: str | None, step: str | None, limit: int) -> Call[list[CachedOutput]]:
    query = {"workflow": workflow, "step": step, "limit": str(limit)}
    given = {name: value for name, value in query.items() if value is not None}
    return Call("GET", "/cache", lambda found: [CachedOutput.from_json(each) for each in found["outputs"]], query=given)


def _clear_cached(workflow: str, step: str | None) -> Call[int]:
    query = {"workflow": workflow, **({"step": step} if step is not None else {})}
    return Call("DELETE", "/cache", lambda found: int(found["cleared"]), query=query)
