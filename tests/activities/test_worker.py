"""Steps on a real Temporal server, in worker processes that are stopped and killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.activities.conftest import Steps
from tests.activities.service import Service, job
from tests.servers import Temporal
from workflows.messages import StepResult, StepTask

CONTROL = "test-control"


@workflow.defn(name="one-step")
class OneStep:
    """Runs one step as the interpreter does."""

    @workflow.run
    async def run(self, task: StepTask, queue: str, attempts: int) -> StepResult:
        return await workflow.execute_activity(
            task.kind,
            task,
            result_type=StepResult,
            task_queue=queue,
            start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=2),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_attempts=attempts),
        )


@pytest.fixture(scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Client, str]]:
    """A client of a Temporal server with a worker for the workflow above, and the server's address."""
    server = Temporal(tmp_path_factory.mktemp("temporal"))
    server.start()
    try:
        client = await server.client()
        runner = UnsandboxedWorkflowRunner()
        async with Worker(client, task_queue=CONTROL, workflows=[OneStep], workflow_runner=runner):
            yield client, server.address
    finally:
        server.stop()


class Fleet:
    """Worker processes of one queue over the store and cache of `steps`."""

    def __init__(self, client: Client, address: str, steps: Steps) -> None:
        self.client = client
        self.steps = steps
        self.queue = f"q-{uuid.uuid4()}"
        self.env = os.environ | {
            "SEGUE_TEMPORAL_ADDRESS": address,
            "SEGUE_OBJECT_STORE": steps.objects.url,
            "SEGUE_CACHE_DIR": str(steps.folder / "cache"),
        }

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        program = f"from workers.worker import Offer, main; main([{self.queue!r}], Offer(4))"
        with subprocess.Popen([sys.executable, "-c", program], env=self.env, stderr=subprocess.PIPE) as process:
            try:
                yield process
            finally:
                process.kill()

    async def start(
        self, kind: str, attempts: int = 1, lost: str | None = None, **fields: Any
    ) -> WorkflowHandle[OneStep, StepResult]:
        """Start a step; after the run `lost`, whose step was handed back, as the interpreter schedules it anew."""
        run = lost or f"r-{uuid.uuid4()}"
        place = {"run": run, "workflow": "w", "version": 1, "step": "s", "key": "s", "generation": 1 if lost else 0}
        return await self.client.start_workflow(
            OneStep.run,
            args=[StepTask(kind=kind, **place, **fields), self.queue, attempts],
            id=f"{run}-anew" if lost else run,
            task_queue=CONTROL,
        )

    async def logged(self, handle: WorkflowHandle[Any, Any], text: str) -> None:
        """Wait until the step has logged a line."""
        async with asyncio.timeout(30):
            while True:
                keys = [info.key for info in self.steps.objects.list(f"runs/{handle.id}/") if "ndjson" in info.key]
                if any(text.encode() in self.steps.objects.get(key) for key in keys):
                    return
                await asyncio.sleep(0.05)


@pytest.fixture
def fleet(temporal: tuple[Client, str], steps: Steps) -> Fleet:
    return Fleet(*temporal, steps)


async def test_cancel_of_the_run_reaches_the_process(fleet: Fleet, marked: Callable[[str], list[int]]) -> None:
    mark = f"MARK=c{uuid.uuid4()}"
    script = "trap 'echo asked' TERM; echo here; while true; do sleep 0.1; done"
    with fleet.worker():
        handle = await fleet.start("shell", action={"script": script}, env=dict([mark.split("=")]))
        await fleet.logged(handle, "here")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await asyncio.wait_for(handle.result(), 30)  # long before the step's own time is over
        assert marked(mark) == []
        [folder] = {info.key.rpartition("/logs/")[0] for info in fleet.steps.objects.list(f"runs/{handle.id}/")}
        assert fleet.steps.log(folder, "stdout") == ["here", "asked"]
        assert "logs/end" in fleet.steps.names(folder)


