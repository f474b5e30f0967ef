"""The plan: what runs.

A definition (YAML or Python) is compiled to a `Plan`: frozen, plain, explicit. Every default is filled in, every
reference is resolved to a step id, every expression is in canonical text. Two definitions that mean the same have
the same plan and so the same `content_hash`. A plan is stored and sent as JSON and must stay readable for as long as
a run may last: fields are only ever added, with a default.

This module never parses what users write (`translator`) and never decides what runs next (`workflows.core`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, cast

PLAN_VERSION = 1

MAX_PLAN_STEPS = 1_500
"""One run is one Temporal execution, which ends at 10,240 events; a step costs about six of them."""
MAX_MAP_ITEMS = 1_000
MAX_PARALLEL_LIMIT = 1_000
"""Temporal refuses a command that makes 2,000 activities pending, and the run then hangs."""

CONTROL_QUEUE = "segue-control"
"""The task queue of the interpreter itself; no step runs there."""

TriggerRule = Literal[
    "all_success",
    "all_failed",
    "all_done",
    "all_skipped",
    "one_success",
    "one_failed",
    "one_done",
    "none_failed",
    "none_failed_min_one_success",
    "none_skipped",
    "always",
]
Kind = Literal["shell", "python", "http", "noop"]


@dataclass(frozen=True, slots=True)
class Edge:
    """One need of a step.

    Attributes:
        step: Id of the step that is needed.
        when: Canonical expression looked at when that step succeeded (`output` is its output); false makes the edge
            `skipped`. None: no condition.
    """

    step: str
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how soon a failed step is tried again.

    Attributes:
        attempts: Tries in all, at least 1.
        delay: Seconds before the second try.
        backoff: Factor on the delay from one try to the next, at least 1.
        max_delay: Upper bound of the delay in seconds.
        unless: Error types (a Python exception's class name, or a type in the reference) that are never retried.
    """

    attempts: int = 1
    delay: float = 1.0
    backoff: float = 2.0
    max_delay: float = 300.0
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeout:
    """Bounds of a step, in seconds; None is no bound of its own.

    Attributes:
        run: One attempt, from its start on a worker.
        queue: The wait for a worker.
        total: Everything, all attempts and waits.
        heartbeat: Silence of a worker after which its attempt counts as lost.
    """

    run: float = 86_400.0
    queue: float | None = None
    total: float | None = None
    heartbeat: float = 10.0


@dataclass(frozen=True, slots=True)
class Map:
    """One run of the step per item of a list.

    Attributes:
        over: A JSON list, or a template that yields one.
        name: The variable that holds the item in the step's templates.
        limit: Items in flight at once; None leaves it to `max_parallel`.
        min_success: Items that must succeed for the step to succeed, as `{"count": n}` or `{"percent": p}`;
            None: all of them.
    """

    over: Any
    name: str = "item"
    limit: int | None = None
    min_success: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the DAG: the smallest unit that succeeds, fails or is retried as a whole.

    Attributes:
        id: Unique in the plan.
        kind: The operator that runs it; also the Temporal activity type.
        action: The operator's own input; its strings may be templates (`${{ ... }}`), but for `script`.
            shell: `{"script": text}`; python: `{"callable": "module:function"}`;
            http: `{"request": {...}}`, or `{"submit": ..., "poll": ..., "cancel": ...}`; noop: `{}`.
        needs: Edges in plan order. A step that a template refers to is among them.
        trigger_rule: When the states of the needs let the step start.
        condition: Canonical text of `if`, or None.
        inputs: The templates under `with`, by name.
        env: Environment variables; templates. Anything but text arrives as JSON.
        map: Fan-out over a list, or None.
        queue: The Temporal task queue, that is the fleet.
        output: Declared output: name to `{"schema": {...}}` (typed) or `{"value": template}` (computed on the
            worker from `response`). None: whatever the step gives.
        description: One line for people.
    """

    id: str
    kind: Kind
    action: dict[str, Any] = field(default_factory=dict)
    needs: tuple[Edge, ...] = ()
    trigger_rule: TriggerRule = "all_success"
    condition: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    env: dict[str, Any] = field(default_factory=dict)
    map: Map | None = None
    queue: str = "cpu"
    retry: Retry = field(default_factory=Retry)
    timeout: Timeout = field(default_factory=Timeout)
    output: dict[str, dict[str, Any]] | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a run without a person.

    Attributes:
        kind: `schedule` or `event`.
        spec: schedule: `{"cron": text, "timezone": name, "overlap": "skip" | "allow" | "queue" | "cancel_oldest",
            "catchup": seconds}`; event: `{"name": text}`.
        params: Params of the run; for an event, templates over `event`.
    """

    kind: Literal["schedule", "event"]
    spec: dict[str, Any]
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Code:
    """Which files travel with the workflow, and what they run in.

    Attributes:
        include: Glob patterns relative to the definition's folder.
        requirements: Path of a requirements file relative to the definition's folder; None runs steps in the
            worker's own choice of interpreter.
    """

    include: tuple[str, ...] = ("**/*.py",)
    requirements: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A workflow, compiled.

    Attributes:
        workflow: The workflow's name; also the Temporal workflow type.
        steps: In plan order: every step after all it needs, otherwise as written.
        params: Name to JSON Schema.
        output: Template of the run's output, or None.
        max_parallel: Steps (and map items) in flight at once.
        timeout: Seconds that the whole run may take.
        language: Version of the definition language (`segue: 1`), which fixes the meaning of expressions.
        version: Version of this format.
    """

    workflow: str
    steps: tuple[Step, ...]
    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    params: dict[str, dict[str, Any]] = field(default_factory=dict)
    triggers: tuple[Trigger, ...] = ()
    code: Code = field(default_factory=Code)
    output: Any = None
    max_parallel: int = 200
    timeout: float = 604_800.0
    language: int = 1
    version: int = PLAN_VERSION

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON object; `from_json` is its inverse."""
        return cast(dict[str, Any], json.loads(json.dumps(asdict(self), allow_nan=False)))

    @property
    def content_hash(self) -> str:
        """The sha256 of the canonical JSON, as `sha256:<64 hex digits>`."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Plan:
        """Rebuild a plan from `to_json`'s object.

        Raises:
            ValueError: The document is of a newer format than this code reads.
        """
        if document.get("version", 0) > PLAN_VERSION:
            raise ValueError(f"plan format {document['version']} is newer than {PLAN_VERSION}: upgrade this worker")
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in document.items() if key in known}
        values["steps"] = tuple(_step(s) for s in document["steps"])
        values["triggers"] = tuple(Trigger(**t) for t in document.get("triggers", ()))
        code = document.get("code")
        if code is not None:
            values["code"] = Code(tuple(code["include"]), code["requirements"])
        return cls(**values)


def _step(document: dict[str, Any]) -> Step:
    values = dict(document)
    values["needs"] = tuple(Edge(**edge) for edge in document["needs"])
    retry = dict(document["retry"])
    retry["unless"] = tuple(retry["unless"])
    values["retry"] = Retry(**retry)
    values["timeout"] = Timeout(**document["timeout"])
    values["map"] = Map(**document["map"]) if document["map"] is not None else None
    return Step(**values)
