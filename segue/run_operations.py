"""What the clients can do to runs; a part of each, kept here so that both do the same.

Every call takes a `key`: the same key is one operation, however often it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segue import calls
from segue.rerun import Rerun
from segue.transport import AsyncTransport, Transport


def _terms(
    queue: str | None, retry: Mapping[str, float] | None, limits: Mapping[str, float] | None, reason: str
) -> dict[str, Any]:
    given = {"queue": queue, "retry": dict(retry) if retry else None, "timeout": dict(limits) if limits else None}
    return {**given, "reason": reason}


class RunOperations:
    """The part of `Client` by which people change runs. Each method returns the run's state after it."""

    _transport: Transport

    def retry(self, run: str, steps: Sequence[str] = (), reason: str = "", *, key: str | None = None) -> str:
        """Let a run that failed or was cancelled go on: what failed is tried again, what has succeeded is kept.

        Args:
            run: Its id, under which it goes on.
            steps: Of those that failed, the ones to try again; all of them without any.
            reason: Why; shown with the run.
            key: The same key is one operation, however often it is sent.

        Raises:
            Conflict: The run goes on, or succeeded, or is not known to Temporal any more.
            SubmitError: A step did not fail.
        """
        return self._transport.send(calls.operate(run, "retry", {"steps": list(steps), "reason": reason}, key))

    def pause(self, run: str, reason: str = "", *, key: str | None = None) -> str:
        """Start no further step of a run; what runs goes on to its end.

        Raises:
            Conflict: The run is over, or is being stopped.
        """
        return self._transport.send(calls.operate(run, "pause", {"reason": reason}, key))

    def resume(self, run: str, reason: str = "", *, key: str | None = None) -> str:
        """Let a paused run go on.

        Raises:
            Conflict: The run is not paused.
        """
        return self._transport.send(calls.operate(run, "resume", {"reason": reason}, key))

    def skip(self, run: str, step: str, reason: str = "", *, key: str | None = None) -> str:
        """Let a step, or an item such as `train[2]`, that has not ended count as skipped.

        Raises:
            Conflict: It has ended.
        """
        return self._transport.send(calls.operate(run, "skip", {"reason": reason}, key, step))

    def mark(self, run: str, step: str, output: Any = None, reason: str = "", *, key: str | None = None) -> str:
        """Let a step, or an item such as `train[2]`, that has not ended count as succeeded with an output.

        Raises:
            Conflict: It has ended.
            SubmitError: The output is not what the step declares.
        """
        body = {"output": output, "reason": reason}
        return self._transport.send(calls.operate(run, "mark", body, key, step))

    def change(
        self,
        run: str,
        step: str,
        *,
        queue: str | None = None,
        retry: Mapping[str, float] | None = None,
        limits: Mapping[str, float] | None = None,
        reason: str = "",
        key: str | None = None,
    ) -> str:
        """Change how a step is run that has not ended and that no worker runs now.

        Args:
            run: The run's id.
            step: The step's id.
            queue: The queue it moves to.
            retry: New values among `attempts`, `delay`, `backoff` and `max_delay` (seconds).
            limits: New values of its `timeout` among `run`, `queue`, `total` and `heartbeat` (seconds).
            reason: Why; shown with the run.
            key: The same key is one operation, however often it is sent.

        Raises:
            Conflict: It has ended, or a worker runs it.
        """
        terms = _terms(queue, retry, limits, reason)
        return self._transport.send(calls.operate(run, "change", terms, key, step))

    def rerun(
        self,
        run: str,
        steps: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        reason: str = "",
        key: str | None = None,
    ) -> Rerun:
        """Start a new run that takes over what an ended one has done, and runs again what has to.

        Args:
            run: The older run's id.
            steps: Steps that run again, with all that follows them.
            params: Params that are to be others.
            version: Of the workflow; the newest without it.
            reason: Why; shown with the new run.
            key: The same key is one rerun, however often it is sent.

        Raises:
            Conflict: The run goes on; nothing would run again; or outputs are gone.
            InvalidParams: The params do not fit the workflow.
        """
        return self._transport.send(calls.rerun(run, steps, params or {}, version, reason, key))


