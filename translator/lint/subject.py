"""What the checks look at: a valid definition as a tree, as it was read, and as its plan; and where warnings go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from translator.compile import compile_tree
from translator.definition import StepDefinition, Use, WorkflowDefinition
from translator.diagnostics import Diagnostic
from translator.lint.codes import Warned
from translator.located import Node, Position, Report, Spot
from translator.read_workflow import read_workflow
from translator.references import References
from translator.shared_steps import SharedFiles
from workflows.plan import Plan, Step


@dataclass(slots=True)
class Subject:
    """A definition under the eyes of the checks.

    Attributes:
        tree: What was written.
        definition: The same, read key by key.
        plan: What it compiles to.
        report: Knows the file and its lines.
        found: The warnings.
    """

    tree: Node
    definition: WorkflowDefinition
    plan: Plan
    report: Report
    found: list[Diagnostic] = field(default_factory=list)

    @classmethod
    def of(cls, tree: Node, report: Report, files: Mapping[str, str]) -> Subject:
        """Read a tree.

        Raises:
            DefinitionError: It is not valid.
        """
        plan = compile_tree(tree, report, files)
        quiet = Report(report.file, report.lines)
        definition = read_workflow(tree, quiet, SharedFiles(files, quiet))
        References(definition, quiet).check()
        return cls(tree, definition, plan, report)

    def warn(
        self, at: Node | Spot | Position, code: Warned, message: str, hint: str = "", *, show_line: bool = True
    ) -> None:
        """Add a warning at a place; without its line when that must not be shown."""
        place = at if isinstance(at, Position) else at.position
        lines = self.report.lines
        source = lines[place.line - 1] if show_line and 0 < place.line <= len(lines) else ""
        warning = Diagnostic(self.report.file, place.line, place.column, code, message, hint, source[:10_000])
        if warning not in self.found:
            self.found.append(warning)

    def step(self, name: str) -> StepDefinition:
        """Return a step as it was read."""
        return self.definition.steps[name]

    def own_steps(self) -> Iterator[tuple[Step, StepDefinition]]:
        """Yield the steps that are written in the definition itself, as compiled and as read."""
        for step in self.plan.steps:
            if step.origin is None:
                yield step, self.step(step.id)

    def conditions(self, step: StepDefinition) -> Iterator[tuple[Use, str | None]]:
        """Yield the conditions of a step that are expressions: of edges with the need's id, its `if` with None."""
        edges = {(need.step, need.when) for need in step.needs}
        for use in step.uses:
            if use.edge_from is not None and (use.edge_from, use.expression.text) in edges:
                yield use, use.edge_from
            elif use.edge_from is None and use.expression.text == step.condition and self._is_if(step, use):
                yield use, None

    def _is_if(self, step: StepDefinition, use: Use) -> bool:
        node = self.node("steps", step.id, "if") or self.node("finally", step.id, "if")
        return node is use.node

    def node(self, *path: str) -> Node | None:
        """Return the value at a path of keys, if it is there."""
        node = self.tree
        for key in path:
            entry = node.mapping.get(key)
            if entry is None:
                return None
            node = entry.value
        return node

    def key(self, *path: str) -> Node | None:
        """Return the key at the end of a path, if it is there."""
        parent = self.node(*path[:-1]) if len(path) > 1 else self.tree
        entry = parent.mapping.get(path[-1]) if parent is not None else None
        return entry.key if entry is not None else None
