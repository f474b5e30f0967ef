"""What HTTP shows: the models of requests and answers, which are also the OpenAPI document.

They are made from table rows and plans by the routes and never stored. Requests are read strictly: an unknown field
or a number in quotes is an error.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.run_ids import WORKFLOW_PATTERN
from workflows.messages import EventState, RunState, StepState

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-24T06:00:00.000000Z"])]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Health(_Answer):
    """The service is there; it says nothing about its database or Temporal."""

    status: Literal["ok"] = "ok"
    version: str = Field(examples=["0.1.0"])


class FieldProblem(_Answer):
    """What is wrong with one part of a request."""

    path: str = Field(examples=["params.min_rows"])
    message: str = Field(examples=["'five' is not of type 'integer'"])


class DefinitionProblem(_Answer):
    """What is wrong at one place of a definition."""

    file: str = Field(examples=["train.yaml"])
    line: int
    column: int
    code: str = Field(examples=["E0303"])
    message: str
    hint: str = Field("", examples=['Did you mean "features"?'])


class ProblemDocument(_Answer):
    """An error, as RFC 9457 has it."""

    type: str = Field(examples=["urn:segue:problem:run_not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no run 'train-digits-01jdh3v6w8kq'."])
    code: str = Field(description="A stable word to branch on.", examples=["run_not_found"])
    errors: list[FieldProblem] | None = None
    diagnostics: list[DefinitionProblem] | None = None


# Workflows


Text = Annotated[str, StringConstraints(max_length=1024 * 1024)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=500)]
MAX_FILES = 100


class Source(_Request):
    """The definition as its author wrote it, kept to be shown."""

    filename: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(examples=["train.yaml"])
    text: Text
    language: Literal["yaml", "python"] = "yaml"


class Deploy(_Request):
    """A definition to store as a workflow's newest version."""

    source: Source
    document: dict[str, Any] | None = Field(
        None, description="The evaluated definition; needed for Python, which the service never runs."
    )
    bundle: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="The sha256 of a bundle that was put before."
    )
    files: dict[Path, Text] = Field(
        default_factory=dict,
        max_length=MAX_FILES,
        description="The files with shared steps that the definition uses, by path.",
        examples=[{"common/auth.yaml": "segue: 1\nstep: auth\nrun: ./login\n"}],
    )


class TriggerInfo(_Answer):
    """A trigger of the newest version."""

    model_config = ConfigDict(extra="allow")

    kind: Literal["schedule", "event"]
    id: str = Field(description="Id of the schedule, or of the listening workflow, in Temporal.")


class Deployed(_Answer):
    """The version that is now the newest."""

    name: str = Field(examples=["train-digits"])
    version: int = Field(examples=[3])
    plan_hash: str = Field(examples=["sha256:9f2c..."])
    created: bool = Field(description="False when the definition and the code are what they were.")
    triggers: list[TriggerInfo]


class Cause(_Answer):
    """Why a run exists."""

    kind: str = Field(examples=["manual", "schedule", "event", "workflow"])
    id: str = Field(examples=["segue-train-digits-0"])


class RunSummary(_Answer):
    """A run, as lists show it."""

    id: str = Field(examples=["train-digits-01jdh3v6w8kq"])
    workflow: str = Field(examples=["train-digits"])
    version: int
    state: RunState
    reason: str = Field("", description="One sentence: why this state.")
    cause: Cause
    created_at: Time
    started_at: Time | None = None
    ended_at: Time | None = None
    stuck: str | None = Field(
        None,
        description="One sentence: what keeps it from moving that is not of its plan, and the way out. It goes on by "
        "itself once that is mended; null: nothing does.",
        examples=["nobody serves the control queue; start a control worker: segue worker --queue segue-control"],
    )


class WorkflowSummary(_Answer):
    """A workflow with its newest version."""

    name: str = Field(examples=["train-digits"])
    description: str
    labels: dict[str, str]
    version: int
    plan_hash: str
    created_at: Time
    triggers: list[TriggerInfo]
    last_run: RunSummary | None = None


class VersionSummary(_Answer):
    """One version of a workflow."""

    version: int
    plan_hash: str
    bundle: str | None = None
    created_at: Time


class Workflow(WorkflowSummary):
    """A workflow with all its versions, newest first."""

    versions: list[VersionSummary]


class Workflows(_Answer):
    """All workflows, by name."""

    workflows: list[WorkflowSummary]


class Version(VersionSummary):
    """A version with what runs and what its author wrote."""

    name: str
    plan: dict[str, Any]
    source: dict[str, Any]


