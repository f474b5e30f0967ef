"""The client: deploys workflows, starts runs and follows them, over the service's HTTP API."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from segue import calls
from segue.client_base import ClientBase, checked, is_file
from segue.discovery import Address, find_service
from segue.errors import NotFound
from segue.event_stream import EventStream
from segue.fleet import Fleet
from segue.kept import KeptOperations
from segue.log_tail import read_log
from segue.measures import Series
from segue.models import Deployed, FiredEvent, LogLine, Run, RunEvent, RunSummary, Workflow
from segue.run_operations import RunOperations
from segue.submission import Definition, read_definition
from segue.transport import Lost, Transport


@dataclass(frozen=True)
class RunHandle:
    """A run that was started: a way to follow it."""

    client: Client
    id: str
    workflow: str

    @property
    def url(self) -> str:
        """The address of its page."""
        return self.client.run_url(self.id)

    def get(self) -> Run:
        """Return the run as it is now."""
        return self.client.get_run(self.id)

    def wait(self, timeout: float | None = None, *, check: bool = True) -> Run:
        """Wait for the run's end; see `Client.wait`."""
        return self.client.wait(self.id, timeout, check=check)

    def cancel(self, reason: str = "") -> Run:
        """Ask the run to cancel; its end follows a moment later."""
        return self.client.cancel(self.id, reason)

    def events(self, after: int = 0) -> Iterator[RunEvent]:
        """Follow the run; see `Client.events`."""
        return self.client.events(self.id, after)

    def logs(self, step: str, *, attempt: str | int | None = None, follow: bool = False) -> Iterator[LogLine]:
        """Read a step's log; see `Client.logs`."""
        return self.client.logs(self.id, step, attempt=attempt, follow=follow)

    def metrics(self, step: str, *, attempt: str | None = None) -> dict[str, Series]:
        """Return what a step has measured of itself; see `Client.metrics`."""
        return self.client.metrics(self.id, step, attempt=attempt)

    def output(self, step: str) -> Any:
        """Return a step's whole output."""
        return self.client.output(self.id, step)


