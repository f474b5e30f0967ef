"""Records `tests/histories/*.json`: what Temporal keeps of runs of each kind, for `test_replay` to run again.

Run it when a new behaviour deserves a history: `python -m tests.workflows.record_histories NAME ...`. It never records
over a file: a history that no longer replays is a run of a user's that would hang after an upgrade.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle

from tests.servers import Temporal
from tests.workflows.driving import plan, step
from tests.workflows.house import House
from workflows.events import event_run_id
from workflows.messages import (
    ANSWER_SIGNAL,
    EVENT_SIGNAL,
    FIRE_SIGNAL,
    RELEASE_SIGNAL,
    TRIGGERS_SIGNAL,
    Answer,
    Cause,
    Event,
    EventTrigger,
    Operation,
    Release,
    TriggerRequest,
    TriggerUpdate,
)
from workflows.places import WhenFull, slots_id
from workflows.plan import CONTROL_QUEUE, Cache, Concurrency, Map, Retry, Timeout
from workflows.trigger import SegueTrigger

PRIVATE = {"identity", "stackTrace", "workerControlTaskQueue"}
HISTORIES = Path(__file__).parents[1] / "histories"

Handle = WorkflowHandle[Any, Any]
QUICK = Retry(attempts=3, delay=0.05)


async def chain(house: House) -> Handle:
    return await house.start(plan(step("a", inputs={"give": 1}), step("b", "a"), step("c", "b"), output="${{ 1 }}"))


async def branch(house: House) -> Handle:
    return await house.start(
        plan(
            step("check", inputs={"give": {"good": True}}),
            step("train", {"check": "output.good"}),
            step("notify", {"check": "not output.good"}),
            step("off", "check", condition="not steps.check.output.good"),
            step("join", "train notify off", trigger_rule="none_failed_min_one_success"),
        )
    )


async def fan_out(house: House) -> Handle:
    items = Map([1, 2, 0, 4, 5], "n", limit=2, min_success={"percent": 80})
    return await house.start(
        plan(
            step("m", map=items, inputs={"give": "${{ 20 / n }}"}),
            step("all", "m", inputs={"give": "${{ steps.m.output }}"}),
            *(step(f"s{number}") for number in range(6)),
            max_parallel=3,
        )
    )


async def retry(house: House) -> Handle:
    return await house.start(plan(step("a", inputs={"fail": "ExitCode", "times": 2, "give": 7}, retry=QUICK)))


async def failure(house: House) -> Handle:
    return await house.start(plan(step("a", inputs={"fail": "ExitCode"}, retry=QUICK), step("b", "a"), step("c")))


async def cancel(house: House) -> Handle:
    hang = {"inputs": {"hang": 1}}
    handle = await house.start(
        plan(step("a"), step("b", "a", **hang), step("m", "a", map=Map([1, 2, 3], limit=1), **hang), step("c", "b"))
    )
    await house.until_called(handle.id, "b")
    await house.until_called(handle.id, "m[0]")
    await handle.cancel()
    return handle


async def deadline(house: House) -> Handle:
    return await house.start(plan(step("a", inputs={"hang": 1}), step("b", "a"), timeout=1.0))


async def lost_worker(house: House) -> Handle:
    return await house.start(
        plan(step("a", inputs={"deaf": 1, "give": "alive"}, timeout=Timeout(heartbeat=0.5)), step("b", "a"))
    )


async def scheduled(house: House) -> Handle:
    house.control.plans["nightly"] = plan(step("a", inputs={"give": "${{ params.rows }}"}))
    return await house.start(None, "nightly", params={"rows": 5}, cause=Cause("schedule", "segue-nightly-1"))


async def trigger(house: House) -> Handle:
    """Three events, two of them the same, and a cancel: the one end that a trigger has."""
    house.control.plans["on-event"] = plan(step("a", inputs={"give": "${{ event.rows }}"}))
    handle = await house.client.start_workflow(
        SegueTrigger.run, TriggerRequest("on-event"), id="segue-trigger-on-event", task_queue=CONTROL_QUEUE
    )
    for event in ("upload-1", "upload-1", "upload-2"):
        await handle.signal(FIRE_SIGNAL, Event(event, "rows", {"rows": 3}))
    last = event_run_id("on-event", "upload-2")
    await house.until(lambda: last in house.control.records)
    await house.ended(house.client.get_workflow_handle(last))
    await handle.cancel()
    return handle


async def waits(house: House) -> Handle:
    """By the clock, for events that came early and late, and in vain."""
    event = {"name": "data", "if": "event.rows > 1"}
    handle = await house.start(
        plan(
            step("pause", kind="wait", action={"for": 0.3}),
            step("early", "pause", kind="wait", action={"event": event}),
            step("late", "early", kind="wait", action={"event": {"name": "go"}}, timeout=Timeout(total=60.0)),
            step("vain", kind="wait", action={"event": {"name": "never"}}, timeout=Timeout(total=0.2)),
            step("then", "vain", trigger_rule="all_done"),
        )
    )
    for number in (1, 2):
        await handle.signal(EVENT_SIGNAL, Event(f"e{number}", "data", {"rows": number}))
    await house.until(lambda: any(each.key == "late" for each in house.control.records.get(handle.id, [])))
    await handle.signal(EVENT_SIGNAL, Event("e3", "go"))
    return handle


async def approval(house: House) -> Handle:
    ask = step("ask", kind="approve", action={"quorum": 2, "form": {"rollout": {"default": 10}}, "timeout": 60.0})
    late = step("late", kind="approve", action={"timeout": 0.2, "on_timeout": "approve"})
    handle = await house.start(plan(ask, late, step("release", {"ask": "output.approved"})))
    for by in ("ada", "grace"):
        await handle.signal(ANSWER_SIGNAL, Answer("ask", True, by, {"rollout": 20}))
    return handle


async def children(house: House) -> Handle:
    """Of a map, one that fails and is tried again, and one that is cancelled with the run; then `finally`."""
    house.control.plans["inner"] = plan(step("a", inputs={"give": "${{ params.n }}"}), output="${{ steps.a.output }}")
    house.control.plans["bad"] = plan(step("a", inputs={"fail": "ExitCode"}))
    house.control.plans["long"] = plan(step("a", inputs={"hang": 1}))

    def call(name: str, workflow: str, **fields: Any) -> Any:
        return step(name, kind="workflow", action={"workflow": workflow, "version": None}, **fields)

    handle = await house.start(
        plan(
            call("mapped", "inner", map=Map([1, 2]), inputs={"n": "${{ item }}"}),
            call("bad", "bad", retry=Retry(2, delay=0.05)),
            call("long", "long"),
            step("clean", phase="finally"),
        ),
        run="recorded-children",  # as the replay calls it: the ids of children are made of it
    )
    await house.until_called(f"{handle.id}.long", "a")
    await house.until(
        lambda: any(each.key == "bad" and each.state == "failed" for each in house.control.records[handle.id])
    )
    await handle.cancel()
    return handle


async def placed(house: House) -> Handle:
    """Steps that say which goes first, what they occupy, or neither; and a child whose steps inherit."""
    house.control.plans["ranked"] = plan(step("a"), step("b", priority=5))
    call = {"kind": "workflow", "action": {"workflow": "ranked", "version": None}}
    return await house.start(
        plan(
            step("first", priority=1),
            step("large", resources={"cpu": 4.0, "memory": 8 * 2**30, "gpu": 1}, timeout=Timeout(run=60.0, queue=30.0)),
            step("usual"),
            step("child", "first", priority=2, **call),
        ),
        run="recorded-placed",
    )


async def decided_events(house: House) -> Handle:
    """Events of three kinds: one that starts a run, one whose condition is false, and a burst; then a new version."""
    house.control.plans["choosy"] = plan(step("a"))
    triggers = [EventTrigger("rows", "event.rows > 2"), EventTrigger("file", debounce=0.5, params={"by": "file"})]
    handle = await house.client.start_workflow(
        SegueTrigger.run,
        TriggerRequest("choosy", triggers=triggers, version=1),
        id="segue-trigger-choosy",
        task_queue=CONTROL_QUEUE,
    )
    for event, name, rows in (("r-1", "rows", 1), ("r-3", "rows", 3), ("f-1", "file", 0), ("f-2", "file", 0)):
        await handle.signal(FIRE_SIGNAL, Event(event, name, {"rows": rows}))
    await _event_run(house, "choosy", "f-2")
    await handle.signal(TRIGGERS_SIGNAL, TriggerUpdate(2, [EventTrigger("rows")]))
    await handle.signal(FIRE_SIGNAL, Event("r-0", "rows", {"rows": 0}))
    await _event_run(house, "choosy", "r-0")
    await handle.cancel()
    return handle


async def hold(house: House) -> Handle:
    handle = await house.start(plan(step("a", inputs={"fail": "ExitCode"}), step("b", "a"), on_failure="hold"))
    for times, action in ((1, "retry"), (2, "fail")):
        await house.until(
            lambda times=times: [each.state for each in house.control.records.get(handle.id, [])].count("held") == times
        )
        await handle.signal(RELEASE_SIGNAL, Release("a", action, "ada"))
    return handle


async def stop_on_failure(house: House) -> Handle:
    """And `finally` after it, in a plan with nested maps."""
    inner = Map("${{ row }}", "cell")
    return await house.start(
        plan(
            step("t", map=Map([[1, 2], [], [3]], "row", inner=inner), inputs={"give": "${{ cell }}"}),
            step("a", "t", inputs={"fail": "ExitCode"}),
            step("b", "t", inputs={"hang": 1}),
            step("clean", phase="finally", inputs={"give": "${{ run.state }}"}),
            on_failure="stop",
        )
    )


async def retried(house: House) -> Handle:
    """A run that goes on after its end, with a child and an item of a map that do so too; what is kept is its end."""
    house.control.plans["inner"] = plan(step("x"), step("y", "x", inputs={"broken": 1}))
    shape = plan(
        step("a", inputs={"give": 1}),
        step("m", "a", map=Map([0, 1], "n"), inputs={"broken": "${{ n }}"}),
        step("sub", "a", kind="workflow", action={"workflow": "inner", "version": None}),
        step("all", "m sub", inputs={"give": "${{ steps.a.output }}"}),
        step("clean", phase="finally"),
    )
    handle = await house.start(shape, run="recorded-retried")
    await house.ended(handle)
    return await house.retry(handle, shape)


async def operated(house: House) -> Handle:
    """A run that is paused, whose steps are skipped, marked and moved, and that goes on."""
    ask = {"kind": "approve", "action": {}}
    handle = await house.start(
        plan(
            step("ask", **ask),
            step("other", **ask),
            step("then", "ask", inputs={"give": "${{ steps.ask.output.n }}"}),
            step("hung", inputs={"hang": 1}),
            step("moved", queue="nobody"),
            step("m", map=Map([1, 2], limit=1), inputs={"hang": 1}),
        )
    )
    await house.until_called(handle.id, "hung")
    await house.until_called(handle.id, "m[0]")
    await house.operate(handle, "pause")
    await house.operate(handle, "mark", "ask", output={"n": 3})
    await house.operate(handle, "skip", "other")
    await house.operate(handle, "skip", "hung")
    await house.operate(handle, "change", "moved", queue="cpu", retry={"attempts": 2}, timeout={"run": 60.0})
    await house.operate(handle, "mark", "m[1]", output=2)
    await house.operate(handle, "skip", "m[0]")
    await house.operate(handle, "resume")
    return handle


async def rerun(house: House) -> Handle:
    """A run that takes over what another has done."""
    kept = {"a": {"run": "demo-0", "value": 1}, "m": {"run": "demo-0", "value": [1, 2]}}
    again = Operation("o", "rerun", "ada", "new code", ["b"])
    return await house.start(
        plan(step("a"), step("m", "a", map=Map([1, 2])), step("b", "m", inputs={"give": "${{ steps.m.output }}"})),
        kept=kept,
        again=again,
        cause=Cause("rerun", "demo-0"),
    )


async def _event_run(house: House, name: str, event: str) -> None:
    run = event_run_id(name, event)
    await house.until(lambda: run in house.control.records)
    await house.ended(house.client.get_workflow_handle(run))


async def waited(house: House) -> Handle:
    """A run that waits for a place, hears that the holder has changed, and then goes on."""
    first = await _limited(house, "hang")
    await house.until_called(first.id, "a")
    second = await _limited(house, "hang")
    await _until_held_by(house, second, first)
    third = await _limited(house, "give")
    await _until_held_by(house, third, first)
    await first.cancel()
    await _until_held_by(house, third, second)
    await second.cancel()
    return third


async def refused(house: House) -> Handle:
    """A run that finds no place and ends at once."""
    first = await _limited(house, "hang", key="full", when_full="skip")
    await house.until_called(first.id, "a")
    second = await _limited(house, "give", key="full", when_full="skip")
    await house.ended(second)
    await first.cancel()
    return second


async def slots(house: House) -> Handle:
    """The places of a key: one that is given back, one that a newcomer takes, one whose holder was terminated."""
    first = await _limited(house, "hang", key="slots")
    await house.until_called(first.id, "a")
    second = await _limited(house, "hang", key="slots")
    await _until_held_by(house, second, first)
    await first.cancel()
    await house.until_called(second.id, "a")
    third = await _limited(house, "hang", key="slots", when_full="cancel_oldest")
    await house.until_called(third.id, "a")
    fourth = await _limited(house, "give", key="slots")
    await _until_held_by(house, fourth, third)
    await third.terminate()
    await house.ended(fourth)
    return house.client.get_workflow_handle(slots_id("limited", "slots"))


async def _limited(house: House, act: str, key: str = "one", when_full: WhenFull = "queue") -> Handle:
    return await house.start(
        plan(step("a", inputs={act: 1}), concurrency=Concurrency(f"{key}", 1, when_full)), "limited"
    )


async def _until_held_by(house: House, waiting: Handle, holder: Handle) -> None:
    def it_says() -> bool:
        told = house.control.records.get(waiting.id)
        return bool(told) and told[-1].reason.endswith(f"held by {holder.id}")

    await house.until(it_says)


async def secrets(house: House) -> Handle:
    """A task with places for secrets, and a value beside them that looks like one."""
    return await house.start(
        plan(
            step("a", inputs={"give": {"x": "${{ '${{ secrets.A }}' }}"}}),
            step("b", "a", inputs={"give": 1}, env={"T": "${{ steps.a.output.x }} ${{ secrets.A }}"}),
        )
    )


async def reused(house: House) -> Handle:
    """A step and an item of a map whose outputs other runs have made, and a step that names files to keep."""
    made = {"run": "before-1", "step": "a", "folder": "runs/before-1/a/000.001-00000000", "at": 1_700_000_000.0}
    answer = {"value": {"n": 1}, "folder": "runs/x/a/000.001-00000000", "attempt": 1, "reused": made}
    return await house.start(
        plan(
            step("a", inputs={"answer": answer}, cache=Cache(3_600.0)),
            step("m", "a", map=Map([1, 2]), inputs={"answer": {**answer, "value": "${{ item }}"}}, cache=Cache()),
            step("b", "m", inputs={"give": "${{ steps.m.output }}"}, artifacts=("plots",)),
            output="${{ [steps.a.output, steps.b.output] }}",
        )
    )


async def ends_in_time(house: House) -> Handle:
    """A run whose history becomes too long, while a step waits for news and another for an answer: the first part."""
    names = [f"s{number}" for number in range(14)]
    handle = await house.start(
        plan(
            step("ask", kind="approve", action={"timeout": 3_600.0}),
            step("news", kind="wait", action={"event": {"name": "news"}}, timeout=Timeout(total=3_600.0)),
            step("m", map=Map(list(range(6)), "n", limit=1), inputs={"give": "${{ n }}"}),
            *(step(name, names[max(0, at - 1) : at], inputs={"give": at}) for at, name in enumerate(names)),
            step("last", "ask news m s13", inputs={"give": "${{ steps.m.output }}"}),
            concurrency=Concurrency("long"),
        ),
        "long",
        events=40,
    )
    await house.until_called(handle.id, "s13")
    await handle.signal(ANSWER_SIGNAL, Answer("ask", True, "ada"))
    await handle.signal(EVENT_SIGNAL, Event("e1", "news"))
    await house.ended(handle)
    return house.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)


async def begun_anew(house: House) -> Handle:
    """The same, and its last part."""
    handle = await ends_in_time(house)
    last = (await house.client.get_workflow_handle(handle.id).describe()).run_id
    return house.client.get_workflow_handle(handle.id, run_id=last)


BEHAVIOURS: dict[str, Callable[[House], Awaitable[Handle]]] = {
    each.__name__: each
    for each in (
        *(chain, branch, fan_out, retry, failure, cancel, deadline, lost_worker, scheduled, trigger),
        *(waits, approval, children, hold, stop_on_failure),
        *(decided_events, waited, refused, slots, secrets),
        *(retried, operated, rerun, ends_in_time, begun_anew, placed, reused),
    )
}


def anonymous(document: Any) -> Any:
    """Return a history without the machine it was recorded on: identities, sticky queues, paths in stack traces."""
    if isinstance(document, list):
        return [anonymous(each) for each in document]
    if not isinstance(document, dict):
        return document
    kept = {name: anonymous(value) for name, value in document.items() if name not in PRIVATE}
    if kept.get("kind") == "TASK_QUEUE_KIND_STICKY":
        kept["name"] = "sticky"
    return kept


async def record(names: list[str]) -> None:
    """Record the named behaviours, or all that have no file yet."""
    HISTORIES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        server = Temporal(Path(folder) / "temporal")
        server.start()
        try:
            async with House(await server.client()).open() as house:
                for name in names or BEHAVIOURS:
                    await record_one(house, name)
        finally:
            server.stop()


async def record_one(house: House, name: str) -> None:
    path = HISTORIES / f"{name}.json"
    if path.exists():
        return
    handle = await BEHAVIOURS[name](house)
    await house.ended(handle)
    document = anonymous(json.loads((await handle.fetch_history()).to_json()))
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
