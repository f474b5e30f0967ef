"""Every call of the service's API, as data: what to send, and how to read the answer.

No I/O happens here, so that the sync and the async client share all of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

from segue.errors import (
    Conflict,
    Diagnostic,
    InvalidDefinition,
    InvalidParams,
    NotFound,
    SegueError,
    ServiceUnreachable,
    SubmitError,
    Unauthorized,
    UnexpectedAnswer,
)
from segue.fleet import Fleet
from segue.measures import Series
from segue.models import Deployed, FiredEvent, LogPage, Run, RunSummary, Workflow
from segue.rerun import Rerun

T = TypeVar("T")
PREFIX = "/api/v1"

UNFIT = {
    "params_invalid": "The params do not fit the workflow.",
    "values_invalid": "The values do not fit the step's form.",
}


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request. Every one of them may be sent again: the second time changes nothing.

    Attributes:
        read: Turns the answer's JSON into what the caller gets.
        content: A body of bytes, instead of `json`.
    """

    method: str
    path: str
    read: Callable[[Any], T]
    query: Mapping[str, str | list[str]] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def deploy(
    source: Mapping[str, Any], document: Mapping[str, Any] | None, bundle: str | None, files: Mapping[str, str]
) -> Call[Deployed]:
    """Store a definition, with the files of shared steps that it uses, as its workflow's newest version."""
    body = {"source": dict(source), "document": document, "bundle": bundle, "files": dict(files)}
    return Call("POST", "/workflows", Deployed.from_json, json=body)


def has_bundle(sha256: str) -> Call[bool]:
    """Ask whether a bundle is stored; its absence is a `NotFound`."""
    return Call("HEAD", f"/bundles/{sha256}", lambda _: True)


def put_bundle(sha256: str, data: bytes) -> Call[None]:
    """Store a bundle."""
    return Call("PUT", f"/bundles/{sha256}", _nothing, content=data, headers={"Content-Type": "application/zip"})


def start_run(workflow: str, params: Mapping[str, Any], version: int | None, key: str | None) -> Call[Run]:
    """Start a run; the same key and body start one run, however often they are sent."""
    body = {"workflow": workflow, "params": dict(params), **({"version": version} if version is not None else {})}
    return Call("POST", "/runs", Run.from_json, json=body, headers={"Idempotency-Key": key or uuid4().hex})


def list_runs(
    workflow: str | None, state: str | None, limit: int, cursor: str | None
) -> Call[tuple[list[RunSummary], str | None]]:
    """Return a page of runs, newest first, and the cursor of the next."""
    query = {"workflow": workflow, "state": state, "limit": str(limit), "cursor": cursor}
    return Call("GET", "/runs", _runs, query={name: value for name, value in query.items() if value is not None})


def get_run(run: str) -> Call[Run]:
    """Return a run with its steps."""
    return Call("GET", f"/runs/{_part(run)}", Run.from_json)


def cancel_run(run: str, reason: str) -> Call[Run]:
    """Ask a run to cancel."""
    return Call("POST", f"/runs/{_part(run)}/cancel", Run.from_json, json={"reason": reason})


def answer_step(run: str, step: str, approved: bool, values: Mapping[str, Any], comment: str) -> Call[None]:
    """Answer an `approve` step."""
    body = {"approved": approved, "values": dict(values), "comment": comment}
    return Call("POST", f"/runs/{_part(run)}/steps/{_part(step)}/answer", _nothing, json=body)


def release_step(run: str, step: str, action: str) -> Call[None]:
    """Decide about a held step."""
    return Call("POST", f"/runs/{_part(run)}/steps/{_part(step)}/release", _nothing, json={"action": action})


def operate(run: str, operation: str, body: Mapping[str, Any], key: str | None, step: str | None = None) -> Call[str]:
    """Do something to a run, or to one of its steps; the answer is the run's state after it."""
    place = f"/runs/{_part(run)}" if step is None else f"/runs/{_part(run)}/steps/{_part(step)}"
    headers = {"Idempotency-Key": key or uuid4().hex}
    given = {name: value for name, value in body.items() if value is not None or name == "output"}
    return Call("POST", f"{place}/{operation}", lambda found: str(found["state"]), json=given, headers=headers)


def rerun(
    run: str, steps: Sequence[str], params: Mapping[str, Any], version: int | None, reason: str, key: str | None
) -> Call[Rerun]:
    """Start a run that takes over what another has done."""
    body = {"from": list(steps), "params": dict(params), "version": version, "reason": reason}
    headers = {"Idempotency-Key": key or uuid4().hex}
    return Call("POST", f"/runs/{_part(run)}/rerun", Rerun.from_json, json=body, headers=headers)


def send_event(run: str, event: str, name: str, payload: Any) -> Call[None]:
    """Show a run an event."""
    body = {"id": event, "name": name, "payload": payload}
    return Call("POST", f"/runs/{_part(run)}/events", _nothing, json=body)


def follow_run(run: str, after: int) -> Call[None]:
    """Open a run's event stream."""
    headers = {"Accept": "text/event-stream"}
    return Call("GET", f"/runs/{_part(run)}/events", _nothing, query={"after": str(after)}, headers=headers)


def get_logs(run: str, step: str, attempt: str | None, after: int) -> Call[LogPage]:
    """Return a page of an attempt's log."""
    query = {"after": str(after), **({"attempt": attempt} if attempt else {})}
    return Call("GET", f"/runs/{_part(run)}/steps/{_part(step)}/logs", LogPage.from_json, query=query)


