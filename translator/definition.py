"""The definition: what a user wrote, read key by key and not yet filled in or ordered.

Values have their types and units already (durations are seconds, expressions canonical text), and None is what was
left out. The nodes beside them say where it was written, for checks that look at several steps at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from translator.located import Entry, Node, Spot
from workflows.expressions import Expression
from workflows.plan import Kind, Map, Trigger, TriggerRule

COMMON_NAMES = frozenset({"params", "steps", "run", "workflow", "event", "vars"})
"""What every expression of a step may speak of."""
EDGE_NAMES = COMMON_NAMES | {"output"}
EVENT_NAMES = frozenset({"event"})
SPECIAL_NAMES = frozenset({"output", "submit", "response", "secrets"})


@dataclass(frozen=True, slots=True)
class Use:
    """An expression at work in a definition.

    Attributes:
        expression: What it says.
        node: The text it stands in.
        offset: Where in that text it begins.
        names: The names it may speak of there.
        edge_from: For a condition on an edge: the step that is needed, whose output `output` is.
    """

    expression: Expression
    node: Node
    offset: int
    names: frozenset[str]
    edge_from: str | None = None

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
    """A step as written; `uses` has all its expressions."""

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
    uses: list[Use] = field(default_factory=list)


@dataclass(slots=True)
class Defaults:
    """What `defaults` gives to every step that does not say otherwise; `uses` are the expressions in `env`."""

    queue: str | None = None
    retry: dict[str, Any] = field(default_factory=dict)
    timeout: dict[str, Any] = field(default_factory=dict)
    env: dict[str, Any] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)


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
    max_parallel: int | None = None
    timeout: float | None = None
    defaults: Defaults = field(default_factory=Defaults)
    include: tuple[str, ...] | None = None
    requirements: str | None = None
    steps: dict[str, StepDefinition] = field(default_factory=dict)
    output: Any = None
    uses: list[Use] = field(default_factory=list)
