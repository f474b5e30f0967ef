"""Reuse of an output: found before the step runs, waited for while another run computes it, kept when it was computed.

A worker knows what a step is given and has the object store, so nothing else is asked: neither the interpreter nor the
database. What is computed is named by a digest of all that may change it (`computation_of`); who computes it holds the
last claim of that name (`store.cache`) and says again and again that it lives. Who dies, fails or is cancelled keeps
nobody waiting for long, and no attempt that Temporal has given up is ever reused over the one that took its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import sys
import time
from typing import Any

from activities.attempt import Attempt
from store.cache import Claim, Claims, Computation, Numbered
from store.objects import InvalidKey, ObjectStoreUnavailable
from workflows.messages import JSON, REFERENCE, StepResult, StepTask
from workflows.plan import FILE_KINDS
from workflows.values import object_keys

FORMAT = 1
BEAT_SECONDS = 5.0
SILENCE_SECONDS = 20.0
"""Who computes and has said nothing for so long is taken for dead; seen by the clock of whoever waits."""
FIRST_LOOK_SECONDS = 0.1
LOOK_SECONDS = 1.0
LET_GO_SECONDS = 5.0

_NO_MATTER = frozenset(
    {
        *("run", "workflow", "version", "step", "key", "generation", "item", "timeout", "secrets", "cache"),
        *("resources", "queue_timeout"),
    }
)
"""Fields of a task that change nothing in its output. An item counts as far as the inputs read it."""
_OF_THE_CODE = frozenset({"bundle", "requirements"})


def computation_of(attempt: Attempt) -> Computation:
    """Return what an attempt computes; every field of its task counts that is not known to be of no matter."""
    task = attempt.task
    free = _NO_MATTER if task.kind in FILE_KINDS else _NO_MATTER | _OF_THE_CODE
    document = {
        field.name: _content(getattr(task, field.name))
        for field in dataclasses.fields(StepTask)
        if field.name not in free and getattr(task, field.name) != _default(field)
    }
    # A queue is a fleet: machines of one kind, with the same things on them.
    python = attempt.workshop.python or ".".join(map(str, sys.version_info[:2]))
    document |= {"format": FORMAT, "queue": attempt.queue, "python": python if task.kind == "python" else ""}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return Computation(task.workflow, task.step, hashlib.sha256(text.encode()).hexdigest())


class Reuse:
    """The part of one attempt that is about an output computed elsewhere, or kept for others.

    Attributes:
        result: The attempt's end, when an output was found.
    """

    def __init__(self, attempt: Attempt) -> None:
        self.result: StepResult | None = None
        self._attempt = attempt
        self._claims = Claims(attempt.workshop.objects)
        self._what = computation_of(attempt)
        self._mine = Claim("computing", attempt.task.run, attempt.task.key, attempt.name, attempt.folder)
        self._number = 0
        self._kept = False
        self._claiming: asyncio.Future[bool] | None = None
        self._over = asyncio.Event()
        self._beats: asyncio.Task[None] | None = None

    async def find(self) -> bool:
        """Look for an output, and wait for one that is being computed; say False when the step has to run."""
        try:
            self.result = await self._found()
        except ObjectStoreUnavailable as error:
            self._tell(f"no output can be reused: {error}")
        return self.result is not None

    async def keep(self, result: StepResult) -> None:
        """Keep the output that the attempt has computed, if it is the one that others wait for."""
        if self._beats is None:
            return
        done = dataclasses.replace(
            self._mine, state="done", value=result.value, output=result.output, at=result.ended_at
        )
        await self._stop_beats()
        self._kept = True
        try:
            await self._attempt.blocking(self._claims.write, self._what, self._number, done)
            await self._attempt.blocking(self._claims.forget_before, self._what, self._number)
        except ObjectStoreUnavailable as error:
            self._tell(f"the output is not kept for reuse: {error}")

    async def let_go(self) -> None:
        """Keep nobody waiting for what will not come; does nothing after `keep`."""
        if self._claiming is not None:
            letting = asyncio.create_task(self._let_go(self._claiming))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(letting), LET_GO_SECONDS)

    async def _let_go(self, claiming: asyncio.Future[bool]) -> None:
        with contextlib.suppress(ObjectStoreUnavailable):
            if not await claiming or self._kept:
                return
            await self._stop_beats()
            failed = dataclasses.replace(self._mine, state="failed", at=time.time())
            await self._attempt.blocking(self._claims.write, self._what, self._number, failed)

    async def _found(self) -> StepResult | None:
        waited = False
        while True:
            last = await self._attempt.blocking(self._claims.last, self._what)
            if self._is_computed(last.claim):
                if waited:
                    # One is waited for, and no second: were that to fail too, a hundred that wait would go one by one.
                    return None
                waited = True
                if await self._ends(last):
                    continue
            elif last.claim is not None and last.claim.state == "done":
                result = await self._usable(last.claim)
                if result is not None:
                    return result
            if await self._claimed(last.number + 1):
                return None

    def _is_computed(self, claim: Claim | None) -> bool:
        """Say whether somebody else computes it. What this very step did in an earlier attempt is over."""
        mine = self._mine
        return claim is not None and claim.state == "computing" and (claim.run, claim.key) != (mine.run, mine.key)

    async def _claimed(self, number: int) -> bool:
        """Take it upon this attempt to compute it; say False when somebody else was quicker."""
        mine = dataclasses.replace(self._mine, at=time.time())
        self._number = number
        making = self._claiming = asyncio.ensure_future(
            self._attempt.blocking(self._claims.make, self._what, number, mine)
        )
        # A claim that is made while the attempt is cancelled must be let go too.
        if not await asyncio.shield(making):
            return False
        self._beats = asyncio.create_task(self._beat())
        return True

    async def _ends(self, last: Numbered) -> bool:
        """Wait until a computation is over; say False when its worker has been silent for too long."""
        assert last.claim is not None
        self._tell(f"waits for {_whose(last.claim)}, which computes the same")
        beat, heard, pause = last.claim.beat, time.monotonic(), FIRST_LOOK_SECONDS
        while time.monotonic() - heard < SILENCE_SECONDS:
            await asyncio.sleep(pause)
            pause = min(LOOK_SECONDS, pause * 1.5)
            now = await self._attempt.blocking(self._claims.last, self._what)
            if now.number != last.number or now.claim is None or now.claim.state != "computing":
                return True
            if now.claim.beat != beat:
                beat, heard = now.claim.beat, time.monotonic()
        self._tell(f"{_whose(last.claim)} has been silent for {SILENCE_SECONDS:g} s, and is waited for no longer")
        return False

    async def _usable(self, claim: Claim) -> StepResult | None:
        """Return the result of a computation, unless it is too old, or its objects are gone."""
        ttl = (self._attempt.task.cache or {}).get("ttl")
        if ttl is not None and time.time() - claim.at > ttl:
            return None
        objects = self._attempt.workshop.objects
        try:
            for key in object_keys([claim.value, claim.output]):
                if await self._attempt.blocking(objects.stat, key) is None:
                    return None
        except InvalidKey:
            return None
        self._tell(f"reused from {_whose(claim)}")
        result = self._attempt.result(claim.value, claim.output)
        result.reused = {"run": claim.run, "step": claim.key, "folder": claim.folder, "at": claim.at}
        return result

    async def _beat(self) -> None:
        """Say that this attempt lives, until it is over; whoever sets that waits for this to end."""
        claim = dataclasses.replace(self._mine)
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), BEAT_SECONDS)
                return
            claim.beat += 1
            claim.at = time.time()
            with contextlib.suppress(ObjectStoreUnavailable):
                await self._attempt.blocking(self._claims.write, self._what, self._number, claim)

    async def _stop_beats(self) -> None:
        self._over.set()
        if self._beats is not None:
            # Not cancelled: a write that is under way would come after the last one.
            await asyncio.wait({self._beats})

    def _tell(self, text: str) -> None:
        self._attempt.log.line(f"[segue] {text}")


def _whose(claim: Claim) -> str:
    return f"run {claim.run}, step {claim.key}"


def _content(value: JSON) -> JSON:
    """Return a value with what its references stand for, wherever that is kept."""
    if isinstance(value, list):
        return [_content(item) for item in value]
    if not isinstance(value, dict):
        return value
    if REFERENCE in value:
        return {name: value.get(name) for name in (REFERENCE, "sha256", "size", "name")}
    return {name: _content(item) for name, item in value.items()}


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
