"""Steps run for real: operators, processes and a store on disk, with Temporal's activity context around them."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.activity import ActivityCancellationDetails
from temporalio.testing import ActivityEnvironment

from activities.entering import Others
from activities.errors import StepFailure
from activities.room import Machine, Room
from activities.step import StepActivities
from store.objects import ObjectStore, open_object_store
from tests.activities.service import Service, running_service
from workflows.messages import StepResult, StepTask

MACHINE = Machine(4, 8 * 2**30, ("0", "1"))


class Running:
    """One attempt, in its activity environment."""

    def __init__(self, environment: ActivityEnvironment) -> None:
        self.environment = environment
        self.heartbeats: list[tuple[Any, ...]] = []
        environment.on_heartbeat = lambda *details: self.heartbeats.append(details)

    def cancel(self) -> None:
        self.environment.cancel(ActivityCancellationDetails(cancel_requested=True))

    def stop_worker(self) -> None:
        self.environment.cancel(ActivityCancellationDetails(worker_shutdown=True))


class Steps:
    """A worker's step activities over a store and a cache of their own."""

    def __init__(
        self,
        folder: Path,
        python: str | None = None,
        machine: Machine | None = None,
        others: Others | None = None,
        public_url: str | None = None,
        objects: ObjectStore | None = None,
    ) -> None:
        self.folder = folder
        self.objects: ObjectStore = objects or open_object_store((folder / "objects").as_uri())
        room = Room(machine or MACHINE)
        self.activities = StepActivities(self.objects, folder / "cache", python, "cpu@here:1", room, others, public_url)
        self.by_kind = {_kind(run_step): run_step for run_step in self.activities.all()}
        self._runs = count(1)
        self.last: Running | None = None

    def bundle(self, files: Mapping[str, str]) -> str:
        """Store a bundle of these files and return its sha256."""
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        digest = hashlib.sha256(data.getvalue()).hexdigest()
        self.objects.put(f"bundles/{digest}.zip", data.getvalue())
        return digest

    def start(self, kind: str, info: Mapping[str, Any] | None = None, **fields: Any) -> tuple[Running, Any]:
        """Return an attempt and the coroutine that runs it; every call is another run of Temporal's."""
        environment = ActivityEnvironment()
        given = {
            "workflow_run_id": f"{next(self._runs):08}-4cd1",
            "start_to_close_timeout": timedelta(seconds=60),
            "heartbeat_timeout": timedelta(seconds=3),
            **(info or {}),
        }
        environment.info = dataclasses.replace(environment.info, **given)
        base = {
            "run": "demo-1",
            "workflow": "demo",
            "version": 1,
            "step": "s",
            "key": "s",
            "generation": 0,
            "action": {},
        }
        task = StepTask(**{**base, "kind": kind, **fields})
        return Running(environment), environment.run(self.by_kind[kind], task)

    async def start_task(self, task: StepTask) -> StepResult:
        """Run one attempt of a task to its end."""
        return await self.run(**dataclasses.asdict(task))

    async def run(self, kind: str, info: Mapping[str, Any] | None = None, **fields: Any) -> StepResult:
        """Run one attempt to its end."""
        self.last, attempt = self.start(kind, info, **fields)
        result: StepResult = await attempt
        return result

    async def shell(self, script: str, **fields: Any) -> StepResult:
        return await self.run("shell", action={"script": script}, **fields)

    async def python(self, code: str, function: str = "f", **fields: Any) -> StepResult:
        """Run `function` of a module with this code."""
        return await self.run(
            "python", action={"callable": f"m:{function}"}, bundle=self.bundle({"m.py": code}), **fields
        )

    async def failure(self, attempt: Any) -> StepFailure:
        """Run an attempt that must fail, and return its failure as Temporal gets it."""
        with pytest.raises(StepFailure) as caught:
            await attempt
        return caught.value

    def names(self, folder: str) -> list[str]:
        return sorted(info.key.removeprefix(folder + "/") for info in self.objects.list(folder + "/"))

    def log(self, folder: str, stream: str | None = None) -> list[str]:
        """Return the lines of an attempt's log."""
        lines = []
        for name in self.names(folder):
            if name.endswith(".ndjson"):
                lines += [
                    json.loads(line) for line in self.objects.get(f"{folder}/{name}").decode().split("\n") if line
                ]
        return [line["text"] for line in lines if stream in (None, line["stream"])]

    def document(self, result: StepResult) -> Any:
        """Return the output document, which must be what its reference says."""
        assert result.output is not None
        data = self.objects.get(result.output["key"])
        assert (len(data), hashlib.sha256(data).hexdigest()) == (result.output["size"], result.output["sha256"])
        return json.loads(data)

    def scratch_folders(self) -> list[Path]:
        """Return the folders of attempts that are still there."""
        return list((self.folder / "cache" / "run").glob("*/[0-9]*"))


def _kind(run_step: Callable[..., Any]) -> str:
    definition = activity._Definition.from_callable(run_step)
    assert definition is not None
    assert definition.name is not None
    return definition.name


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    return Steps(tmp_path)


@pytest.fixture
def marked() -> Callable[[str], list[int]]:
    """Find processes whose environment has a mark: whatever a step did to its parent, group or session."""

    def find(mark: str) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark.encode() in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                    found.append(int(entry.parent.name))
            except OSError:
                continue
        return found

    return find


@pytest.fixture
def service() -> Iterator[Service]:
    with running_service() as running:
        yield running
