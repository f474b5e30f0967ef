"""What people do to runs, on a real Temporal server: going on after the end."""

from __future__ import annotations

from tests.workflows.driving import plan, step
from tests.workflows.house import House
from workflows.plan import Map

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


async def test_a_terminated_run_goes_on_with_what_was_in_flight(house: House) -> None:
    shape = plan(step("a"), step("b", "a", inputs={"deaf": 1, "give": 2}), output="${{ steps.b.output }}")
    handle = await house.start(shape)
    await house.until_called(handle.id, "b")
    await handle.terminate("by hand")
    ended = await house.ended(await house.retry(handle, shape))
    assert ended.value == 2
    assert house.actors.count(handle.id, "a") == 1
