"""`SegueSlots`: keeps the places under one concurrency key of one workflow. It ends when nobody holds or wants one.

Runs ask through an activity that signals it, starting it if need be, and give back by a signal; it answers by signals
to the runs. So each step of the way is kept by Temporal and none depends on a process that lives. A holder that is gone
without a word is found by asking Temporal, while somebody waits. Who is next is decided in `workflows.line`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, FailureError

from workflows.line import Line
from workflows.places import (
    ASK_SIGNAL,
    GIVE_BACK_SIGNAL,
    PLACE_SIGNAL,
    SLOTS_WORKFLOW,
    WHICH_RUNS_ENDED,
    Claim,
    PlaceAnswer,
    PlaceAsk,
    PlaceRelease,
    SlotsRequest,
)
from workflows.plan import CONTROL_QUEUE

EVENTS_PER_EXECUTION = 2_000
"""Of its history, before it begins anew; Temporal ends an execution at 10,240."""
TOLD_AT_ONCE = 500
"""Temporal refuses more than 2,000 signals under way."""
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
"""Between two looks for holders that are gone; it grows while the holders stay the same."""
SHOWN = 50
"""Runs that the list in Temporal's own UI names."""


@dataclass(frozen=True, slots=True)
class _Looked:
    gone: list[PlaceRelease]
    upto: int


@workflow.defn(name=SLOTS_WORKFLOW)
class SegueSlots:
    """The places of one key; its argument is a `SlotsRequest`."""

    @workflow.init
    def __init__(self, request: SlotsRequest) -> None:
        self._request = request
        self._line = Line(request.key, request.limit, request.asked, map(Claim.unpack, request.claims))
        self._inbox: deque[PlaceAsk | PlaceRelease | _Looked] = deque()

    @workflow.signal(name=ASK_SIGNAL)
    def ask(self, ask: PlaceAsk) -> None:
        """Let a run into the line; asking again changes nothing, but is answered again."""
        self._inbox.append(ask)

    @workflow.signal(name=GIVE_BACK_SIGNAL)
    def release(self, release: PlaceRelease) -> None:
        """Take a run's place back, or take it out of the line."""
        self._inbox.append(release)

    @workflow.run
    async def run(self, _request: SlotsRequest) -> None:
        """Give out places until nobody wants one.

        A cancel is passed over: who held a place would be forgotten, and the limit exceeded.
        """
        working, looking = asyncio.create_task(self._work()), asyncio.create_task(self._look())
        while not working.done():
            try:
                await workflow.wait_condition(working.done)
            except asyncio.CancelledError:
                if workflow.cancellation_reason() is None:
                    raise
        looking.cancel()
        working.result()
        if self._line.claims:
            now, was = self._line, self._request
            claims = [claim.pack() for claim in now.claims]
            workflow.continue_as_new(SlotsRequest(was.workflow, was.key, now.limit, now.asked, claims))

    async def _work(self) -> None:
        """Take in what has come and tell what follows, until the line is empty or the history long."""
        while True:
            await workflow.wait_condition(lambda: bool(self._inbox))
            while self._inbox:
                self._take_in()
                await self._tell()
            workflow.set_current_details(self._draw())
            if not self._line.claims or self._is_long():
                return

    def _take_in(self) -> None:
        while self._inbox:
            match self._inbox.popleft():
                case PlaceAsk() as ask:
                    self._line.ask(ask)
                case PlaceRelease() as release:
                    self._line.release(release)
                case _Looked(gone, upto):
                    self._line.looked(gone, upto)

    def _is_long(self) -> bool:
        info = workflow.info()
        return info.is_continue_as_new_suggested() or info.get_current_history_length() > EVENTS_PER_EXECUTION

    async def _tell(self) -> None:
        """Send the answers that are due, and wait until Temporal has delivered them, so that none overtakes another."""
        answers = self._line.answers()
        while answers:
            now, answers = answers[:TOLD_AT_ONCE], answers[TOLD_AT_ONCE:]
            await asyncio.gather(*(self._tell_one(run, answer) for run, answer in now))

    async def _tell_one(self, run: str, answer: PlaceAnswer) -> None:
        try:
            await workflow.get_external_workflow_handle(run).signal(PLACE_SIGNAL, answer)
        except FailureError as error:
            workflow.logger.info("run %s cannot be told that it %s: %s", run, answer.state, error)
            self._inbox.append(PlaceRelease(run, answer.token))

    async def _look(self) -> None:
        """While somebody waits, look which holders are gone: at once, then less and less often."""
        pause, before = FIRST_PAUSE_SECONDS, list[str]()
        while True:
            await workflow.wait_condition(lambda: bool(self._line.waiting))
            upto, holders = self._line.asked, [PlaceRelease(each.run, each.token) for each in self._line.holders]
            gone = await self._which_ended(holders)
            if gone is not None:
                self._inbox.append(_Looked(gone, upto))
            names = [holder.run for holder in holders]
            pause = FIRST_PAUSE_SECONDS if names != before else min(2 * pause, LONGEST_PAUSE_SECONDS)
            before = names
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(partial(self._has_to_look, upto), timeout=pause)

    def _has_to_look(self, upto: int) -> bool:
        """Say whether somebody asked later than `upto` who is refused unless a holder is gone."""
        return self._line.to_be_refused > upto

    async def _which_ended(self, holders: list[PlaceRelease]) -> list[PlaceRelease] | None:
        """Return the holders whose runs have ended, or None when that cannot be found out now."""
        try:
            found: list[PlaceRelease] = await workflow.execute_activity(
                WHICH_RUNS_ENDED,
                holders,
                task_queue=CONTROL_QUEUE,
                result_type=list[PlaceRelease],
                start_to_close_timeout=timedelta(seconds=30),
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=3),
            )
        except ActivityError as error:
            workflow.logger.warning("cannot find out which runs have ended: %s", error.cause)
            return None
        return found

    def _draw(self) -> str:
        holders, waiting = self._line.holders, self._line.waiting
        lines = [f"{len(holders)} of {self._line.limit} places taken, {len(waiting)} waiting", ""]
        lines += [f"- {claim.run} has a place" for claim in holders[:SHOWN]]
        lines += [f"- {claim.run} waits" for claim in waiting[:SHOWN]]
        return "\n".join(lines)
