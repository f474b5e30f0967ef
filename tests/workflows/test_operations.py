"""What people do to runs, on a real Temporal server: going on after the end."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from tests.workflows.driving import plan, step
from tests.workflows.house import House
from workflows.plan import Concurrency, Map

BROKEN_ONCE = {"broken": 1}


async def test_a_failed_run_goes_on_under_its_id_and_keeps_what_succeeded(house: House) -> None:
    shape = plan(
        step("a", inputs={"give": 4}),
        step("b", "a", inputs={**BROKEN_ONCE, "give": "${{ steps.a.output + 1 }}"}),
        step("c", "b", inputs={"give": "${{ steps.b.output + 1 }}"}),
        step("clean", phase="finally"),
        output={"c": "${{ steps.c.output }}"},
    )
    handle = await house.start(shape)
    first = await house.ended(handle)
    assert (first.state, first.states["c"]) == ("failed", "upstream_failed")
    ended = await house.ended(await house.retry(handle, shape))
    assert ended.value == {"c": 6}
    assert [house.actors.count(handle.id, key) for key in ("a", "b", "c", "clean")] == [1, 2, 1, 2]
    assert [each.seq for each in ended.transitions] == list(range(1, len(ended.transitions) + 1))
    assert ended.last("b").result is not None
    assert "/b/001.001-" in ended.last("b").result.folder  # type: ignore[union-attr]


async def test_a_run_goes_on_as_often_as_it_takes_also_inside_a_map(house: House) -> None:
    shape = plan(
        step("m", map=Map([0, 1, 2], "n"), inputs={"broken": "${{ n }}", "give": "${{ n }}"}),
        output="${{ steps.m.output }}",
    )
    handle = await house.start(shape)
    assert (await house.ended(handle)).state == "failed"
    assert (await house.ended(await house.retry(handle, shape))).state == "failed"
    ended = await house.ended(await house.retry(handle, shape))
    assert ended.value == [0, 1, 2]
    assert [house.actors.count(handle.id, f"m[{item}]") for item in range(3)] == [1, 2, 3]


async def test_a_child_goes_on_under_its_own_id(house: House) -> None:
    house.control.plans["inner"] = plan(
        step("x"), step("y", "x", inputs={**BROKEN_ONCE, "give": 3}), output="${{ steps.y.output }}"
    )
    shape = plan(
        step("sub", kind="workflow", action={"workflow": "inner", "version": None}), output="${{ steps.sub.output }}"
    )
    handle = await house.start(shape)
    assert (await house.ended(handle)).state == "failed"
    ended = await house.ended(await house.retry(handle, shape))
    assert ended.value == 3
    child = f"{handle.id}.sub"
    assert [house.actors.count(child, key) for key in ("x", "y")] == [1, 2]
    assert [each.seq for each in house.control.records[child]] == list(range(1, len(house.control.records[child]) + 1))


async def test_a_child_that_went_on_by_itself_gives_its_output_and_runs_nothing_again(house: House) -> None:
    inner = plan(step("x"), step("y", "x", inputs={**BROKEN_ONCE, "give": 3}), output="${{ steps.y.output }}")
    house.control.plans["inner"] = inner
    call = step("sub", kind="workflow", action={"workflow": "inner", "version": None})
    shape = plan(call, output="${{ steps.sub.output }}")
    handle = await house.start(shape)
    assert (await house.ended(handle)).state == "failed"
    child = house.client.get_workflow_handle(f"{handle.id}.sub")
    assert (await house.ended(await house.retry(child, inner))).value == 3
    ended = await house.ended(await house.retry(handle, shape))
    assert ended.value == 3
    assert [house.actors.count(child.id, key) for key in ("x", "y")] == [1, 2]
    assert [each.state for each in house.control.records[child.id] if not each.key][-2:] == ["running", "succeeded"]


async def test_a_terminated_run_goes_on_with_what_was_in_flight(house: House) -> None:
    shape = plan(step("a"), step("b", "a", inputs={"deaf": 1, "give": 2}), output="${{ steps.b.output }}")
    handle = await house.start(shape)
    await house.until_called(handle.id, "b")
    await handle.terminate("by hand")
    ended = await house.ended(await house.retry(handle, shape))
    assert ended.value == 2
    assert house.actors.count(handle.id, "a") == 1


async def test_a_run_under_a_concurrency_limit_takes_its_place_again(house: House) -> None:
    limited = plan(step("a", inputs=BROKEN_ONCE), concurrency=Concurrency("again", 1))
    handle = await house.start(limited)
    assert (await house.ended(handle)).state == "failed"
    other = await house.start(plan(step("b", inputs={"hang": 1}), concurrency=Concurrency("again", 1)))
    await house.until_called(other.id, "b")
    retried = await house.retry(handle, limited)
    await house.until(lambda: house.control.records[handle.id][-1].reason.endswith(f"held by {other.id}"))
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await house.operate(other, "resume")
    assert str(refused.value.cause) == "OperationRefused: The run is not paused."
    await other.cancel()
    assert (await house.ended(retried)).state == "succeeded"


async def test_a_run_that_waits_for_its_place_can_only_be_cancelled(house: House) -> None:
    first = await house.start(plan(step("a", inputs={"hang": 1}), concurrency=Concurrency("busy", 1)))
    await house.until_called(first.id, "a")
    second = await house.start(plan(step("a"), concurrency=Concurrency("busy", 1)))
    await house.until(lambda: second.id in house.control.records)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await house.operate(second, "pause")
    assert "It can be cancelled" in str(refused.value.cause)
    await second.cancel()
    await first.cancel()
    await house.ended(second)
    await house.ended(first)


async def test_an_operation_sent_again_to_the_next_execution_changes_nothing(house: House) -> None:
    shape = plan(step("a", inputs=BROKEN_ONCE), step("q", kind="approve"), step("b", "a q"))
    handle = await house.start(shape)
    await house.until(lambda: any(each.state == "failed" for each in house.control.records.get(handle.id, [])))
    await house.operate(handle, "skip", "b", id="once")
    await handle.cancel()
    assert (await house.ended(handle)).state == "cancelled"
    retried = await house.retry(handle, shape)
    await house.until(lambda: house.control.records[handle.id][-1].key == "a")
    assert await house.operate(retried, "skip", "q", id="once") == "running"
    assert [each for each in house.control.records[handle.id] if each.key == "q" and each.state == "skipped"] == []
    await house.operate(retried, "mark", "q", output={"approved": True})
    ended = await house.ended(retried)
    assert (ended.state, ended.states["b"]) == ("succeeded", "skipped")


async def test_a_run_that_had_not_begun_cannot_go_on_and_says_so(house: House) -> None:
    handle = await house.start(None, "unknown-workflow")
    await house.ended(handle)
    ended = await house.ended(await house.retry(handle, plan(step("a"))))
    assert ended.failure.type == "NotBegun"
    assert "start it anew" in ended.failure.message


async def test_an_operation_on_a_run_that_ends_in_that_moment_is_refused(house: House) -> None:
    handle = await house.start(plan(step("a", inputs={"hang": 1})))
    await house.until_called(handle.id, "a")
    await house.operate(handle, "skip", "a")
    ended = await house.ended(handle)
    assert ended.states == {"a": "skipped"}
    with pytest.raises(RPCError):
        await house.operate(handle, "pause")
