"""What Temporal is told of a step's place among others: its priority, its run's turn, and how long it may take."""

from __future__ import annotations

import json
from typing import Any

from temporalio.common import Priority

from tests.workflows.driving import plan, step
from tests.workflows.house import House
from workflows.fairness import MAX_KEY, fairness_key
from workflows.messages import RunRequest, StepTask
from workflows.packing import packed_request
from workflows.plan import CONTROL_QUEUE, Timeout
from workflows.wire import CONVERTER


async def scheduled(house: House, run: str) -> dict[str, Any]:
    """Return what each step's task was scheduled with."""
    history = await house.client.get_workflow_handle(run).fetch_history()
    found = (event.activity_task_scheduled_event_attributes for event in history.events)
    return {each.activity_id: each for each in found if each.activity_type.name == "noop"}


async def test_a_step_is_scheduled_with_its_priority_and_others_with_none(house: House) -> None:
    run = await house.run(plan(step("a", priority=1), step("b")))
    tasks = await scheduled(house, run.id)
    assert (tasks["a"].priority.priority_key, tasks["b"].priority.priority_key) == (1, 0)
    assert tasks["b"].priority.ByteSize() == 0


async def test_the_steps_of_a_child_inherit_the_priority_of_the_step_that_started_it(house: House) -> None:
    house.control.plans["ranked"] = plan(step("a"), step("b", priority=5))
    call = {"kind": "workflow", "action": {"workflow": "ranked", "version": None}}
    run = await house.run(plan(step("child", priority=2, **call)))
    started = (await house.client.get_workflow_handle(f"{run.id}.child").describe()).raw_description
    assert started.workflow_execution_info.priority.priority_key == 2
    tasks = await scheduled(house, f"{run.id}.child")
    assert (tasks["a"].priority.priority_key, tasks["b"].priority.priority_key) == (0, 5)


async def test_a_run_hands_its_turn_on_to_its_children_and_to_its_further_executions(house: House) -> None:
    house.control.plans["inner"] = plan(step("a"))
    call = {"kind": "workflow", "action": {"workflow": "inner", "version": None}}
    steps = [step(f"s{number}", f"s{number - 1}" if number else ()) for number in range(8)]
    shape = plan(*steps, step("child", "s7", priority=2, **call))
    request = RunRequest("demo", version=1, plan=shape.to_json(), events=20)
    run = "fair-run"
    handle = await house.client.start_workflow(
        "demo",
        packed_request(request),
        id=run,
        task_queue=CONTROL_QUEUE,
        priority=Priority(fairness_key=fairness_key(run)),
    )
    assert (await house.ended(handle)).state == "succeeded"
    first = handle.first_execution_run_id
    last = (await house.client.get_workflow_handle(run).describe()).raw_description.workflow_execution_info
    assert last.execution.run_id != first
    assert last.priority.fairness_key == run
    child = (await house.client.get_workflow_handle(f"{run}.child").describe()).raw_description
    assert child.workflow_execution_info.priority.fairness_key == run
    assert child.workflow_execution_info.priority.priority_key == 2


async def test_the_wait_for_room_is_not_part_of_a_steps_time(house: House) -> None:
    limits = Timeout(run=60.0, queue=30.0)
    run = await house.run(plan(step("a", resources={"gpu": 1}, timeout=limits), step("b", timeout=limits)))
    tasks = await scheduled(house, run.id)
    assert tasks["b"].start_to_close_timeout.ToSeconds() == 70
    assert tasks["a"].start_to_close_timeout.ToSeconds() > 6 * 86_400
    a, b = (json.loads(tasks[name].input.payloads[0].data) for name in "ab")
    assert (a["resources"], a["queue_timeout"]) == ({"gpu": 1}, 30.0)
    assert b.keys().isdisjoint({"resources", "queue_timeout"})


def test_a_task_that_names_no_resources_is_no_longer_for_it() -> None:
    task = StepTask("r", "w", 1, "s", "s", 0, "noop", {})
    [payload] = CONVERTER.payload_converter.to_payloads([task])
    assert {*json.loads(payload.data)} == {
        *("run", "workflow", "version", "step", "key", "generation", "kind", "action")
    }


def test_the_key_of_a_long_id_is_the_part_that_no_other_run_has() -> None:
    assert fairness_key("train-01jdh3v6w8kq") == "train-01jdh3v6w8kq"
    found = fairness_key("w" * 63 + "-01jdh3v6w8kq")
    assert (len(found), found[-12:]) == (MAX_KEY, "01jdh3v6w8kq")
