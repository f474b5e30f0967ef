"""One try of a step: who it is, where its objects go, and what an operator may use while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from temporalio import activity

from activities.bundles import BundleCache
from activities.digest import digest_of
from activities.environments import EnvironmentCache
from activities.errors import StepFailed
from activities.interpreters import Interpreters
from activities.logs import LogSink
from activities.masks import Masks
from activities.process import ProcessHost
from activities.revealing import secret_values
from activities.room import Room, Share
from activities.sandbox import Sandboxes
from activities.scratch import ScratchSpace, remove
from activities.warm import WarmPython
from segue.secret_sources import SecretSources
from store.objects import ObjectExists, ObjectStore, ObjectStoreUnavailable
from workflows.messages import REFERENCE, WAITS, StepResult, StepTask
from workflows.secret_texts import filled

if TYPE_CHECKING:
    from activities.entering import Others

_P = ParamSpec("_P")
_R = TypeVar("_R")

STORE_PATIENCE_SECONDS = 60.0
"""How long a step that has its output waits for a store that does not take it."""
STORE_RETRY_SECONDS = 1.0
HEARTBEATS_PER_TIMEOUT = 3
MIN_HEARTBEAT_SECONDS = 1.0
MAX_HEARTBEAT_SECONDS = 2.0
"""A cancel reaches a step with the answer to its heartbeat; then it has two seconds to end, and all of it five."""


@dataclass(frozen=True)
class Workshop:
    """What the attempts of one worker process share.

    Attributes:
        worker: The worker's identity.
        python: Interpreter of steps that name no requirements; None: the worker's own, with the standard library only.
        interpreters: Those that steps may run in.
        sandboxes: For the steps that ask for one.
        threads: Where calls that block are made.
        secrets: Where the values of secrets are found.
        public_url: Where services reach the API, for callbacks; None: nobody has said.
        room: What steps that name resources occupy.
        others: The other workers of a queue.
    """

    objects: ObjectStore
    worker: str
    python: str | None
    import_path: Path
    processes: ProcessHost
    warm: WarmPython
    scratch: ScratchSpace
    bundles: BundleCache
    environments: EnvironmentCache
    interpreters: Interpreters
    sandboxes: Sandboxes
    threads: ThreadPoolExecutor
    secrets: SecretSources
    room: Room
    others: Others
    public_url: str | None = None


def heartbeat_interval(timeout: float) -> float:
    """Return the seconds between heartbeats, for a worker that counts as lost after so many without one."""
    return min(MAX_HEARTBEAT_SECONDS, max(MIN_HEARTBEAT_SECONDS, timeout / HEARTBEATS_PER_TIMEOUT))


class Attempt:
    """One attempt of a step on this worker.

    Attributes:
        task: What to do.
        number: Of the attempt, from 1, counted over generations.
        folder: Prefix of its objects; no other attempt ever writes under it.
        log: Where its output goes.
        masks: Hides the attempt's secrets in what people will read.
        queue: The task queue that it came from.
        idempotency_key: Names this attempt to other services.
        waits_for: What it waits for, to be said where its time runs out; empty: nothing but its own work.
        scheduled_at: When Temporal put it into its queue, seconds since the epoch.
        waits: What it waits for on this worker; None: it does not.
        share: What it occupies; None: nothing.
    """

    def __init__(self, task: StepTask, info: activity.Info, workshop: Workshop) -> None:
        self.task = task
        self.workshop = workshop
        self.started_at = time.time()
        policy = info.retry_policy
        # A generation follows when the one before has used up its attempts.
        earlier = task.generation * policy.maximum_attempts if policy else 0
        self.number = earlier + info.attempt
        self.name = f"{task.generation:03}.{info.attempt:03}-{(info.workflow_run_id or '')[:8]}"
        self.folder = f"runs/{task.run}/{task.key}/{self.name}"
        self.idempotency_key = f"{task.run}/{task.key}/{task.generation}.{info.attempt}"
        self.log = LogSink(self._put_log)
        self.masks = Masks()
        self.queue = info.task_queue
        self.waits_for = ""
        self.scheduled_at = info.current_attempt_scheduled_time.timestamp()
        self.waits: str | None = None
        self.share: Share | None = None
        timeout = info.heartbeat_timeout
        self._interval = heartbeat_interval(timeout.total_seconds()) if timeout else None
        self._scratch: Path | None = None
        self._hidden: dict[str, str] = {}

    @property
    def scratch(self) -> Path:
        """A folder of its own, removed when the attempt is over."""
        if self._scratch is None:
            self._scratch = self.workshop.scratch.make()
        return self._scratch

    @property
    def worker_stops(self) -> bool:
        """Whether the attempt is cancelled because its worker stops, not because its work is no longer wanted."""
        details = activity.cancellation_details()
        return details is not None and details.worker_shutdown

    def result(self, value: Any = None, output: dict[str, Any] | None = None) -> StepResult:
        """Return the attempt as it ends now."""
        return StepResult(
            value=value,
            output=output,
            folder=self.folder,
            attempt=self.number,
            worker=self.workshop.worker,
            started_at=self.started_at,
            ended_at=time.time(),
        )

    async def reveal(self, queue: str) -> None:
        """Put the values of its secrets into the task, and have them hidden from here on.

        Raises:
            StepFailed: `SecretMissing`: this worker, of `queue`, has not all of them.
        """
        if not self.task.secrets:
            return
        values = await self.blocking(secret_values, self.task, self.workshop.secrets, queue)
        self.hide(values)
        self.task = filled(self.task, values)

    def hide(self, values: Mapping[str, str]) -> None:
        """Have these values, by name, hidden from here on."""
        self._hidden |= values
        self.masks = Masks(self._hidden)
        self.log.hide(self.masks)

    async def blocking(self, call: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Make a call that blocks, in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.workshop.threads, functools.partial(call, *args, **kwargs))

    async def put(self, name: str, data: bytes, kind: str = "json") -> dict[str, Any]:
        """Write an object of this attempt and return the reference to it.

        Raises:
            StepFailed: The store did not take it within `STORE_PATIENCE_SECONDS`.
        """
        key = f"{self.folder}/{name}"
        await self._persist(functools.partial(self.workshop.objects.put, key, data, create_only=True))
        return {REFERENCE: kind, "key": key, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    async def put_file(self, name: str, path: Path, kind: str = "file") -> dict[str, Any]:
        """Write a file of any size as an object; otherwise like `put`."""
        key = f"{self.folder}/{name}"
        size, digest = await self.blocking(digest_of, path)
        await self._persist(functools.partial(self.workshop.objects.put_file, key, path, create_only=True))
        return {REFERENCE: kind, "key": key, "size": size, "sha256": digest}

    def wait(self, why: str) -> None:
        """Have it known that the step waits on this worker, such as `waits for 1 gpu (0 free)`."""
        self.waits = why
        activity.heartbeat(*self._details())

    def begin(self, share: Share) -> None:
        """Run with what it occupies from here on."""
        waited, self.waits, self.share = self.waits is not None, None, share
        self.started_at = time.time()
        if waited:
            activity.heartbeat(*self._details())

    def _details(self) -> Sequence[Any]:
        """Return what a heartbeat says: if it waits, for what."""
        return [] if self.waits is None else [{WAITS: self.waits}]

    async def heartbeats(self) -> None:
        """Tell Temporal that this worker is alive, until cancelled."""
        while self._interval is not None:
            await asyncio.sleep(self._interval)
            # Temporal keeps the details of the last one alone: a bare one would say that the step waits no more.
            activity.heartbeat(*self._details())

    async def clear_up(self) -> None:
        """Remove the scratch folder."""
        if self._scratch is not None:
            folder, self._scratch = self._scratch, None
            await self.blocking(remove, folder)

    async def _put_log(self, name: str, data: bytes) -> None:
        try:
            await self.blocking(self.workshop.objects.put, f"{self.folder}/{name}", data, create_only=True)
        except ObjectExists:
            return  # a try before this one had reached the store after all

    async def _persist(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(ObjectExists):  # likewise: the key is this attempt's alone
            await self.patiently(call)

    async def patiently(self, call: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Make a call to the object store, again and again while that is away.

        Raises:
            StepFailed: The store was away for `STORE_PATIENCE_SECONDS`.
        """
        give_up_at = time.monotonic() + STORE_PATIENCE_SECONDS
        while True:
            try:
                return await self.blocking(call, *args, **kwargs)
            except ObjectStoreUnavailable as error:
                if time.monotonic() > give_up_at:
                    raise StepFailed("ObjectStoreUnavailable", str(error)) from None
                self.log.line(f"[segue] {error}; trying again")
            await asyncio.sleep(STORE_RETRY_SECONDS)
