"""The plan: what runs.

A definition (YAML or Python) is compiled to a `Plan`: frozen, plain, explicit. Every default is filled in, every
reference is resolved to a step id, every expression is in canonical text. Two definitions that mean the same have
the same plan and so the same `content_hash`. A plan is stored and sent as JSON and must stay readable for as long as
a run may last: fields are only ever added, with a default.

This module never parses what users write (`translator`) and never decides what runs next (`workflows.core`).
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast

from workflows.plain import given, plain, with_tuples

PLAN_VERSION = 1

MAX_PLAN_STEPS = 10_000
"""A run of so many begins anew some twenty times, and its plan and how far it is still fit into one message."""
MAX_WAITING_STEPS = 1_500
"""Steps of a plan that may wait, for a time, an event or an answer, all at once: each has a timer in each history."""
MAX_MAP_ITEMS = 1_000
MAX_PARALLEL_LIMIT = 1_000
"""Temporal refuses a command that makes 2,000 activities pending, and the run then hangs."""

FINALLY_SECONDS = 3_600.0
"""How long `finally` steps may take once the run was stopped: its own timeout may have passed."""

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
Kind = Literal["shell", "python", "http", "noop", "workflow", "wait", "approve", "container", "sql", "notify", "ssh"]
INTERPRETER_KINDS: frozenset[str] = frozenset({"workflow", "wait", "approve"})
"""Kinds that no worker runs: the interpreter starts a child, sets a timer, or listens for a signal."""
COMMAND_KINDS: frozenset[str] = frozenset({"shell", "container", "ssh"})
"""Kinds that run a command: their output is the `key=value` lines that it writes."""
FILE_KINDS: frozenset[str] = frozenset({"shell", "container", "python"})
"""Kinds that run in a folder on their worker, and leave files there."""
UNCACHED_KINDS: frozenset[str] = INTERPRETER_KINDS | {"noop", "notify"}
"""Kinds that have no output worth reusing: they are there for what they do."""
ENV_KINDS: frozenset[str] = COMMAND_KINDS | {"python"}
"""Kinds that have environment variables."""
CODE_KINDS: frozenset[str] = frozenset({"shell", "python"})
"""Kinds that run the bundle's code on the worker itself: they have an environment and an isolation."""
MACHINE_KINDS: frozenset[str] = frozenset({"shell", "python", "container"})
"""Kinds whose work is done by the worker's own machine: a workflow's default `resources` are theirs."""
MAX_PRIORITY = 5
"""Temporal's lowest; 3 is the middle, and what holds where nobody says anything."""


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

    A step that no worker runs (`INTERPRETER_KINDS`) has `run` and `total` alone, and ten years where its author says
    nothing: it may wait for as long as the run.

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


USUAL_RETRY, USUAL_TIMEOUT = Retry(), Timeout()
"""One of each: what is the same object need not be compared."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Reuse of an output that the same code has given for the same inputs.

    Attributes:
        ttl: Seconds for which an output may be reused; None: for as long as it is there.
    """

    ttl: float | None = None


@dataclass(frozen=True, slots=True)
class Map:
    """One run of the step per item of a list.

    Attributes:
        over: A JSON list, or a template that yields one.
        name: The variable that holds the item in the step's templates.
        limit: Items in flight at once; None leaves it to `max_parallel`.
        min_success: Items that must succeed for the step to succeed, as `{"count": n}` or `{"percent": p}`;
            None: all of them.
        inner: A map inside this one: its `over` may speak of this map's variable, and an item is one of each. The
            innermost map's items are what is run; `limit` and `min_success` are those of the outermost and count them
            all. The output is a list of lists.
    """

    over: Any
    name: str = "item"
    limit: int | None = None
    min_success: dict[str, float] | None = None
    inner: Map | None = None


