"""A server, the interpreter and its workers, as tests use them: start a plan, wait, look at what is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.going_on import GoingOnActivities
from activities.places import PlaceActivities
from api.temporal import tell_run
from tests.workflows.scripted import Actors, Control
from workflows.interpreter import DagRun
from workflows.messages import STATE_QUERY, Cause, Operation, RunRecords, RunRequest, Transition
from workflows.packing import packed_request
from workflows.plan import CONTROL_QUEUE, Plan
from workflows.slots import SegueSlots
from workflows.trigger import SegueTrigger

PATIENCE = timedelta(seconds=60)


@dataclass
class Ended:
    """A run that is over: `value` of one that succeeded, else `error`."""

    id: str
    transitions: list[Transition]
    value: Any = None
    error: BaseException | None = None

    @property
    def state(self) -> str:
        return self.last("").state

    @property
    def failure(self) -> ApplicationError:
        assert isinstance(self.error, ApplicationError), self.error
        return self.error

    @property
    def states(self) -> dict[str, str]:
        """The final state of every step and item, in the order of their first appearance."""
        return {each.key: each.state for each in self.transitions if each.key}

    def last(self, key: str) -> Transition:
        return [each for each in self.transitions if each.key == key][-1]

    def given(self, key: str) -> Any:
        """Return the output that was recorded of a step."""
        result = self.last(key).result
        assert result is not None
        return result.value

    def of(self, key: str) -> list[str]:
        """Return the states of a step, one after the other."""
        return [each.state for each in self.transitions if each.key == key]


class House:
    """One server's client with the workers beside it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.actors = Actors()
        self.control = Control()
        self.started: list[str] = []

    @contextlib.asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[House]:
        """Run the workers, with these options for the interpreter's."""
        given = {"workflow_runner": UnsandboxedWorkflowRunner()}
        interpreter = Worker(
            self.client,
            task_queue=CONTROL_QUEUE,
            workflows=[DagRun, SegueSlots, SegueTrigger],
            activities=[
                *self.control.all(),
                *PlaceActivities(self.client).all(),
                *GoingOnActivities(self.client, self.control.record).all(),
            ],
            **{**given, **options},
        )
        steps = Worker(
            self.client,
            task_queue="cpu",
            activities=self.actors.all(),
            max_heartbeat_throttle_interval=timedelta(milliseconds=50),
            default_heartbeat_throttle_interval=timedelta(milliseconds=50),
        )
        async with interpreter, steps:
            yield self

    async def start(
        self, plan: Plan | None, name: str = "demo", run: str | None = None, **request: Any
    ) -> WorkflowHandle[Any, Any]:
        """Start a run; without a plan as a trigger does it."""
        given = {"version": 1, "cause": Cause("manual", "ada"), "plan": plan.to_json()} if plan else {}
        run = run or f"{name}-{uuid.uuid4().hex[:8]}"
        self.started.append(run)
        return await self.client.start_workflow(
            name,
            packed_request(RunRequest(name, **{**given, **request})),
            id=run,
            task_queue=CONTROL_QUEUE,
            task_timeout=timedelta(seconds=5),
            search_attributes=TypedSearchAttributes([SearchAttributePair(SEGUE_WORKFLOW, name)]),
        )

    async def run(self, plan: Plan | None, name: str = "demo", **request: Any) -> Ended:
        """Start a run and wait for its end."""
        return await self.ended(await self.start(plan, name, **request))

    async def retry(
        self, handle: WorkflowHandle[Any, Any], plan: Plan | None, *steps: str, **request: Any
    ) -> WorkflowHandle[Any, Any]:
        """Let a run go on after its end."""
        execution = (await handle.describe()).run_id
        again = Operation(uuid.uuid4().hex, "retry", "ada", "the disk was full", list(steps), execution=execution)
        await self.start(plan, (await handle.describe()).workflow_type, run=handle.id, again=again, **request)
        return self.client.get_workflow_handle(handle.id)

    async def operate(self, handle: WorkflowHandle[Any, Any], kind: Any, *steps: str, **fields: Any) -> str:
        """Do something to a run that goes on; return its state then."""
        operation = Operation(fields.pop("id", uuid.uuid4().hex), kind, "ada", "because", list(steps), **fields)
        async with asyncio.timeout(PATIENCE.total_seconds()):
            return await tell_run(self.client, handle.id, operation)

    async def ended(self, handle: WorkflowHandle[Any, Any]) -> Ended:
        value, error = None, None
        async with asyncio.timeout(PATIENCE.total_seconds()):
            try:
                value = await handle.result()
            except WorkflowFailureError as failure:
                error = failure.cause
        return Ended(handle.id, self.control.records.get(handle.id, []), value, error)

    async def until(self, condition: Callable[[], bool], what: str = "the condition") -> None:
        """Wait until something has come true."""
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while not condition():
                await asyncio.sleep(0.01)

    async def until_called(self, run: str, key: str, times: int = 1) -> None:
        """Wait until a step's body has begun."""
        await self.until(lambda: self.actors.count(run, key) >= times)

    async def told(self, handle: WorkflowHandle[Any, Any], after: int = 0) -> RunRecords:
        """Ask the interpreter for its transitions."""
        records: RunRecords = await handle.query(STATE_QUERY, after, result_type=RunRecords)
        return records


SEGUE_WORKFLOW = SearchAttributeKey.for_keyword("SegueWorkflow")