class Client(RunOperations, KeptOperations, ClientBase):
    """A connection to a Segue service; may be used in a `with` block, and from several threads.

    Args:
        api_url: The service's address; without it `SEGUE_API_URL`, else the `segue dev` of this folder or one above.
        api_key: Its API key; without it `SEGUE_API_KEY`, else that of the same `segue dev`.
        address: Both at once, from `find_service`.
        patience: Seconds for which a service that does not answer is asked again.

    Raises:
        ServiceUnreachable: No service is known here.
        MissingPackage: httpx is not installed.
    """

    def __init__(
        self,
        api_url: str | None = None,
        api_key: str | None = None,
        *,
        address: Address | None = None,
        patience: float = 1.0,
    ) -> None:
        super().__init__(address or find_service(api_url, api_key))
        self._transport = Transport(self.address, patience)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def deploy(self, path: str | Path, *, name: str | None = None) -> Deployed:
        """Store the definition in a file as its workflow's newest version.

        A Python file is evaluated in a child process. Deploying what is there already changes nothing.

        Args:
            path: A YAML or Python file.
            name: Which workflow is meant, when the file has several.

        Raises:
            InvalidDefinition: With everything that is wrong with it.
            InvalidBundle: Its code cannot be packed.
        """
        return self.submit(read_definition(Path(path), name))

    def submit(self, definition: Definition) -> Deployed:
        """Deploy a definition that was read before."""
        bundle = definition.bundle()
        if bundle is not None:
            try:
                self._transport.send(calls.has_bundle(bundle.sha256))
            except NotFound:
                self._transport.send(calls.put_bundle(bundle.sha256, bundle.data))
        sha256 = bundle.sha256 if bundle is not None else None
        files = definition.translated.files
        return self._transport.send(calls.deploy(definition.source, definition.document, sha256, files))

    def run(
        self,
        workflow: str | Path,
        params: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        wait: bool = False,
        idempotency_key: str | None = None,
    ) -> RunHandle:
        """Start a run.

        Args:
            workflow: A workflow's name, or the file of its definition, which is then deployed first.
            params: By name.
            version: Which version runs; the newest without it.
            wait: Whether to wait for the end, and raise `RunFailed` when it is not a good one.
            idempotency_key: The same key and arguments start one run, however often they are sent.

        Raises:
            NotFound: There is no such workflow or version.
            InvalidParams: The params do not fit it.
        """
        if is_file(workflow):
            deployed = self.deploy(workflow)
            workflow, version = deployed.name, deployed.version
        run = self._transport.send(calls.start_run(str(workflow), params or {}, version, idempotency_key))
        handle = self.handle(run.id, run.workflow)
        if wait:
            handle.wait()
        return handle

    def handle(self, run: str, workflow: str = "") -> RunHandle:
        """Return a handle of a run that was started elsewhere; nothing is asked."""
        return RunHandle(self, run, workflow)

    def wait(self, run: str, timeout: float | None = None, *, check: bool = True) -> Run:
        """Wait for a run's end and return it. A service that is away for a minute is waited for.

        Args:
            run: Its id.
            timeout: Seconds to wait at most.
            check: Whether a run that did not succeed is an error.

        Raises:
            RunFailed: The run failed or was cancelled.
            WaitTimeout: It has not ended in time; it goes on.
        """
        found = self.get_run(run)
        if not found.ended:
            deadline = None if timeout is None else time.monotonic() + timeout
            for _ in self._follow(EventStream(run, found.seq, deadline=deadline)):
                pass
            found = self.get_run(run)
        return checked(found) if check else found

    def events(self, run: str, after: int = 0) -> Iterator[RunEvent]:
        """Yield what happens to a run until it has ended, without gaps, across lost connections.

        Args:
            run: Its id.
            after: Number of the last event that is known; 0 yields all from the start.
        """
        return self._follow(EventStream(run, after))

    def runs(self, workflow: str | None = None, *, state: str | None = None, limit: int = 50) -> list[RunSummary]:
        """Return runs, newest first."""
        found: list[RunSummary] = []
        cursor = None
        for size in calls.pages(limit):
            page, cursor = self._transport.send(calls.list_runs(workflow, state, size, cursor))
            found += page
            if cursor is None:
                break
        return found

    def get_run(self, run: str) -> Run:
        """Return a run with its steps."""
        return self._transport.send(calls.get_run(run))

    def cancel(self, run: str, reason: str = "") -> Run:
        """Ask a run to cancel; its end follows a moment later."""
        return self._transport.send(calls.cancel_run(run, reason))

    def answer(
        self,
        run: str,
        step: str,
        approved: bool,
        values: Mapping[str, Any] | None = None,
        comment: str = "",
    ) -> None:
        """Answer an `approve` step.

        Args:
            run: The run's id.
            step: The step's key, such as `approve` or `approve[3]`.
            approved: Yes or no.
            values: The step's form, filled in; what is left out takes its default.
            comment: Why; shown with the step.

        Raises:
            Conflict: The step waits for no approval.
            InvalidParams: The values do not fit the form.
        """
        self._transport.send(calls.answer_step(run, step, approved, values or {}, comment))

    def release(self, run: str, step: str, action: Literal["retry", "fail"]) -> None:
        """Decide about a step that failed and is held: have it tried again, or let it fail.

        Raises:
            Conflict: The step is not held.
        """
        self._transport.send(calls.release_step(run, step, action))

    def send_event(self, run: str, event_id: str, name: str, payload: Any = None) -> None:
        """Show a run an event, for its `wait` steps; one that begins later sees it too."""
        self._transport.send(calls.send_event(run, event_id, name, payload))

    def logs(self, run: str, step: str, *, attempt: str | int | None = None, follow: bool = False) -> Iterator[LogLine]:
        """Yield the lines that a step wrote.

        Args:
            run: The run's id.
            step: The step's key, such as `train` or `train[3]`.
            attempt: An attempt's name, or its place from 1; without it, the newest.
            follow: Whether to wait for lines to come until the step has ended, all further attempts included.
        """
        script = read_log(run, step, attempt, follow)
        answer: Any = None
        while True:
            try:
                wish = script.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(wish, calls.Call):
                answer = self._transport.send(wish)
            elif isinstance(wish, float):
                time.sleep(wish)
            else:
                yield wish

    def metrics(self, run: str, step: str, *, attempt: str | None = None) -> dict[str, Series]:
        """Return what a step has measured of itself by `segue.metric`, by name.

        Args:
            run: The run's id.
            step: The step's key, such as `train` or `train[3]`.
            attempt: An attempt's name; without it, the series of all attempts are joined.
        """
        return self._transport.send(calls.get_metrics(run, step, attempt))

    def output(self, run: str, step: str) -> Any:
        """Return a step's whole output, however large."""
        return self._transport.send(calls.get_output(run, step))

    def workflows(self) -> list[Workflow]:
        """Return all workflows."""
        return self._transport.send(calls.list_workflows())

    def get_workflow(self, name: str) -> Workflow:
        """Return one workflow."""
        return self._transport.send(calls.get_workflow(name))

    def get_plan(self, name: str, version: int) -> dict[str, Any]:
        """Return what runs in a version, as JSON."""
        return self._transport.send(calls.get_plan(name, version))

    def fire_event(self, workflow: str, event_id: str, payload: Any = None, *, name: str | None = None) -> str:
        """Send an event to a workflow's event trigger; return the id of the run that it starts, or would.

        The same event id starts one run, however often it is sent. `fire` says whether it does.
        """
        return (self.fire(workflow, event_id, payload, name=name)).run

    def fire(self, workflow: str, event_id: str, payload: Any = None, *, name: str | None = None) -> FiredEvent:
        """Send an event as `fire_event` does; return what became of it."""
        return self._transport.send(calls.fire_event(workflow, event_id, payload, name))

    def get_fired_event(self, workflow: str, event_id: str) -> FiredEvent:
        """Return what became of an event that was sent before.

        Raises:
            NotFound: It was never sent, or started no run and is forgotten.
        """
        return self._transport.send(calls.get_fired_event(workflow, event_id))

    def queues(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return the workers that serve each of some queues, by the queue's name; at most 50 at a time."""
        return self._transport.send(calls.list_queues([*names]))

    def fleet(self, queues: Iterable[str] = ()) -> Fleet:
        """Return the queues that somebody serves or in which steps wait, or those that are named, and their workers."""
        return self._transport.send(calls.get_fleet([*queues]))

    def vars(self) -> dict[str, Any]:
        """Return all variables of the service."""
        return self._transport.send(calls.list_vars())

    def set_var(self, name: str, value: Any) -> None:
        """Set a variable; runs that are started from now on see it."""
        self._transport.send(calls.set_var(name, value))

    def delete_var(self, name: str) -> None:
        """Remove a variable."""
        self._transport.send(calls.delete_var(name))

    def _follow(self, stream: EventStream) -> Iterator[RunEvent]:
        while not stream.ended:
            try:
                for line in self._transport.lines(stream.call(), stream.silence()):
                    event = stream.feed(line)
                    if event is not None:
                        yield event
            except Lost:
                pass
            if not stream.ended:
                time.sleep(stream.interrupted())