async def test_step_of_a_killed_worker_runs_again_on_another(
    fleet: Fleet, marked: Callable[[str], list[int]], tmp_path: Path
) -> None:
    mark = f"MARK=k{uuid.uuid4()}"
    script = """
        echo here
        if mkdir "$FLAG"; then (setsid sleep 1000 &); sleep 1000; fi
        echo "n=$SEGUE_ATTEMPT" >> "$SEGUE_OUTPUT"
    """
    env = {"FLAG": str(tmp_path / "once"), **dict([mark.split("=")])}
    with fleet.worker() as first:
        handle = await fleet.start("shell", attempts=2, action={"script": script}, env=env)
        await fleet.logged(handle, "here")
        assert len(marked(mark)) >= 3
        first.kill()
    async with asyncio.timeout(30):
        while marked(mark):
            await asyncio.sleep(0.02)
    with fleet.worker():
        result = await asyncio.wait_for(handle.result(), 30)
    assert (result.value, result.attempt) == ({"n": "2"}, 2)
    assert "/000.002-" in result.folder


async def test_stopped_worker_hands_its_step_back_and_ends(fleet: Fleet) -> None:
    with fleet.worker() as only:
        handle = await fleet.start("shell", attempts=3, action={"script": "echo here; sleep 1000"})
        await fleet.logged(handle, "here")
        only.terminate()
        error = await failure(handle)
        # The worker said so itself: nobody had to wait until its heartbeats were missed. Temporal tries it no further,
        # since the run schedules it anew with all its attempts.
        assert (error.type, error.non_retryable) == ("WorkerLost", True)
        assert await asyncio.to_thread(only.wait, 30) == 0


async def test_remote_job_of_a_stopped_worker_is_gone_on_with_by_another(fleet: Fleet, service: Service) -> None:
    with fleet.worker() as first:
        handle = await fleet.start("http", action=job(service))
        await fleet.logged(handle, "/jobs/1")
        first.terminate()
        assert (await failure(handle)).type == "WorkerLost"
        assert await asyncio.to_thread(first.wait, 30) == 0
    with fleet.worker():
        service.jobs["1"]["state"] = "done"
        again = await fleet.start("http", lost=handle.id, action=job(service))
        result = await asyncio.wait_for(again.result(), 30)
    assert (result.value["json"]["state"], result.attempt) == ("done", 2)
    assert service.seen("POST") == ["/jobs"]


async def test_remote_job_outlives_the_worker_that_submitted_it(fleet: Fleet, service: Service) -> None:
    with fleet.worker() as first:
        handle = await fleet.start("http", attempts=2, action=job(service))
        await fleet.logged(handle, "/jobs/1")
        first.kill()
    with fleet.worker():
        polls = service.jobs["1"]["polls"]
        async with asyncio.timeout(30):
            while service.jobs["1"]["polls"] <= polls:
                await asyncio.sleep(0.02)
        service.jobs["1"]["state"] = "done"
        result = await handle.result()
    assert (result.value["json"]["state"], result.attempt) == ("done", 2)
    assert service.seen("POST") == ["/jobs"]


async def test_failed_remote_job_is_submitted_anew_by_the_next_attempt(fleet: Fleet, service: Service) -> None:
    with fleet.worker():
        handle = await fleet.start("http", attempts=2, action=job(service))
        async with asyncio.timeout(30):
            for name, state in (("1", "failed"), ("2", "done")):
                while name not in service.jobs:
                    await asyncio.sleep(0.02)
                service.jobs[name]["state"] = state
        result = await handle.result()
    assert result.attempt == 2
    assert service.seen("POST") == ["/jobs", "/jobs"]


async def test_failure_arrives_with_its_facts_and_without_our_frames(fleet: Fleet) -> None:
    with fleet.worker() as worker:
        handle = await fleet.start("shell", attempts=2, action={"script": "echo oh no >&2; exit 3"})
        error = await failure(handle)
        worker.terminate()
        assert worker.stderr is not None
        told = (await asyncio.to_thread(worker.stderr.read)).decode()
    detail, result = error.details
    assert (error.type, error.message) == ("ExitCode", "the script ended with code 3: oh no")
    assert detail == {"exit_code": 3, "log_tail": ["oh no"]}
    assert set(result) == set(asdict(StepResult()))
    assert (result["attempt"], result["folder"].split("/")[-1][:8]) == (2, "000.002-")
    assert error.failure.stack_trace == ""
    assert "Traceback" not in told


async def failure(handle: WorkflowHandle[Any, Any]) -> Any:
    """Return the application error that ended the step."""
    with pytest.raises(WorkflowFailureError) as caught:
        await asyncio.wait_for(handle.result(), 30)
    assert isinstance(caught.value.cause, ActivityError)
    assert isinstance(caught.value.cause.cause, ApplicationError)
    return caught.value.cause.cause
