"""The same runs on workers of other kinds: none of what a worker may do differently may show."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.exceptions import CancelledError
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from tests.servers import Temporal
from tests.workflows.driving import plan, step
from tests.workflows.house import House
from workflows.events import event_run_id
from workflows.messages import Event, TriggerRequest
from workflows.plan import CONTROL_QUEUE, Concurrency, Map, Retry

STEPS = (
    step("a", inputs={"give": {"n": 3}}),
    step("m", {"a": "output.n == 3"}, map=Map("${{ [1, 2, 3] }}", "x", limit=2), inputs={"give": "${{ x * 2 }}"}),
    step("flaky", "a", inputs={"fail": "Boom", "times": 1}, retry=Retry(attempts=2, delay=0.05)),
    step("off", "a", condition="steps.a.output.n > 3"),
)


@pytest.mark.parametrize(
    "options",
    [{"workflow_runner": SandboxedWorkflowRunner()}, {"max_cached_workflows": 0}],
    ids=["in the sandbox", "without a cache"],
)
async def test_runs_and_triggers_go_the_same_way(temporal: Temporal, options: dict[str, Any]) -> None:
    async with House(await temporal.client()).open(**options) as house:
        done = await house.run(plan(*STEPS, output={"all": "${{ steps.m.output }}"}))
        assert done.value == {"all": [2, 4, 6]}
        assert done.states["off"] == "skipped"

        handle = await house.start(plan(*STEPS, step("hung", "m flaky", inputs={"hang": 1})))
        await house.until_called(handle.id, "hung")
        await handle.cancel()
        assert (await house.ended(handle)).states["hung"] == "cancelled"

        limited = plan(step("a", inputs={"rest": 0.2}), concurrency=Concurrency("all"))
        first, second = await house.start(limited, handle.id), await house.start(limited, handle.id)
        assert [(await house.ended(each)).state for each in (first, second)] == ["succeeded", "succeeded"]

        house.control.plans["told"] = plan(step("a"))
        name = f"segue-trigger-told-{handle.id}"
        trigger = await house.client.start_workflow(
            "SegueTrigger", TriggerRequest("told"), id=name, task_queue=CONTROL_QUEUE
        )
        await trigger.signal("fire", Event(name))
        run = house.client.get_workflow_handle(event_run_id("told", name))
        await house.until(lambda: run.id in house.control.records)
        assert (await house.ended(run)).state == "succeeded"
        await trigger.cancel()
        assert isinstance((await house.ended(trigger)).error, CancelledError)
