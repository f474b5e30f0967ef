"""What passes through Temporal: the arguments and results of our workflows and activities, as plain data.

These shapes are in every history, so a field is only ever added, with a default. Values are small: at most
`MAX_INLINE_BYTES` of JSON for an output, `MAX_TASK_BYTES` for a step's whole input. Anything larger, and anything
that is not JSON, is a *reference*: a JSON object whose key `REFERENCE` says what it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

MAX_INLINE_BYTES = 16 * 1024
MAX_TASK_BYTES = 1024 * 1024
"""Temporal refuses 2 MiB, and the run then hangs; half of it leaves room for what surrounds the values."""

REFERENCE = "$segue"
"""The one key users' own objects may not have: `{"$segue": "json" | "bytes" | "file", "key": object key, "size": bytes,
"sha256": hex digits, "name": file name, for a file}` stands for an object in the object store."""

PROGRESS, WAITS, ATTEMPT = "progress", "waits", "attempt"
"""The keys of a heartbeat's detail: how far a step is, or for what it waits on its worker, and in which attempt of its
generation."""

RunState = Literal["pending", "running", "paused", "succeeded", "failed", "cancelled"]
StepState = Literal[
    "waiting",  # for its needs
    "queued",  # for a worker
    "running",
    "retrying",  # for the next attempt
    "held",  # it failed, and waits for a person (`on_failure: hold`)
    "succeeded",
    "failed",
    "upstream_failed",
    "skipped",
    "cancelled",
]
TERMINAL_RUN_STATES: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})
TERMINAL_STEP_STATES: frozenset[str] = frozenset({"succeeded", "failed", "upstream_failed", "skipped", "cancelled"})

CONTROL_PREFIX = "segue."
"""What the types of all activities of the control queue begin with; no step's does."""
RESOLVE_RUN = "segue.resolve_run"
RECORD_RUN = "segue.record_run"
"""Activity types of the control queue: `resolve_run(RunRequest) -> RunRequest`, `record_run(RunRecords) -> None`."""

STATE_QUERY = "state"
"""The query of `DagRun` that answers with `RunRecords`: every transition of the run so far."""

FIRE_SIGNAL = "fire"
TRIGGERS_SIGNAL = "triggers"
"""Signals of `SegueTrigger`; their arguments are an `Event` and a `TriggerUpdate`."""
DECISION_QUERY = "decision"
"""The query of `SegueTrigger`: the id of an event gives an `EventDecision`, or None when it is not known (any more)."""

EVENT_SIGNAL = "event"
"""The signal of `DagRun` for its `wait` steps; its argument is an `Event`."""
ANSWER_SIGNAL = "answer"
"""The signal of `DagRun` that answers an `approve` step; its argument is an `Answer`."""
RELEASE_SIGNAL = "release"
"""The signal of `DagRun` that decides about a held step; its argument is a `Release`."""

OPERATE_UPDATE = "operate"
"""The update of `DagRun` by which people change a run that goes on; its argument is an `Operation`."""
OPERATION_REFUSED = "OperationRefused"
"""The type of the failure of an update that may not be done."""
SNAPSHOT_QUERY = "snapshot"
"""The query of `DagRun` that answers with the state of its core (`workflows.snapshot`), also after its end."""
SNAPSHOT_RUN = "segue.snapshot_run"
LAST_EXECUTIONS = "segue.last_executions"
"""Activity types of the control queue, for a run that goes on after its end: `snapshot_run(run, execution)` gives the
answer to that query, `last_executions(runs)` for each run the execution that ended, where it can go on."""

SEARCH_ATTRIBUTES = {"SegueWorkflow": "Keyword", "SegueVersion": "Int", "SegueTriggeredBy": "Keyword"}
"""Temporal search attributes that every run carries: name to type."""


@dataclass(slots=True)
class Cause:
    """Why a run exists: who or what asked for it."""

    kind: Literal["manual", "schedule", "event", "workflow", "rerun"] = "manual"
    id: str = ""
    """The schedule's or the event's id; the run whose step it is, or that is run again; who asked, for a manual run."""


@dataclass(slots=True)
class Operation:
    """What somebody does to a run: the argument of `OPERATE_UPDATE`, and what lets a run go on after its end.

    Attributes:
        id: The same operation twice is done once.
        by: Who does it.
        why: In their words.
        steps: Keys of the steps it is about. `retry`: those that failed and are tried again, all without any.
        output: `mark`: the step's output.
        queue: `change`: the queue it moves to.
        retry: `change`: fields of `workflows.plan.Retry`.
        timeout: `change`: fields of `workflows.plan.Timeout`.
        busy: `change`: keys that a worker has taken; they end as they began.
        execution: `retry`: the Temporal execution that has ended.
    """

    id: str
    kind: Literal["retry", "rerun", "pause", "resume", "skip", "mark", "change"]
    by: str = ""
    why: str = ""
    steps: list[str] = field(default_factory=list)
    output: Any = None
    queue: str | None = None
    retry: dict[str, Any] = field(default_factory=dict)
    timeout: dict[str, Any] = field(default_factory=dict)
    busy: list[str] = field(default_factory=list)
    execution: str = ""


@dataclass(slots=True)
class RunRequest:
    """The argument of `DagRun`.

    A manual run carries its plan. A schedule's arguments are frozen when it is made, so a scheduled or event run
    carries the name alone, and `resolve_run` fills in the rest: newest version, plan, checked params, vars.

    Attributes:
        version: The workflow's version number; None: the newest.
        params: By name, checked and with defaults once `plan` is there; templates over `event` before.
        vars: The service's variables as they were when the run was resolved.
        bundle: sha256 of the code bundle (hex), or None.
        event: The payload of the event that started the run.
        depth: How many runs it is inside of, as a step's child.
        event_name: The event's name. With it, `params` are the templates of the trigger that it matched; without, as in
            runs of before triggers could differ, they are those of the workflow's first event trigger.
        again: What lets a run that has ended go on (`retry`), or made this one from another (`rerun`).
        kept: Of a rerun: the outputs that are taken over, by step: `{"run": id, "value": ..., "output": reference}`.
        carried: How far the run was when its history became too long (`workflows.carrying`); it goes on from there.
        events: How long a history may become before the run begins anew; 0: as long as is usual.
    """

    workflow: str
    version: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    cause: Cause = field(default_factory=Cause)
    event: Any = None
    vars: dict[str, Any] = field(default_factory=dict)
    bundle: str | None = None
    plan: dict[str, Any] | None = None
    depth: int = 0
    event_name: str | None = None
    again: Operation | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    carried: dict[str, Any] | None = None
    events: int = 0


@dataclass(slots=True)
class SecretText:
    """A text of a task that its worker puts together, since it holds secrets; the task has a null in its place.

    Made from the plan alone: no value of a run ever becomes one, whatever it looks like.

    Attributes:
        at: Where it goes: a field of the task (`inputs`, `env`, `action`), then keys and indexes.
        parts: In order: `{"text": as it is}`, `{"secret": name}` or, in an http step, `{"late": expression}` over
            `submit`, `response` and `callback`.
    """

    at: list[Any]
    parts: list[dict[str, str]]


@dataclass(slots=True)
class StepTask:
    """The argument of a step's activity (activity type: the step's kind).

    Every template is already rendered, but for those of an http step that speak of `submit`, `response` or
    `callback`: `scope` then holds the values of the other names they use.

    Attributes:
        run: The run's id, which is the Temporal workflow id.
        key: The step's id, or `train[3]` for an item of a map; also the Temporal activity id.
        generation: How often this step was scheduled before in the same run (after a worker was lost).
        item: The item of a map; None outside a map.
        requirements: Path of the requirements file in the bundle.
        packages: Requirements themselves, in the place of such a file.
        python: Which versions of Python may run it, as in the plan.
        isolation: How far it is kept from its machine: `process` or `sandbox`.
        network: Whether a sandbox has the machine's network.
        timeout: Seconds after which the worker itself ends the attempt, with its log; Temporal's own limit is a little
            longer. None: Temporal's limit alone.
        secrets: The texts that hold secrets. The values are on the worker, and never in here.
        resources: What it occupies on its worker while it runs: `cpu`, `memory` (bytes), `gpu`.
        queue_timeout: Seconds that a step with resources may wait for a worker that has room; None: no bound.
        artifacts: Glob patterns of files that are kept, relative to the folder in which the step runs.
        cache: `{"ttl": seconds}`, or `{}` without a bound, when an earlier output may be reused; None: it may not.
    """

    run: str
    workflow: str
    version: int
    step: str
    key: str
    generation: int
    kind: str
    action: dict[str, Any]
    inputs: dict[str, Any] = field(default_factory=dict)
    env: dict[str, Any] = field(default_factory=dict)
    output: dict[str, dict[str, Any]] | None = None
    scope: dict[str, Any] = field(default_factory=dict)
    item: Any = None
    bundle: str | None = None
    requirements: str | None = None
    timeout: float | None = None
    secrets: list[SecretText] = field(default_factory=list)
    packages: list[str] | None = None
    python: str | None = None
    isolation: str = "process"
    network: bool = False
    resources: dict[str, float] = field(default_factory=dict)
    queue_timeout: float | None = None
    artifacts: list[str] = field(default_factory=list)
    cache: dict[str, Any] | None = None


@dataclass(slots=True)
class StepResult:
    """What a step's activity returns, and what the details of its failure hold (with `value` None).

    Attributes:
        value: The output as JSON; a reference when it is larger than `MAX_INLINE_BYTES`.
        output: Reference to the whole output document in the object store; None for a failure.
        folder: Prefix of this attempt's objects (logs, output, files) in the object store.
        attempt: Number of the attempt that ended, from 1, counted over generations.
        worker: Identity of the worker.
        started_at: Start of the attempt, seconds since the epoch by the worker's clock.
        ended_at: Its end, likewise.
        reused: Where the output was made, when it was not made by this attempt: `{"run": id, "step": key, "folder":
            prefix of that attempt's objects, "at": seconds since the epoch}`.
    """

    value: Any = None
    output: dict[str, Any] | None = None
    folder: str = ""
    attempt: int = 1
    worker: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    reused: dict[str, Any] | None = None


@dataclass(slots=True)
class StepError:
    """A failure as people read it.

    Attributes:
        type: The exception's class name, or one of ours: `ExitCode`, `Timeout`, `WorkerLost`, `HttpStatus`,
            `OutputInvalid`, `InputInvalid`, `SecretMissing`, `ExpressionError` ...
        message: At most 4 KiB: head and tail.
        detail: Facts as data: exit code, signal, HTTP status, `log_tail` (last lines).
    """

    type: str
    message: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Transition:
    """One change of state, of a step (`key` is its id or item key) or of the run (`key` is empty).

    Attributes:
        seq: 1, 2, 3 ... within the run; recording the same number twice changes nothing.
        at: Workflow time, seconds since the epoch.
        state: A `StepState` or `RunState`.
        reason: One sentence: why this state.
        detail: The reason as data: rule, states of the needs, expression and the values it saw.
    """

    seq: int
    at: float
    key: str
    state: str
    reason: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    queue: str | None = None
    result: StepResult | None = None
    error: StepError | None = None
    value: Any = None
    """The run's output, on its last transition."""


@dataclass(slots=True)
class RunRecords:
    """A batch of transitions: the argument of `record_run` and the answer to `STATE_QUERY`."""

    run: str
    workflow: str
    version: int
    transitions: list[Transition] = field(default_factory=list)


@dataclass(slots=True)
class Event:
    """The argument of `FIRE_SIGNAL`: the same `id` starts one run, however often it is sent."""

    id: str
    name: str = ""
    payload: Any = None


@dataclass(slots=True)
class Answer:
    """The argument of `ANSWER_SIGNAL`: what somebody says to an `approve` step.

    Attributes:
        step: The step's key.
        approved: Yes or no.
        by: Who says so.
        values: The form, filled in; what is left out takes the form's default.
        comment: Why, in the answerer's words.
    """

    step: str
    approved: bool
    by: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    comment: str = ""


@dataclass(slots=True)
class Release:
    """The argument of `RELEASE_SIGNAL`: what is to become of a held step.

    Attributes:
        step: The step's id.
        action: Try it again (of a map, the items that failed), or let it fail.
        by: Who says so.
    """

    step: str
    action: Literal["retry", "fail"]
    by: str = ""


@dataclass(slots=True)
class EventTrigger:
    """An event trigger of a workflow's newest version.

    Attributes:
        condition: Canonical expression over `event`, or None.
        debounce: Seconds of quiet after which the last event of a burst counts; 0: each counts.
        params: Templates over `event`.
    """

    name: str
    condition: str | None = None
    debounce: float = 0.0
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class TriggerUpdate:
    """The argument of `TRIGGERS_SIGNAL`: what the newest version says."""

    version: int
    triggers: list[EventTrigger] = field(default_factory=list)


EventState = Literal[
    "accepted",  # it has come, and nothing is decided
    "started",  # its run
    "debounced",  # waits for quiet
    "superseded",  # by a later event of the same burst
    "condition_false",
    "condition_error",
    "unmatched",  # no trigger waits for an event of this name
    "dropped",  # its trigger was removed while it was debounced
]


@dataclass(slots=True)
class EventDecision:
    """What became of an event: an item of `TriggerRequest`, and the answer to `DECISION_QUERY`.

    Attributes:
        reason: One sentence, with the values that a condition saw.
        run: The run that it started.
        times: How often it has come.
    """

    id: str
    state: EventState = "accepted"
    reason: str = ""
    run: str | None = None
    times: int = 1


@dataclass(slots=True)
class Debounced:
    """The last event of a burst that is not over.

    Attributes:
        trigger: Its trigger: the name, and its place among the triggers of that name.
        due: When it has been quiet for long enough, seconds since the epoch.
    """

    trigger: str
    event: Event
    due: float


@dataclass(slots=True)
class TriggerRequest:
    """The argument of `SegueTrigger`: the workflow it starts runs of, and what it knew when it began anew.

    Attributes:
        seen: Ids of events that came before.
        triggers: None in what was started before triggers could differ: every event then starts a run.
        version: Of the workflow, whose triggers they are.
        decided: What became of the latest events.
        debounced: Bursts that are not over.
    """

    workflow: str
    seen: list[str] = field(default_factory=list)
    triggers: list[EventTrigger] | None = None
    version: int = 0
    decided: list[EventDecision] = field(default_factory=list)
    debounced: list[Debounced] = field(default_factory=list)


JSON: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict with text keys."""
