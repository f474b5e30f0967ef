"""The definition: what a user wrote, read key by key and not yet filled in or ordered.

Values have their types and units already (durations are seconds, expressions canonical text), and None is what was
left out. The nodes beside them say where it was written, for checks that look at several steps at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from translator.located import Entry, Node, Spot
from workflows.expressions import Expression
from workflows.plan import Cache, Concurrency, Isolation, Kind, Map, Trigger, TriggerRule

OnFailure: TypeAlias = Literal["finish", "stop", "hold"]
WhenFull: TypeAlias = Literal["queue", "skip", "cancel_oldest"]

COMMON_NAMES = frozenset({"params", "steps", "run", "workflow", "event", "vars"})
"""What every expression of a step may speak of."""
EDGE_NAMES = COMMON_NAMES | {"output"}
EVENT_NAMES = frozenset({"event"})
START_NAMES = frozenset({"params", "workflow", "event", "vars"})
"""What is known before a run's first step: what its concurrency key may speak of."""
SHARED_NAMES = frozenset({"inputs", "run", "workflow", "vars"})
"""What a shared step may speak of, whichever workflow uses it."""
SECRETS = "secrets"
"""What the texts that reach a step's worker may speak of besides."""
CALLBACK = "callback"
"""What the request may speak of besides that has a service post back."""
SPECIAL_NAMES = frozenset({"output", "submit", "response", "secrets", "inputs", CALLBACK})


@dataclass(frozen=True, slots=True)
class Use:
    """An expression at work in a definition.

    Attributes:
        expression: What it says.
        node: The text it stands in.
        offset: Where in that text it begins.
        names: The names it may speak of there.
        edge_from: For a condition on an edge: the step that is needed, whose output `output` is.
        arriving: `event` is an event that arrives there, not the one that started the run.
    """

    expression: Expression
    node: Node
    offset: int
    names: frozenset[str]
    edge_from: str | None = None
    arriving: bool = False

    def inside(self, offset: int) -> Spot:
        """Return the place of a character of the expression."""
        return self.node.inside(self.offset + offset)


@dataclass(frozen=True, slots=True)
class NeedDefinition:
    """An entry of `needs`."""

    step: str
    at: Node | Spot
    when: str | None = None


@dataclass(slots=True)
class StepDefinition:
    """A step as written.

    Attributes:
        uses: All its expressions.
        cache: False: none, whatever `defaults` say.
        fixed_output: The names in its output, for a kind that fixes them; None when the step's author does.
        called_at: Where the name of the workflow stands that it runs.
        cache_at: Where it says that it is cached.
    """

    id: str
    at: Node
    index: int
    kind: Kind = "noop"
    action: dict[str, Any] = field(default_factory=dict)
    needs: list[NeedDefinition] = field(default_factory=list)
    trigger_rule: TriggerRule | None = None
    condition: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    env: dict[str, Any] = field(default_factory=dict)
    map: Map | None = None
    queue: str | None = None
    retry: dict[str, Any] = field(default_factory=dict)
    timeout: dict[str, Any] = field(default_factory=dict)
    output: dict[str, dict[str, Any]] | None = None
    description: str | None = None
    phase: Literal["main", "finally"] = "main"
    origin: dict[str, str] | None = None
    requirements: str | tuple[str, ...] | None = None
    isolation: Isolation | None = None
    priority: int | None = None
    resources: dict[str, float] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    cache: Cache | Literal[False] | None = None
    fixed_output: tuple[str, ...] | None = None
    called_at: Node | None = None
    cache_at: Node | None = None
    uses: list[Use] = field(default_factory=list)

    @property
    def outputs(self) -> tuple[str, ...] | None:
        """The names that its output is known to have, or None when it may have any."""
        return self.fixed_output if self.output is None else tuple(self.output)

    @property
    def variables(self) -> list[str]:
        """The variables of its maps, the outermost first."""
        return [level.name for level in levels(self.map)]


def levels(outermost: Map | None) -> list[Map]:
    """Return a map and those inside it."""
    found = []
    while outermost is not None:
        found.append(outermost)
        outermost = outermost.inner
    return found


@dataclass(slots=True)
class Defaults:
    """What `defaults` gives to every step that does not say otherwise; `uses` are the expressions in `env`."""

    queue: str | None = None
    retry: dict[str, Any] = field(default_factory=dict)
    timeout: dict[str, Any] = field(default_factory=dict)
    env: dict[str, Any] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)
    cache: Cache | None = None
    priority: int | None = None
    resources: dict[str, float] = field(default_factory=dict)
    requirements: str | tuple[str, ...] | None = None
    isolation: Isolation | None = None


@dataclass(slots=True)
class TriggerDefinition:
    """A trigger as written; `params` are the entries of its params."""

    trigger: Trigger
    at: Node
    params: dict[str, Entry] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)


@dataclass(slots=True)
class WorkflowDefinition:
    """A workflow as written."""

    name: str = ""
    description: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    params: dict[str, dict[str, Any]] = field(default_factory=dict)
    triggers: list[TriggerDefinition] = field(default_factory=list)
    concurrency: Concurrency | None = None
    max_parallel: int | None = None
    timeout: float | None = None
    on_failure: OnFailure | None = None
    defaults: Defaults = field(default_factory=Defaults)
    include: tuple[str, ...] | None = None
    requirements: str | tuple[str, ...] | None = None
    python: str | None = None
    steps: dict[str, StepDefinition] = field(default_factory=dict)
    output: Any = None
    uses: list[Use] = field(default_factory=list)
