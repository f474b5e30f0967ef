"""Where the compiler is in a workflow's body: what the variables hold, under which conditions, and the steps so far."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, TypeAlias

from segue.functions.kinds import Kind
from segue.functions.names import Names
from segue.functions.problems import Problems
from segue.functions.step import Step
from segue.functions.values import Value
from segue.functions.workflow import Workflow

Called: TypeAlias = Step[..., Any] | Workflow[..., Any]
"""What a body calls: a step, or another workflow, which is then a step of this one."""
Path: TypeAlias = tuple[Value, ...]
"""Conditions that all hold, in the order in which Python looks at them."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """What a variable holds where Python may or may not have assigned it: why, and the way out."""

    why: str
    hint: str


@dataclass(slots=True)
class Made:
    """A step of the workflow.

    Attributes:
        number: Stands for its id in expressions.
        name: What its id is made of.
        step: What is called; None for a step that only joins others.
        arguments: By name.
        path: The conditions under which it is called.
        after: Numbers of the steps it has to wait for.
        body: The number of the `try` whose body it is in, when that has an `except`.
        settles: Numbers of steps whose ends, good or bad, it waits for: it is in a `finally`.
        source: The number of the loop item it is called with: it is a map.
        catches: It stands for the `except` of the `try` with this number.
        node: The call.
    """

    number: int
    name: str
    step: Called | None
    arguments: dict[str, Value]
    path: Path
    node: ast.AST
    after: set[int] = field(default_factory=set)
    body: int | None = None
    settles: tuple[int, ...] = ()
    source: int | None = None
    catches: int | None = None
    description: str = ""
    places: dict[str, ast.AST] = field(default_factory=dict)


@dataclass(slots=True)
class Source:
    """What a loop goes over: its own list, or the outputs of a step that was called for each of its items.

    Attributes:
        since: How many steps there were when it began.
    """

    number: int
    loop: int
    over: Value
    variable: str
    kind: Kind
    since: int = 0


@dataclass(slots=True)
class Returned:
    """A `return`: under which conditions, and what."""

    path: Path
    value: Value
    node: ast.AST


class Flow:
    """The state of one workflow's compilation."""

    def __init__(self, function: FunctionType, problems: Problems) -> None:
        self.names = Names(function)
        self.problems = problems
        self.variables: dict[str, Value | Unusable] = {}
        self.fresh: set[str] = set()
        """Variables that hold a list which nothing else holds, so that it may be appended to."""
        self.path: Path = ()
        self.alive = True
        self.made: list[Made] = []
        self.returned: list[Returned] = []
        self.sources: dict[int, Source] = {}
        self.loops: list[int] = []
        self.body: int | None = None
        self.tries = 0
        self.trying = False
        self.raised_again: set[int] = set()
        """The `try` statements whose `except` ends with `raise`."""
        self.settles: tuple[int, ...] = ()
        self.ending: tuple[int, ...] = ()
        """The steps of the last `finally` so far."""
        self.finals: frozenset[int] = frozenset()
        """Those of a `finally` that ends the workflow: the run's own, which a cancelled run goes through too."""
        self.assigned: list[tuple[str, int]] = []
        """Each assignment so far, with the number of steps before it."""

    def assign(self, name: str, value: Value | Unusable, *, fresh: bool = False) -> None:
        """Let a variable hold a value."""
        self.variables[name] = value
        self.fresh.discard(name)
        if fresh:
            self.fresh.add(name)
        self.assigned.append((name, len(self.made)))

    @contextmanager
    def under(self, *conditions: Value) -> Iterator[None]:
        """Compile what is reached only under these conditions."""
        before = self.path
        self.path = (*before, *conditions)
        try:
            yield
        finally:
            self.path = before

    def by_number(self, number: int) -> Made:
        """Return a step."""
        return self.made[number - 1]

    def add(self, name: str, step: Called | None, node: ast.AST, **fields: Any) -> Made:
        """Add a step under the conditions that hold here."""
        made = Made(len(self.made) + 1, name, step, fields.pop("arguments", {}), self.path, node, **fields)
        made.body = self.body if made.catches is None else None
        made.settles = self.settles
        self.made.append(made)
        return made