@dataclass(frozen=True, slots=True)
class Isolation:
    """How far a step of `CODE_KINDS` is kept from its machine.

    Attributes:
        kind: A process of its own, or one in a sandbox besides: the machine's files to read only, and no network.
        network: Whether a sandbox has the machine's network all the same.
    """

    kind: Literal["process", "sandbox"] = "process"
    network: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the DAG: the smallest unit that succeeds, fails or is retried as a whole.

    Attributes:
        id: Unique in the plan.
        kind: The operator that runs it; also the Temporal activity type.
        action: The operator's own input; its strings may be templates (`${{ ... }}`), but for `script`.
            shell: `{"script": text}`; python: `{"callable": "module:function"}`;
            http: `{"request": {...}}`, or `{"submit": ..., "poll": ..., "cancel": ...}`, or with `"callback": {}` or
            `{"fail_if": template}` in the place of `poll`; noop: `{}`;
            container: `{"image": text}` and, where given, `command` (a script or a list of arguments), `entrypoint`,
            `workdir` and `pull`; sql, notify, ssh: `{}`, what they are given is `inputs`;
            workflow: `{"workflow": name, "version": number or None}`, its params are `inputs`;
            wait: `{"for": seconds or template}`, `{"until": template of an RFC 3339 time}` or
            `{"event": {"name": template, "if": canonical expression over `event` or None}}`;
            approve: `{"by": [text], "quorum": n, "timeout": seconds or None, "on_timeout": "reject" | "approve" |
            "fail", "form": {name: JSON Schema}}`.
        needs: Edges in plan order. A step that a template refers to is among them, but for what a `finally` step
            says of `main` steps: they have ended before it starts.
        trigger_rule: When the states of the needs let the step start.
        condition: Canonical text of `if`, or None.
        inputs: The templates under `with`, by name.
        env: Environment variables; templates. Anything but text arrives as JSON.
        map: Fan-out over a list, or None.
        queue: The Temporal task queue, that is the fleet.
        output: Declared output: name to `{"schema": {...}}` (typed) or `{"value": template}` (computed on the
            worker from `response`). None: whatever the step gives.
        description: One line for people.
        phase: `finally` steps start when every `main` step has ended, however the run ends, and are no leaves.
        origin: Where a shared step came from: `{"uses": text, "file": path, "sha256": hex digits}`; None: it was
            written in the definition itself.
        requirements: What its environment is made from instead of the workflow's: as in `Code`. None: the workflow's.
        isolation: How far it is kept from its machine.
        priority: 1 (first) to `MAX_PRIORITY` (last) among what waits in a queue; None: that of the run, which is 3
            unless a step that has one started it.
        resources: What it occupies on its worker while it runs: `cpu` (cores), `memory` (bytes), `gpu` (devices).
        artifacts: Glob patterns, relative to the folder in which the step runs: files that are kept besides those in
            `$SEGUE_ARTIFACTS`.
        cache: Whether an earlier output may be reused; None: it may not.
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
    retry: Retry = USUAL_RETRY
    timeout: Timeout = USUAL_TIMEOUT
    output: dict[str, dict[str, Any]] | None = None
    description: str = ""
    phase: Literal["main", "finally"] = "main"
    origin: dict[str, str] | None = None
    requirements: str | tuple[str, ...] | None = None
    isolation: Isolation = field(default_factory=Isolation)
    priority: int | None = None
    resources: dict[str, float] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a run without a person.

    Attributes:
        kind: `schedule` or `event`.
        spec: schedule: `{"cron": text, "timezone": name, "overlap": "skip" | "allow" | "queue" | "cancel_oldest",
            "catchup": seconds}`, or with `"every": {"months": n}` or `{"seconds": n}` and `"start": RFC 3339 time or
            date` in the place of `cron`; event: `{"name": text}`, and where given `"if"` (canonical expression over
            `event`) and `"debounce"` (seconds of quiet after which the last event counts).
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
        requirements: Path of a requirements file, a `pyproject.toml` or a `uv.lock` relative to the definition's
            folder, or requirements themselves; None runs steps in the worker's own choice of interpreter.
        python: Which versions of Python steps may run in, as `workflows.python_versions` writes it; None: any.
    """

    include: tuple[str, ...] = ("**/*.py",)
    requirements: str | tuple[str, ...] | None = None
    python: str | None = None


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many runs that share a key may be going on at once.

    Attributes:
        key: Template over `params`, `workflow`, `event` and `vars`; runs of one workflow whose keys are equal share
            the limit.
        limit: Runs at once, at least 1.
        when_full: What a run does that finds no place: wait its turn, end at once as cancelled, or have the run that
            has held a place for longest cancelled.
    """

    key: str
    limit: int = 1
    when_full: Literal["queue", "skip", "cancel_oldest"] = "queue"


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
        concurrency: The limit on runs at once, or None.
        on_failure: What a failed step does to the rest: independent branches go on, are cancelled, or the failed step
            waits for a person before anything follows from it.
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
    concurrency: Concurrency | None = None
    on_failure: Literal["finish", "stop", "hold"] = "finish"

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON object; `from_json` is its inverse."""
        return cast(dict[str, Any], plain(self))

    def compact(self) -> dict[str, Any]:
        """Return the plan as short JSON, without the fields that have their default; `from_json` reads it too."""
        return cast(dict[str, Any], given(self))

    @property
    def content_hash(self) -> str:
        """The sha256 of the canonical JSON, as `sha256:<64 hex digits>`.

        A field with its default value has no part in it, so a field that is added later changes no hash.
        """
        text = json.dumps(self.compact(), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Plan:
        """Rebuild a plan from the object of `to_json` or of `compact`.

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
            values["code"] = Code(**with_tuples(code, "include", "requirements"))
        if values.get("concurrency") is not None:
            values["concurrency"] = Concurrency(**values["concurrency"])
        return cls(**values)


def _step(document: dict[str, Any]) -> Step:
    values = with_tuples(document, "requirements")
    if "isolation" in document:
        values["isolation"] = Isolation(**document["isolation"])
    values["needs"] = tuple(Edge(**edge) for edge in document.get("needs", ()))
    values["retry"] = _shared(_retry, document.get("retry"))
    values["timeout"] = _shared(_timeout, document.get("timeout"))
    if "map" in document:
        values["map"] = _map(document["map"])
    values["artifacts"] = tuple(document.get("artifacts", ()))
    if document.get("cache") is not None:
        values["cache"] = Cache(**document["cache"])
    return Step(**values)


@functools.lru_cache(maxsize=1_000)
def _retry(text: str) -> Retry:
    fields_given = json.loads(text)
    return Retry(**{**fields_given, "unless": tuple(fields_given.get("unless", ()))})


@functools.lru_cache(maxsize=1_000)
def _timeout(text: str) -> Timeout:
    return Timeout(**json.loads(text))


def _shared(make: Callable[[str], Any], document: dict[str, Any] | None) -> Any:
    """Return what a document says; thousands of steps say the same, and share it."""
    return make(json.dumps(document) if document else "{}")


def _map(document: dict[str, Any] | None) -> Map | None:
    return None if document is None else Map(**{**document, "inner": _map(document.get("inner"))})
