"""A run's side of its concurrency limit: it asks for a place, waits until it has one, and gives it back.

What happens before a run has its place is none of the core's business: no step starts, no time-out ticks, and a run
that is cancelled while it waits runs no step at all. Who gets a place is decided in `workflows.line`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Literal

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError

from workflows.conditions import expression_error
from workflows.exchange import EndRun
from workflows.expressions import ExpressionError
from workflows.journal import Journal
from workflows.messages import RunRequest, RunState, StepError, Transition
from workflows.places import (
    ASK_FOR_PLACE,
    GIVE_BACK_SIGNAL,
    MAX_WAIT_SECONDS,
    PlaceAnswer,
    PlaceAsk,
    PlaceRelease,
    slots_id,
)
from workflows.plan import CONTROL_QUEUE, Concurrency, Plan
from workflows.templates import render

ASK_AGAIN_SECONDS = 60.0
LONGEST_PATIENCE_SECONDS = 6 * 3_600.0
"""Who waits asks again, at longer and longer intervals, should its `SegueSlots` have been terminated by hand."""
MAX_KEY_SHOWN = 200

_PATIENTLY = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5))


class Admission:
    """The place of one run, if its plan has a concurrency limit; without one, nothing here does anything."""

    def __init__(self, journal: Journal, record: Callable[[], None], stop: Callable[[str], None]) -> None:
        """Prepare it.

        Args:
            journal: Takes the run's transitions.
            record: Is called when there are new ones.
            stop: Is called with the reason when a run that goes on has to end.
        """
        self._journal = journal
        self._record = record
        self._stop = stop
        self._phase: Literal["free", "entering", "inside", "ending", "left"] = "free"
        self._ask: PlaceAsk | None = None
        self._answer: PlaceAnswer | None = None
        self._reset = False
        self._said = ""

    @property
    def lost(self) -> bool:
        """Whether Temporal has reset the run, whose place may be another's by now: nothing new may start meanwhile."""
        return self._phase == "inside" and (self._reset or self._state != "granted")

    async def enter(self, plan: Plan, request: RunRequest) -> EndRun | None:
        """Wait until the run may start; return its end when it may not, or is cancelled before."""
        if plan.concurrency is None:
            return None
        try:
            key = concurrency_key(plan.concurrency, request)
        except ExpressionError as problem:
            error = expression_error(problem, "concurrency.key")
            return self._ended(plan, "failed", error.message, error=error)
        run, slots = workflow.info().workflow_id, slots_id(request.workflow, key)
        ask = (request.workflow, key[:MAX_KEY_SHOWN], slots, run)
        self._ask = PlaceAsk(*ask, "", plan.concurrency.limit, plan.concurrency.when_full)
        workflow.register_random_seed_callback(self._begin_anew)
        self._phase = "entering"
        seeking = asyncio.create_task(self._seek(self._ask))
        try:
            await workflow.wait_condition(seeking.done)
        except asyncio.CancelledError:
            reason = workflow.cancellation_reason()
            if reason is None:
                raise  # the worker forgets this run; nobody cancels it
            return self._ended(plan, "cancelled", reason or "the run was cancelled")
        seeking.result()
        answer = self._answer
        if answer is None or answer.state == "waits":
            reason = f"no place came free within {MAX_WAIT_SECONDS / 86_400:g} days"
            return self._ended(plan, "failed", reason, error=StepError("Timeout", reason, {"timeout": "place"}))
        if answer.state != "granted":
            return self._ended(plan, "cancelled", answer.reason, answer.detail)
        self._phase, self._said = "inside", ""
        self._keeping = asyncio.create_task(self._keep(self._ask))
        return None

    def kept(self) -> dict[str, Any] | None:
        """Return the place, for the execution in which the run goes on; it stays the same run's."""
        if self._ask is None or self._answer is None:
            return None
        return {"ask": asdict(self._ask), "answer": asdict(self._answer), "phase": self._phase}

    def go_on(self, kept: dict[str, Any] | None) -> None:
        """Go on with the place of the execution before."""
        if kept is None:
            return
        self._ask, self._answer = PlaceAsk(**kept["ask"]), PlaceAnswer(**kept["answer"])
        self._phase = kept["phase"]
        workflow.register_random_seed_callback(self._begin_anew)
        self._keeping = asyncio.create_task(self._keep(self._ask))

    def hear(self, answer: PlaceAnswer) -> None:
        """Take in what `SegueSlots` says."""
        if self._ask is None or answer.token != self._ask.token:
            return  # said to this run before it was reset
        self._answer = answer
        match self._phase:
            case "entering" | "inside" if answer.state == "waits":
                # The same comes again when the run has asked again.
                if answer.reason != self._said:
                    self._said = answer.reason
                    self._tell("pending", answer)
            case "inside" if answer.state == "granted" and self._said:
                self._said = ""
                self._tell("running", answer)
            case "inside" if answer.state in ("displaced", "refused"):
                self.give_up()
                self._stop(answer.reason)
            case "left":
                # The ask was on its way when the run gave up: what it has got by it nobody needs.
                self._again = asyncio.create_task(self._give_back(self._ask))

    def give_up(self) -> None:
        """Do not wait for a place any more: the run is about to end."""
        if self._phase != "free":
            self._phase = "ending"

    async def leave(self) -> None:
        """Give the place back, or the wish for one."""
        if self._ask is not None and self._phase != "left":
            self._phase = "left"
            if self._state != "refused":
                await self._give_back(self._ask)

    # Asking.

    @property
    def _state(self) -> str:
        return "waits" if self._answer is None else self._answer.state

    def _begin_anew(self, _seed: int) -> None:
        """Note that Temporal has reset the run, which is the one thing that changes the seed."""
        self._reset = True

    async def _seek(self, ask: PlaceAsk) -> None:
        """Ask until there is an answer, for so long as a run may wait."""
        patience, until = ASK_AGAIN_SECONDS, workflow.time() + MAX_WAIT_SECONDS
        self._draw_token(ask)
        while self._waits() and workflow.time() < until:
            await workflow.execute_activity(
                ASK_FOR_PLACE,
                ask,
                task_queue=CONTROL_QUEUE,
                summary=f"a place under {ask.key}"[:100],
                start_to_close_timeout=timedelta(seconds=10),
                retry_policy=_PATIENTLY,
            )
            try:
                await workflow.wait_condition(lambda: self._reset or not self._waits(), timeout=patience)
            except TimeoutError:
                patience = min(2 * patience, LONGEST_PATIENCE_SECONDS)
            if self._reset:
                self._draw_token(ask)

    def _waits(self) -> bool:
        return self._state == "waits" and self._phase in ("entering", "inside")

    def _draw_token(self, ask: PlaceAsk) -> None:
        ask.token, self._answer, self._reset = f"{workflow.random().getrandbits(48):012x}", None, False

    async def _keep(self, ask: PlaceAsk) -> None:
        """Ask anew whenever Temporal has reset the run."""
        while True:
            await workflow.wait_condition(lambda: self._reset)
            if self._phase != "inside":
                return
            await self._seek(ask)
            if self._waits():
                self.give_up()
                self._stop("no place came free after the run was reset")

    async def _give_back(self, ask: PlaceAsk) -> None:
        handle = workflow.get_external_workflow_handle(ask.slots)
        try:
            await handle.signal(GIVE_BACK_SIGNAL, PlaceRelease(ask.run, ask.token))
        except FailureError as error:
            workflow.logger.info("nobody takes the place under %r back: %s", ask.key, error)

    # What is recorded.

    def _tell(self, state: RunState, answer: PlaceAnswer) -> None:
        self._journal.append(Transition(0, workflow.time(), "", state, answer.reason, answer.detail))
        self._record()

    def _ended(
        self,
        plan: Plan,
        state: RunState,
        reason: str,
        detail: dict[str, Any] | None = None,
        *,
        error: StepError | None = None,
    ) -> EndRun:
        """Record the end of a run that never began: no step ran, those of `finally` neither."""
        self.give_up()
        for step in plan.steps:
            said = f"{reason}; {step.id} had not started"
            self._journal.append(Transition(0, workflow.time(), step.id, "cancelled", said))
        self._journal.append(Transition(0, workflow.time(), "", state, reason, detail or {}, error=error))
        return EndRun(state, reason, error=error)


def concurrency_key(concurrency: Concurrency, request: RunRequest) -> str:
    """Return the key under which a run takes its place.

    Raises:
        ExpressionError: It cannot be computed.
    """
    scope = {
        "params": request.params,
        "workflow": {"name": request.workflow, "version": request.version or 0},
        "event": request.event,
        "vars": request.vars,
    }
    key = render(concurrency.key, scope)
    return key if isinstance(key, str) else json.dumps(key, sort_keys=True)