class AsyncRunOperations:
    """The part of `AsyncClient` by which people change runs; see `RunOperations`."""

    _transport: AsyncTransport

    async def retry(self, run: str, steps: Sequence[str] = (), reason: str = "", *, key: str | None = None) -> str:
        """Let a run that failed or was cancelled go on: what failed is tried again, what has succeeded is kept.

        Args:
            run: Its id, under which it goes on.
            steps: Of those that failed, the ones to try again; all of them without any.
            reason: Why; shown with the run.
            key: The same key is one operation, however often it is sent.

        Raises:
            Conflict: The run goes on, or succeeded, or is not known to Temporal any more.
            SubmitError: A step did not fail.
        """
        return await self._transport.send(calls.operate(run, "retry", {"steps": list(steps), "reason": reason}, key))

    async def pause(self, run: str, reason: str = "", *, key: str | None = None) -> str:
        """Start no further step of a run; what runs goes on to its end.

        Raises:
            Conflict: The run is over, or is being stopped.
        """
        return await self._transport.send(calls.operate(run, "pause", {"reason": reason}, key))

    async def resume(self, run: str, reason: str = "", *, key: str | None = None) -> str:
        """Let a paused run go on.

        Raises:
            Conflict: The run is not paused.
        """
        return await self._transport.send(calls.operate(run, "resume", {"reason": reason}, key))

    async def skip(self, run: str, step: str, reason: str = "", *, key: str | None = None) -> str:
        """Let a step, or an item such as `train[2]`, that has not ended count as skipped.

        Raises:
            Conflict: It has ended.
        """
        return await self._transport.send(calls.operate(run, "skip", {"reason": reason}, key, step))

    async def mark(self, run: str, step: str, output: Any = None, reason: str = "", *, key: str | None = None) -> str:
        """Let a step, or an item such as `train[2]`, that has not ended count as succeeded with an output.

        Raises:
            Conflict: It has ended.
            SubmitError: The output is not what the step declares.
        """
        body = {"output": output, "reason": reason}
        return await self._transport.send(calls.operate(run, "mark", body, key, step))

    async def change(
        self,
        run: str,
        step: str,
        *,
        queue: str | None = None,
        retry: Mapping[str, float] | None = None,
        limits: Mapping[str, float] | None = None,
        reason: str = "",
        key: str | None = None,
    ) -> str:
        """Change how a step is run that has not ended and that no worker runs now.

        Args:
            run: The run's id.
            step: The step's id.
            queue: The queue it moves to.
            retry: New values among `attempts`, `delay`, `backoff` and `max_delay` (seconds).
            limits: New values of its `timeout` among `run`, `queue`, `total` and `heartbeat` (seconds).
            reason: Why; shown with the run.
            key: The same key is one operation, however often it is sent.

        Raises:
            Conflict: It has ended, or a worker runs it.
        """
        terms = _terms(queue, retry, limits, reason)
        return await self._transport.send(calls.operate(run, "change", terms, key, step))

    async def rerun(
        self,
        run: str,
        steps: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        reason: str = "",
        key: str | None = None,
    ) -> Rerun:
        """Start a new run that takes over what an ended one has done, and runs again what has to.

        Args:
            run: The older run's id.
            steps: Steps that run again, with all that follows them.
            params: Params that are to be others.
            version: Of the workflow; the newest without it.
            reason: Why; shown with the new run.
            key: The same key is one rerun, however often it is sent.

        Raises:
            Conflict: The run goes on; nothing would run again; or outputs are gone.
            InvalidParams: The params do not fit the workflow.
        """
        return await self._transport.send(calls.rerun(run, steps, params or {}, version, reason, key))