def get_metrics(run: str, step: str, attempt: str | None = None) -> Call[dict[str, Series]]:
    """Return the series of a step's metrics by name."""
    path = f"/runs/{_part(run)}/steps/{_part(step)}/metrics"
    query = {"attempt": attempt} if attempt else {}
    return Call("GET", path, _series_by_name, query=query)


def get_output(run: str, step: str) -> Call[Any]:
    """Return a step's whole output."""
    return Call("GET", f"/runs/{_part(run)}/steps/{_part(step)}/output", _as_it_is)


def list_workflows() -> Call[list[Workflow]]:
    """Return all workflows."""
    return Call("GET", "/workflows", lambda found: [Workflow.from_json(each) for each in found["workflows"]])


def get_workflow(name: str) -> Call[Workflow]:
    """Return one workflow."""
    return Call("GET", f"/workflows/{_part(name)}", Workflow.from_json)


def get_plan(name: str, version: int) -> Call[dict[str, Any]]:
    """Return what runs in a version."""
    return Call("GET", f"/workflows/{_part(name)}/versions/{version}", lambda found: dict(found["plan"]))


def fire_event(workflow: str, event: str, payload: Any, name: str | None) -> Call[FiredEvent]:
    """Send an event; return what became of it."""
    body = {"id": event, "payload": payload, **({"name": name} if name is not None else {})}
    return Call("POST", f"/workflows/{_part(workflow)}/events", FiredEvent.from_json, json=body)


def get_fired_event(workflow: str, event: str) -> Call[FiredEvent]:
    """Return what became of an event that was sent before."""
    return Call("GET", f"/workflows/{_part(workflow)}/events", FiredEvent.from_json, query={"id": event})


def list_vars() -> Call[dict[str, Any]]:
    """Return all variables."""
    return Call("GET", "/vars", lambda found: dict(found["vars"]))


def list_queues(names: list[str]) -> Call[dict[str, list[str]]]:
    """Return the workers that poll each of some queues."""
    return Call(
        "GET",
        "/queues",
        lambda found: {each["name"]: list(each["workers"]) for each in found["queues"]},
        query={"queue": names},
    )


def get_fleet(queues: list[str]) -> Call[Fleet]:
    """Return queues and workers."""
    return Call("GET", "/fleet", Fleet.from_json, query={"queue": queues} if queues else {})


def set_var(name: str, value: Any) -> Call[None]:
    """Set a variable."""
    return Call("PUT", f"/vars/{_part(name)}", _nothing, json={"value": value})


def delete_var(name: str) -> Call[None]:
    """Remove a variable."""
    return Call("DELETE", f"/vars/{_part(name)}", _nothing)


def answer_of(call: Call[T], status: int, content_type: str, body: bytes) -> T:
    """Read an answer.

    Raises:
        SegueError: The service refused, or is not one of ours.
    """
    if status >= 400:
        raise refusal(call, status, content_type, body)
    try:
        return call.read(json.loads(body) if body else None)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnexpectedAnswer(
            f"The answer to {call.method} {PREFIX}{call.path} is not one of Segue's ({type(error).__name__}: {error}).",
            hint="Is SEGUE_API_URL the address of a Segue service, and of this version?",
        ) from None


def refusal(call: Call[Any], status: int, content_type: str, body: bytes) -> SegueError:
    """Return the error that a problem document stands for."""
    if status in (502, 503, 504):
        return ServiceUnreachable(_problem(content_type, body).get("detail") or f"The service answers {status}.")
    problem = _problem(content_type, body)
    detail = str(problem.get("detail") or f"The service answers {status} to {call.method} {PREFIX}{call.path}.")
    if status in (401, 403):
        return Unauthorized(detail, hint="Check SEGUE_API_KEY." if status == 401 else "")
    if not problem and not (call.method == "HEAD" and status == 404):
        return UnexpectedAnswer(detail, hint="Is SEGUE_API_URL the address of a Segue service?")
    if problem.get("diagnostics"):
        return InvalidDefinition([Diagnostic.from_json(each) for each in problem["diagnostics"]])
    if problem.get("code") in UNFIT:
        problems = [(str(each["path"]), str(each["message"])) for each in problem.get("errors") or ()]
        return InvalidParams(UNFIT[problem["code"]], problems)
    kinds: dict[int, type[SegueError]] = {404: NotFound, 409: Conflict}
    return kinds.get(status, SubmitError if status < 500 else UnexpectedAnswer)(detail)


def _problem(content_type: str, body: bytes) -> dict[str, Any]:
    if content_type.partition(";")[0].strip() != "application/problem+json":
        return {}
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def pages(limit: int) -> Iterator[int]:
    """Yield the sizes of pages that together hold `limit` entries."""
    while limit > 0:
        yield min(limit, 200)
        limit -= 200


def _runs(found: Any) -> tuple[list[RunSummary], str | None]:
    return [RunSummary.from_json(run) for run in found["runs"]], found.get("next")


def path_of(*parts: str) -> str:
    """Return the path that is made of these parts, whatever characters are in them."""
    return "".join(f"/{_part(part)}" for part in parts)


def _part(text: str) -> str:
    return quote(text, safe="")


def _nothing(_: Any) -> None:
    return None


def _series_by_name(document: Any) -> dict[str, Series]:
    return {each["name"]: Series.from_json(each) for each in document["series"]}


def _as_it_is(found: Any) -> Any:
    return found
