"""Sees to it that the metadata database tells the truth about runs that have not ended.

The interpreter records what it decides. What only Temporal sees (an attempt starts, fails, is tried again) is looked up
here, about once a second; and what went wrong is healed: records that never arrived, a run that was accepted but never
started, an execution that ended without saying so or is gone. What it cannot heal, such as a control worker that fails
at a run, it says of the run, which is then stuck. It never decides what runs next, and an error in one run
never stops the others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowQueryFailedError,
)
from temporalio.exceptions import FailureError
from temporalio.service import RPCError, RPCStatusCode

from store.database import Database, DatabaseUnavailable
from store.recording import (
    OpenRun,
    active_keys,
    apply_records,
    finish_run,
    get_request,
    mark_stuck,
    observe_attempts,
    open_runs,
)
from store.runs import get_run
from workers.pending import pending_attempts, worth_recording
from workers.starting import start_execution
from workers.watchdog import held_by
from workflows.messages import STATE_QUERY, TERMINAL_RUN_STATES, RunRecords

logger = logging.getLogger("segue.workers")

INTERVAL_SECONDS = 1.0
CONCURRENCY = 8
LOOKS = 200
"""Runs looked at in one interval, so that ten thousand that wait do not keep Temporal busy; a quarter is for those
without a step in flight."""
PAGE = 500
RPC_TIMEOUT = timedelta(seconds=10)

QUIET_INTERVALS = 5
"""A run that has no step in flight is looked at once in so many intervals."""
LOOKED_AT_A_SECOND = 100
"""Steps in flight that are looked at in a second: a look at a wide run costs Temporal as much as running some of it."""
START_AFTER = timedelta(seconds=5)
"""Age at which a run that nobody started is started: who accepted it has had its chance."""
START_WITHIN = timedelta(hours=20)
"""Age beyond which it is not: Temporal may have run it and forgotten (it keeps ended runs for a day at least)."""
LAG_SECONDS = 5.0
"""How long the database may disagree with Temporal about what is in flight before the interpreter is asked."""
GONE_SECONDS = 15.0
"""How long Temporal must deny that it knows a run before that is believed."""
MUTE_SECONDS = 60.0
"""How long an ended execution may fail to answer the query before its end is recorded without its details."""
MAX_BACKOFF_SECONDS = 60.0
MUTE = (
    "what is shown of this run is not what happens in it, and the control worker cannot tell; start one of the version "
    "that began the run, or of one that can go on with it"
)

_AWAY = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)


@dataclass(slots=True)
class _Memory:
    """What is remembered of an open run between looks; all of it may be lost. Times are monotonic seconds."""

    next_look: float = 0.0
    in_flight: int = 0
    seen: set[tuple[str, int]] = field(default_factory=set)
    failures: int = 0
    lagging_since: float | None = None
    mute: str | None = None
    gone_since: float | None = None
    mute_since: float | None = None


class Observer:
    """Looks after the open runs of one Temporal namespace. Several may do so at once."""

    def __init__(self, client: Client, database: Database, *, interval: float = INTERVAL_SECONDS) -> None:
        """Prepare it.

        Args:
            client: Connected to Temporal.
            database: Whose runs.
            interval: Seconds between looks.
        """
        self._client = client
        self._database = database
        self._interval = interval
        self._memory: dict[str, _Memory] = {}
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._problem: str | None = None
        self._away: str | None = None

    async def run(self) -> None:
        """Observe until cancelled; whatever fails is logged and tried again."""
        while True:
            started = time.monotonic()
            try:
                await self.observe()
            except DatabaseUnavailable as error:
                self._say_away(str(error))
            except Exception:
                logger.exception("observing runs failed; going on")
            await asyncio.sleep(max(0.05, self._interval - (time.monotonic() - started)))

    async def observe(self) -> None:
        """Look once at the open runs that are due, those first that were not looked at for longest."""
        active: list[OpenRun] = []
        quiet: list[OpenRun] = []
        known: set[str] = set()
        after = ""
        while page := await open_runs(self._database, after=after, limit=PAGE):
            after = page[-1].id
            for run in page:
                known.add(run.id)
                if self._is_due(run):
                    (active if run.active else quiet).append(run)
        self._memory = {run: memory for run, memory in self._memory.items() if run in known}
        looks = self._longest_ago(active, LOOKS * 3 // 4)
        looks += self._longest_ago(quiet, LOOKS - len(looks))
        self._problem = None
        await asyncio.gather(*(self._look_safely(run) for run in looks))
        if self._problem is not None:
            self._say_away(self._problem)
        elif self._away is not None:
            logger.info("observing runs again")
            self._away = None

    def _is_due(self, run: OpenRun) -> bool:
        if run.state == "pending" and datetime.now(UTC) - run.created_at < START_AFTER:
            return False
        return time.monotonic() >= self._memory.setdefault(run.id, _Memory()).next_look

    def _longest_ago(self, runs: list[OpenRun], count: int) -> list[OpenRun]:
        return sorted(runs, key=lambda run: self._memory[run.id].next_look)[:count]

    def _say_away(self, problem: str) -> None:
        """Log once, not every second, that a server is away."""
        if self._away is None:
            logger.warning("cannot observe runs: %s", problem)
        self._away = problem

    async def _look_safely(self, run: OpenRun) -> None:
        """Look at a run. A server that is away ends this round for all; any other error concerns this run alone."""
        memory = self._memory[run.id]
        async with self._slots:
            if self._problem is not None:
                return
            try:
                await self._look(run, memory)
            except DatabaseUnavailable as error:
                self._problem = str(error)
            except Exception as error:
                if isinstance(error, RPCError) and error.status in _AWAY:
                    self._problem = f"Temporal does not answer: {error.message}"
                    return
                memory.failures += 1
                pause = min(MAX_BACKOFF_SECONDS, 2.0**memory.failures)
                memory.next_look = time.monotonic() + pause
                logger.warning("observing run %s failed, again in %.0f s: %r", run.id, pause, error)
            else:
                memory.failures = 0
                pause = (
                    memory.in_flight / LOOKED_AT_A_SECOND if run.active else (QUIET_INTERVALS - 0.5) * self._interval
                )
                memory.next_look = time.monotonic() + pause

    async def _look(self, run: OpenRun, memory: _Memory) -> None:
        try:
            description = await self._client.get_workflow_handle(run.id).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await self._heal_missing(run, memory)
            return
        memory.gone_since = None
        if description.status is WorkflowExecutionStatus.RUNNING:
            await self._observe_open(run, memory, description)
        else:
            await self._heal_closed(run, memory, description)

    async def _observe_open(self, run: OpenRun, memory: _Memory, description: WorkflowExecutionDescription) -> None:
        seen = await pending_attempts(description, self._client.data_converter)
        memory.in_flight = len(seen)
        news = worth_recording(seen, memory.seen)
        memory.seen = {(each.key, each.number) for each in seen}
        if news:
            await observe_attempts(self._database, run.id, news)
        # One at which the control worker fails cannot be asked either.
        stuck = await held_by(self._client, description) or await self._heal_lag(run, memory, {s.key for s in seen})
        if stuck != run.stuck and await mark_stuck(self._database, run.id, stuck):
            logger.warning("run %s %s", run.id, f"is stuck: {stuck}" if stuck else "moves again")

    async def _heal_lag(self, run: OpenRun, memory: _Memory, in_flight: set[str]) -> str | None:
        """Bring what is not recorded of an open run; return why that cannot be done."""
        if in_flight == await active_keys(self._database, run.id):
            memory.lagging_since = memory.mute = None
            return None
        # For a moment that is normal: records are on their way.
        now = time.monotonic()
        memory.lagging_since = memory.lagging_since or now
        if now - memory.lagging_since >= LAG_SECONDS:
            memory.lagging_since = None
            try:
                await self._catch_up(run)
            except WorkflowQueryFailedError as error:
                memory.mute = f"{MUTE}; it says: {error}"
            else:
                memory.mute = None
        return memory.mute

    async def _catch_up(self, run: OpenRun) -> bool:
        """Ask the interpreter for what is not recorded, and record it; say whether the run's end was among it."""
        handle = self._client.get_workflow_handle(run.id)
        applied = run.applied
        while True:
            records: RunRecords = await handle.query(
                STATE_QUERY, applied, result_type=RunRecords, rpc_timeout=RPC_TIMEOUT
            )
            last = await apply_records(self._database, records)
            if last <= applied:
                return False
            if any(not each.key and each.state in TERMINAL_RUN_STATES for each in records.transitions):
                return True
            logger.info("run %s: brought %d records that were missing", run.id, last - applied)
            applied = last

    async def _heal_closed(self, run: OpenRun, memory: _Memory, description: WorkflowExecutionDescription) -> None:
        """Record the end of a run whose execution has ended and whose record says otherwise."""
        row = await get_run(self._database, run.id)
        if row is None or row.state in TERMINAL_RUN_STATES:
            return  # recorded since it was listed; to ask the interpreter would replay the whole run
        try:
            if await self._catch_up(run):
                return
        except (RPCError, WorkflowQueryFailedError):
            # No worker, or one that cannot replay this run: wait for a better one, but not for ever.
            now = time.monotonic()
            memory.mute_since = memory.mute_since or now
            if now - memory.mute_since < MUTE_SECONDS:
                raise
        state, reason = await self._ending(description)
        if await finish_run(self._database, run.id, state, reason):
            logger.warning("run %s: recorded its end from outside: %s", run.id, reason)

    async def _ending(self, description: WorkflowExecutionDescription) -> tuple[str, str]:
        """Return the run's state and a sentence, from how its execution ended."""
        match description.status:
            case WorkflowExecutionStatus.CANCELED:
                return "cancelled", "cancelled in Temporal"
            case WorkflowExecutionStatus.TIMED_OUT:
                return "failed", "Temporal ended the run, which had used up its time"
            case WorkflowExecutionStatus.COMPLETED:
                return "failed", "the run ended in Temporal, but its records cannot be read"
        cause: BaseException | None = None
        try:
            await self._client.get_workflow_handle(description.id, run_id=description.run_id).result()
        except WorkflowFailureError as error:
            cause = error.cause
        what = "terminated in Temporal" if description.status is WorkflowExecutionStatus.TERMINATED else "failed"
        message = cause.message if isinstance(cause, FailureError) else ""
        return "failed", f"{what}: {message}" if message else what

    async def _heal_missing(self, run: OpenRun, memory: _Memory) -> None:
        """Deal with a run that Temporal does not know: start it if it never was, else record that it is lost."""
        young = datetime.now(UTC) - run.created_at < START_WITHIN
        if run.state == "pending" and run.applied == 0 and young:
            request = await get_request(self._database, run.id)
            if request is not None:
                logger.warning("run %s was accepted but never started; starting it", run.id)
                await start_execution(self._client, run.id, request)
                return
        now = time.monotonic()
        memory.gone_since = memory.gone_since or now
        if now - memory.gone_since < GONE_SECONDS:
            return
        reason = "Temporal does not know this run any more: its history was deleted before its end was recorded"
        if run.state == "pending" and run.applied == 0:
            reason = "the run was never started"
        if await finish_run(self._database, run.id, "failed", reason):
            logger.warning("run %s: %s", run.id, reason)
