"""Segue's overhead: a chain and a fan-out of no-op steps beside hand-written Temporal workflows.

Both run on the same tuned server, started here, with the same tuned workers in this one process, in alternating rounds.
The hand-written side has a client of its own with the same tuning, but the SDK's own converter. Segue's side is all of
it: the interpreter, the step activity and the recording in a SQLite database. Prints a line per shape; `ratio` is
Segue's steps per second over hand-written, by the medians of the rounds.

    python benchmarks/overhead.py [--rounds N] [--chain STEPS] [--fan-out STEPS]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.handwritten import HandwrittenChain, HandwrittenFanOut, noop
from store.settings import Settings
from workers.connection import connect
from workers.ports import choose_ports
from workers.temporal_server import server_command
from workers.worker import POLLERS, control_worker, step_worker
from workflows.messages import RunRequest
from workflows.plan import CONTROL_QUEUE, Edge, Plan, Step

SLOTS = 100
STEP_QUEUE = "cpu"
HAND_QUEUE = "handwritten"


def chain(steps: int) -> Plan:
    """Return the plan of no-op steps in a row."""
    return Plan("chain", tuple(Step(f"s{n}", "noop", needs=(Edge(f"s{n - 1}"),) if n else ()) for n in range(steps)))


def fan_out(steps: int) -> Plan:
    """Return the plan of no-op steps that need nothing."""
    return Plan("fan-out", tuple(Step(f"s{n}", "noop") for n in range(steps)))


async def segue_seconds(client: Client, plan: Plan) -> float:
    """Run a plan and return how long it took."""
    request = RunRequest(plan.workflow, version=1, plan=plan.compact())
    return await _timed(
        lambda: client.execute_workflow(
            plan.workflow, request, id=f"{plan.workflow}-{uuid.uuid4().hex[:12]}", task_queue=CONTROL_QUEUE
        )
    )


async def hand_seconds(client: Client, workflow: str, steps: int) -> float:
    """Run a hand-written workflow and return how long it took."""
    return await _timed(
        lambda: client.execute_workflow(
            workflow, args=[steps, HAND_QUEUE], id=f"hand-{uuid.uuid4().hex[:12]}", task_queue=HAND_QUEUE
        )
    )


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    begin = time.perf_counter()
    await call()
    return time.perf_counter() - begin


def hand_worker(client: Client) -> Worker:
    """Return a worker for the hand-written workflows, tuned as ours are."""
    return Worker(
        client,
        task_queue=HAND_QUEUE,
        workflows=[HandwrittenChain, HandwrittenFanOut],
        activities=[noop],
        workflow_runner=UnsandboxedWorkflowRunner(),
        workflow_task_poller_behavior=POLLERS,
        activity_task_poller_behavior=POLLERS,
        max_concurrent_activities=SLOTS,
        max_eager_activity_reservations_per_workflow_task=100,
    )


async def measure(settings: Settings, rounds: int, sizes: dict[str, int]) -> None:
    """Run the rounds and print a line per shape."""
    client = await connect(settings, "benchmark")
    by_hand = await connect(settings, "by-hand", DataConverter.default)
    shapes = [
        ("chain", chain(sizes["chain"]), HandwrittenChain.__name__),
        ("fan-out", fan_out(sizes["fan-out"]), HandwrittenFanOut.__name__),
    ]
    async with (
        control_worker(client, settings) as control,
        control,
        step_worker(client, settings, STEP_QUEUE, SLOTS),
        hand_worker(by_hand),
    ):
        for shape, plan, workflow in shapes:
            steps = len(plan.steps)
            ours, theirs = [], []
            for number in range(rounds + 1):
                seconds = await segue_seconds(client, plan), await hand_seconds(by_hand, workflow, steps)
                if number:  # the first round warms up
                    ours.append(steps / seconds[0])
                    theirs.append(steps / seconds[1])
            segue, hand = statistics.median(ours), statistics.median(theirs)
            print(
                f"{shape} of {steps} no-op steps: segue {segue:.1f} steps/s, hand-written {hand:.1f} steps/s, "
                f"{rounds} rounds, ratio {segue / hand:.2f}",
                flush=True,
            )


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[Settings]:
    """Run a tuned server that keeps everything in a folder; yield what the workers need to know."""
    port = choose_ports(folder / "ports.json", {"temporal": None})["temporal"]
    server = subprocess.Popen(
        server_command(folder / "temporal.db", port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield Settings(
            temporal_address=f"127.0.0.1:{port}",
            database_url=f"sqlite+aiosqlite:///{folder / 'segue.db'}",
            object_store=(folder / "objects").as_uri(),
            cache_dir=folder / "cache",
        )
    finally:
        server.terminate()
        server.wait(20)


def main() -> None:
    """Start a server in a temporary folder, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chain", type=int, default=100, metavar="STEPS")
    parser.add_argument("--fan-out", type=int, default=500, metavar="STEPS")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="segue-benchmark-") as name, running_server(Path(name)) as settings:
        asyncio.run(measure(settings, options.rounds, {"chain": options.chain, "fan-out": options.fan_out}))


if __name__ == "__main__":
    main()
