"""A service that posts back: the address that it is given, and the wait for what it posts.

The answer waits in the object store, which the API writes to: it comes whether or not a worker waits for it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from activities.attempt import Attempt
from activities.errors import StepFailed
from activities.operators.request import json_of
from store.callbacks import answer_in, close_callback, key_of, open_callback
from store.objects import ObjectStoreUnavailable
from workflows.messages import JSON

PATH = "/api/v1/callbacks"
LEAST_PAUSE_SECONDS = 0.2
MOST_PAUSE_SECONDS = 5.0
PAUSES_PER_WAIT = 20
"""The longer it has waited, the less a look more or less matters: the pause is a twentieth of the wait."""
CLOSE_SECONDS = 5.0


class CalledBack:
    """The callback of a step's job.

    Args:
        attempt: The one that opens it, or goes on with one.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self.folder: str | None = None

    async def open(self) -> dict[str, JSON]:
        """Open it; returns what expressions see as `callback`.

        Raises:
            StepFailed: The worker does not know where services reach the API.
        """
        base = self._attempt.workshop.public_url
        if base is None:
            message = (
                f'this worker of the queue "{self._attempt.queue}" does not know where other services reach the API: '
                "start it with SEGUE_PUBLIC_URL=https://..."
            )
            raise StepFailed("PublicUrlMissing", message, retryable=False)
        objects, folder = self._attempt.workshop.objects, self._attempt.folder
        token = await self._attempt.patiently(open_callback, objects, folder)
        self.folder = folder
        self._attempt.hide({"callback.url": key_of(token)})
        return {"url": f"{base.rstrip('/')}{PATH}/{token}"}

    async def answer(self) -> dict[str, JSON]:
        """Wait for the service to post; returns what expressions see as `response`."""
        self._attempt.waits_for = "the service has not posted back"
        self._attempt.log.line("[segue] waiting for the service to post back", "stdout")
        began = time.monotonic()
        while (found := await self._look()) is None:
            pause = (time.monotonic() - began) / PAUSES_PER_WAIT
            await asyncio.sleep(min(max(pause, LEAST_PAUSE_SECONDS), MOST_PAUSE_SECONDS))
        self._attempt.waits_for = ""
        self._attempt.log.line(f"[segue] the service posted {len(found['text'].encode()):,} bytes", "stdout")
        return {**found, "json": json_of(found["text"], found["headers"].get("content-type", "json"))}

    async def _look(self) -> dict[str, Any] | None:
        assert self.folder is not None
        try:
            return await self._attempt.blocking(answer_in, self._attempt.workshop.objects, self.folder)
        except ObjectStoreUnavailable:
            return None  # it will be there again; how long that may take is the step's own time

    async def close(self, why: str) -> bool:
        """Take no answer any more; returns False where the service has posted one."""
        if self.folder is None:
            return True
        closing = self._attempt.blocking(close_callback, self._attempt.workshop.objects, self.folder, why)
        try:
            return await asyncio.wait_for(closing, CLOSE_SECONDS)
        except (ObjectStoreUnavailable, TimeoutError) as error:
            self._attempt.log.line(f"[segue] the callback could not be closed: {error or 'no answer'}")
            return True
