"""What a step knows of the job that it has submitted, kept where its next attempt finds it, whichever worker that has.

In the object store, each attempt in its own folder: `job.json` when the job was submitted, `job-over.json` when it is
to be forgotten. Temporal's heartbeat details would not do: they are sent seconds later, and an attempt that replaces
one whose worker was lost is another activity, which does not get them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from activities.attempt import Attempt
from activities.errors import StepFailed
from store.callbacks import ANSWER_NAME, KEY_NAME, close_callback, is_closed
from store.objects import ObjectStore

JOB_NAME = "job.json"
OVER_NAME = "job-over.json"
FORGET_SECONDS = 5.0


class KeptJob:
    """The job of a step over its attempts.

    Args:
        attempt: The one that asks.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    async def find(self) -> dict[str, Any] | None:
        """Return what an earlier attempt has kept; None: there is no job to go on with."""
        if self._attempt.number == 1:
            return None
        return await self._attempt.patiently(_latest, self._attempt.workshop.objects, self._attempt.folder)

    async def keep(self, job: dict[str, Any]) -> None:
        """Keep what the next attempt needs to go on with the job."""
        await self._attempt.put(JOB_NAME, json.dumps(job).encode())

    async def forget(self) -> None:
        """Have the next attempt submit another job, as far as the store can be told in a moment."""
        with contextlib.suppress(StepFailed, TimeoutError):
            await asyncio.wait_for(self._attempt.put(OVER_NAME, b"{}"), FORGET_SECONDS)


def _latest(objects: ObjectStore, folder: str) -> dict[str, Any] | None:
    """Return the job of the newest attempt that had one; close the callbacks of those that never got so far."""
    step, _, own = folder.rpartition("/")
    marks: dict[str, set[str]] = {}
    for found in objects.list(f"{step}/"):
        name, _, mark = found.key.removeprefix(f"{step}/").partition("/")
        if name < own and mark in (JOB_NAME, OVER_NAME, KEY_NAME, ANSWER_NAME):
            marks.setdefault(name, set()).add(mark)
    for name, has in marks.items():
        if KEY_NAME in has and not has & {JOB_NAME, ANSWER_NAME}:
            close_callback(objects, f"{step}/{name}", "its attempt ended before it had called the service")
    newest = max((name for name, has in marks.items() if has & {JOB_NAME, OVER_NAME}), default=None)
    if newest is None or OVER_NAME in marks[newest]:
        return None
    job: dict[str, Any] = json.loads(objects.get(f"{step}/{newest}/{JOB_NAME}"))
    # Its attempt had given up, and could not say so here.
    return None if "callback" in job and is_closed(objects, job["callback"]) else job
