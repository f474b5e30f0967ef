"""Large runs: a chain, a fan-out and a layered DAG of ten thousand no-op steps, from start to end.

On the same server and workers as `overhead.py`, all of Segue's side included. Prints a line per shape: steps a second,
how many executions the run took and how long the longest history was (Temporal's bound is 10,240 events), and what the
control worker's memory grew by for each run that stays in its cache.

    python benchmarks/large.py [--steps STEPS] [--shapes chain,fan-out,layered] [--cached RUNS]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowHistoryEventFilterType

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.overhead import chain, fan_out, running_server
from workers.connection import connect
from workers.worker import control_worker, step_worker
from workflows.messages import SNAPSHOT_QUERY, RunRequest
from workflows.packing import packed_request
from workflows.plan import CONTROL_QUEUE, Edge, Plan, Step

SLOTS = 100
WIDTH = 100
NEEDS = 3


@dataclass(frozen=True)
class Measured:
    """One run."""

    seconds: float
    histories: list[int]


def layered(steps: int) -> Plan:
    """Return the plan of layers of a hundred steps, each of which needs three of the layer before."""
    found = []
    for number in range(steps):
        row, column = divmod(number, WIDTH)
        needs = [f"s{(row - 1) * WIDTH + (column + each) % WIDTH}" for each in range(NEEDS)] if row else []
        found.append(Step(f"s{number}", "noop", needs=tuple(Edge(need) for need in needs)))
    return Plan("layered", tuple(found))


SHAPES = {"chain": chain, "fan-out": fan_out, "layered": layered}


async def start(client: Client, plan: Plan) -> WorkflowHandle[Any, Any]:
    """Start a run as the API does."""
    request = packed_request(RunRequest(plan.workflow, version=1, plan=plan.compact()))
    run = f"{plan.workflow}-{uuid.uuid4().hex[:12]}"
    return await client.start_workflow(plan.workflow, request, id=run, task_queue=CONTROL_QUEUE)


async def measured(client: Client, plan: Plan) -> Measured:
    """Run a plan to its end."""
    begin = time.perf_counter()
    handle = await start(client, plan)
    await handle.result()
    return Measured(time.perf_counter() - begin, await histories(client, handle))


async def histories(client: Client, handle: WorkflowHandle[Any, Any]) -> list[int]:
    """Return how long each execution's history is."""
    run_id: str | None = handle.first_execution_run_id
    found = []
    while run_id:
        execution = client.get_workflow_handle(handle.id, run_id=run_id)
        found.append((await execution.describe()).history_length)
        last = WorkflowHistoryEventFilterType.CLOSE_EVENT
        async for event in execution.fetch_history_events(event_filter_type=last):
            run_id = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


async def cached_run_bytes(client: Client, steps: int, runs: int) -> float:
    """Return how much memory a run takes that waits in the middle of a large plan."""
    ask = Step("ask", "approve")
    steps_after = (Step(each.id, each.kind, needs=(*each.needs, Edge("ask"))) for each in layered(steps).steps)
    plan = Plan("cached", (ask, *steps_after))
    await _wait_asking(client, [await start(client, plan)])
    before = resident_bytes()
    handles = [await start(client, plan) for _ in range(runs)]
    await _wait_asking(client, handles)
    grown = resident_bytes() - before
    for handle in handles:
        await handle.terminate()
    return grown / runs


async def _wait_asking(client: Client, handles: list[WorkflowHandle[Any, Any]]) -> None:
    for handle in handles:
        while not await handle.query(SNAPSHOT_QUERY):
            pass


def resident_bytes() -> int:
    """Return this process's memory, the workers' included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel does not say how much memory this process has")


def _shapes(text: str) -> list[str]:
    unknown = [name for name in text.split(",") if name not in SHAPES]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no shape {unknown[0]!r}; there are {', '.join(SHAPES)}")
    return text.split(",")


async def main(steps: int, shapes: list[str], runs: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="segue-large-") as name, running_server(Path(name)) as settings:
        client = await connect(settings, "benchmark")
        async with control_worker(client, settings) as control, control, step_worker(client, settings, "cpu", SLOTS):
            for shape in shapes:
                found = await measured(client, SHAPES[shape](steps))
                print(
                    f"{shape:8} {steps:,} steps in {found.seconds:6.1f} s, {steps / found.seconds:5.0f} steps/s, "
                    f"{len(found.histories)} executions, at most {max(found.histories):,} events",
                    flush=True,
                )
            grown = await cached_run_bytes(client, steps - 1, runs)
            print(f"a cached run of {steps:,} steps takes {grown / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--shapes", default=",".join(SHAPES), type=_shapes, metavar="SHAPE,...")
    parser.add_argument("--cached", type=int, default=5)
    given = parser.parse_args()
    asyncio.run(main(given.steps, given.shapes, given.cached))