class Fire(_Request):
    """An event: the same id starts one run, however often it is sent."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(examples=["upload-7741"])
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="The event's name; needed when the workflow waits for several."
    )
    payload: Any = Field(None, examples=[{"dataset": "digits"}])


class Fired(_Answer):
    """What became of an event."""

    run: str = Field(
        description="The run that the event starts, or would; it is there when `state` is `started`.",
        examples=["train-digits-event-5f0c2d6b9a3e4f71"],
    )
    state: EventState = Field(
        description="`accepted`: it is kept, and nothing is decided yet: ask again. `started`: its run. `debounced`: "
        "a run starts with it once it has been quiet for as long as the trigger says. `superseded`: a later event of "
        "the same burst took its place. `condition_false`, `condition_error`: no trigger's `if` holds, or one cannot "
        "be computed. `unmatched`, `dropped`: no trigger waits for it, or none any more.",
        examples=["started"],
    )
    reason: str = Field("", description="One sentence, with the values that a condition saw.")
    seen: bool = Field(False, description="An event with this id was sent before; sending it again changes nothing.")


# Runs


class StartRun(_Request):
    """A run to start."""

    workflow: Annotated[str, StringConstraints(pattern=WORKFLOW_PATTERN)] = Field(examples=["train-digits"])
    version: Annotated[int, Field(ge=1)] | None = Field(None, description="Default: the newest.")
    params: dict[str, Any] = Field(default_factory=dict, examples=[{"corrupt": 0.4}])


class CancelRun(_Request):
    """A wish to cancel a run."""

    reason: Annotated[str, StringConstraints(max_length=1000)] = ""


class ErrorInfo(_Answer):
    """Why a step or an attempt failed."""

    type: str = Field(examples=["ExitCode"])
    message: str
    detail: dict[str, Any] = Field(default_factory=dict)


class Attempt(_Answer):
    """One try of a step."""

    attempt: int
    generation: int = Field(0, description="How often a worker was lost before it.")
    worker: str | None = None
    started_at: Time | None = None
    ended_at: Time | None = None
    state: str
    error: ErrorInfo | None = None
    folder: str | None = Field(None, description="Prefix of its objects; null until it has ended.")


class Progress(_Answer):
    """How far a step says it is."""

    done: float
    total: float | None = Field(None, description="Null when nobody knows.")
    text: str = ""
    at: Time


class Step(_Answer):
    """A step, or an item of a map, of a run."""

    key: str = Field(examples=["train[0]"])
    step: str = Field(examples=["train"])
    item: int | None = None
    kind: str = Field(examples=["python"])
    queue: str = Field(examples=["gpu"])
    state: StepState
    reason: str = ""
    detail: dict[str, Any] = Field(default_factory=dict, description="The reason as data.")
    progress: Progress | None = Field(None, description="Of an attempt that runs, or that failed.")
    attempt: int = Field(0, description="The newest attempt; 0 before the first.")
    worker: str | None = None
    scheduled_at: Time | None = None
    started_at: Time | None = None
    ended_at: Time | None = None
    output: Any = Field(None, description="The value, or a reference to it when it is large.")
    error: ErrorInfo | None = None
    folder: str | None = None
    attempts: list[Attempt] = Field(default_factory=list)


class OperationInfo(_Answer):
    """What somebody did to a run."""

    at: Time
    kind: str = Field(examples=["pause", "skip", "retry"])
    by: str = ""
    why: str = ""
    steps: list[str] = Field(default_factory=list)
    anew: list[str] = Field(default_factory=list, description="Of a retry: steps that were decided anew; at most 200.")
    kept: list[str] = Field(default_factory=list, description="Of a retry: steps that had succeeded; they did not run.")
    reason: str = Field(description="One sentence: who did what, and why.")


class Run(RunSummary):
    """A run with its steps in plan order; the items of a map follow their step."""

    params: dict[str, Any]
    output: Any = None
    error: ErrorInfo | None = Field(None, description="Why it failed, unless a step says so.")
    plan_hash: str
    temporal_url: str | None = None
    seq: int = Field(description="Number of the last event that this answer includes.")
    operations: list[OperationInfo] = Field(default_factory=list, description="What people did to it, oldest first.")
    steps: list[Step]


class Answer(_Request):
    """What somebody says to an `approve` step."""

    approved: bool
    values: dict[str, Any] = Field(default_factory=dict, description="The step's form, filled in.")
    comment: Annotated[str, StringConstraints(max_length=2_000)] = ""


class Release(_Request):
    """What is to become of a held step."""

    action: Literal["retry", "fail"]


class Message(_Request):
    """An event for a run's `wait` steps."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="The same id is heard once, however often it is sent.", examples=["upload-2026-11-24"]
    )
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(examples=["dataset.published"])
    payload: Any = None


class Taken(_Answer):
    """The run was told; what comes of it shows in its steps."""

    run: str


class Runs(_Answer):
    """A page of runs, newest first."""

    runs: list[RunSummary]
    next: str | None = Field(None, description="The `cursor` of the next page; null on the last.")


# Vars and bundles


class Vars(_Answer):
    """All variables of the service."""

    vars: dict[str, Any]


class VarValue(_Request):
    """A variable's value: any JSON."""

    value: Any = Field(examples=["http://127.0.0.1:9000"])


class Var(_Answer):
    """A variable."""

    name: str
    value: Any


class Queue(_Answer):
    """A queue, and the workers that poll it."""

    name: str
    workers: list[str] = Field(description="How the workers call themselves.")


class Queues(_Answer):
    """Queues, in the order in which they were asked about."""

    queues: list[Queue]


class Bundle(_Answer):
    """A stored bundle."""

    sha256: str
    size: int
