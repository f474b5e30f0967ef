"""Steps that do as their `with` says, and a control queue that keeps records in memory: workers of tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import StepFailed, to_failure
from workflows.messages import (
    RECORD_RUN,
    RESOLVE_RUN,
    TERMINAL_RUN_STATES,
    RunRecords,
    RunRequest,
    StepResult,
    StepTask,
    Transition,
)
from workflows.plan import Plan

LINGER_SECONDS = 0.02


class Actors:
    """The step activities.

    What `with` may say: `give` a value; `fail` with a type, `times` attempts long; `rest` for seconds; `hang` until
    cancelled, or with `deaf` without a heartbeat, for as many generations as it says; `answer` with anything at
    all; be `broken` for as many generations as it says.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.flying: list[str] = []
        self.peak = 0

    def all(self) -> list[Callable[..., Any]]:
        return [self._activity(kind) for kind in ("shell", "python", "http", "noop")]

    def _activity(self, kind: str) -> Callable[..., Any]:
        async def act(task: StepTask) -> Any:
            name = f"{task.run}/{task.key}"
            self.calls.append(name)
            self.flying.append(name)
            self.peak = max(self.peak, len(self.in_flight(task.run)))
            try:
                return await _act(task)
            finally:
                self.flying.remove(name)

        return activity.defn(name=kind)(act)

    def in_flight(self, run: str) -> list[str]:
        """Return the steps of a run whose bodies have not ended."""
        return [name for name in self.flying if name.startswith(f"{run}/")]

    def count(self, run: str, key: str) -> int:
        """Return how often a step's body began."""
        return self.calls.count(f"{run}/{key}")


async def _act(task: StepTask) -> Any:
    script, attempt = task.inputs, activity.info().attempt
    name = f"runs/{task.run}/{task.key}/{task.generation:03}.{attempt:03}-00000000"
    result = StepResult(None, None, name, attempt, "actor", 1_700_000_000.0, 1_700_000_001.0)
    if "deaf" in script and task.generation < script["deaf"]:
        await asyncio.sleep(3600)
    if "hang" in script:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.05)
    if "rest" in script:
        await asyncio.sleep(script["rest"])
    if task.generation < script.get("broken", 0):
        raise to_failure(StepFailed("ExitCode", f"generation {task.generation} broke", {"exit_code": 2}), result)
    if "fail" in script and attempt <= script.get("times", 1_000):
        raise to_failure(StepFailed(script["fail"], f"attempt {attempt} broke", {"exit_code": 2}), result)
    if "answer" in script:
        return script["answer"]
    return replace(result, value=script.get("give"))


class Control:
    """The control activities: records by run, and the plans that runs without one are resolved to."""

    def __init__(self) -> None:
        self.records: dict[str, list[Transition]] = {}
        self.batches: dict[str, int] = {}
        self.plans: dict[str, Plan] = {}
        self.broken = False

    def all(self) -> list[Callable[..., Any]]:
        return [self.resolve_run, self.record_run]

    async def record(self, records: RunRecords) -> int:
        """Keep a batch; return how many transitions are kept."""
        known = self.records.setdefault(records.run, [])
        assert not records.transitions or records.transitions[0].seq <= len(known) + 1, "a gap"
        known += [each for each in records.transitions if each.seq > len(known)]
        return len(known)

    @activity.defn(name=RESOLVE_RUN)
    async def resolve_run(self, request: RunRequest) -> RunRequest:
        plan = self.plans.get(request.workflow)
        if plan is None:
            message = f"there is no workflow {request.workflow!r}"
            raise ApplicationError(message, {"errors": []}, type="UnknownWorkflow", non_retryable=True)
        return replace(request, version=request.version or 1, plan=plan.to_json())

    @activity.defn(name=RECORD_RUN)
    async def record_run(self, records: RunRecords) -> None:
        if self.broken:
            raise ApplicationError("the database is away", type="DatabaseUnavailable")
        self.batches[records.run] = self.batches.get(records.run, 0) + 1
        assert records.transitions
        await self.record(records)
        if not any(not each.key and each.state in TERMINAL_RUN_STATES for each in records.transitions):
            await asyncio.sleep(LINGER_SECONDS)
