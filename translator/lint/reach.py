"""Warns about steps that can never start, conditions that never change, and failures that nobody would see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, product

from translator.definition import StepDefinition
from translator.diagnostics import one_of
from translator.forecast.folding import Path, truth
from translator.forecast.states import Outlook
from translator.lint.codes import Warned
from translator.lint.subject import Subject
from workflows.expressions import ExpressionError, parse
from workflows.expressions.tree import Binary, Literal, Member, Name, Node, Unary
from workflows.expressions.unparse import unparse
from workflows.plan import Edge, Plan, Step

MAX_CASES = 64
"""Combinations of allowed values that a condition is tried with."""
MAX_DEMANDS = 24
"""Conditions along the way to a step that are compared with each other: the last ones."""
_OPPOSITE = {("==", "!="), ("<", ">="), (">", "<="), ("<", ">"), ("==", "<"), ("==", ">")}
_PASSES_ON = ("all_success", "none_failed", "none_failed_min_one_success")


class Constants:
    """Knows conditions whose value no run can change.

    A param or a declared output with `enum`, `const` or the type boolean has few values: all are tried.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.outputs = {step.id: step.output or {} for step in plan.steps if step.map is None}

    def holds(self, step: Step, edge: Edge | None) -> bool | None:
        """Return what a condition always is, or None."""
        text = step.condition if edge is None else edge.when
        return True if text is None else self.value(text, None if edge is None else edge.step)

    def value(self, text: str, edge_from: str | None) -> bool | None:
        """Return what a condition always is, or None when that differs or is not known."""
        try:
            paths = sorted(parse(text).references())
        except ExpressionError:
            return None
        choices: dict[Path, list[object]] = {}
        for path in paths:
            values = self.choices(path, edge_from)
            if values is not None:
                choices[path] = values
        cases = 1
        for values in choices.values():
            cases *= len(values)
        if cases > MAX_CASES:
            choices = {}
        found = {self._case(text, dict(zip(choices, case, strict=True))) for case in product(*choices.values())}
        return found.pop() if len(found) == 1 else None

    def choices(self, path: Path, edge_from: str | None) -> list[object] | None:
        """Return the values that a path can have, if they are few."""
        if path[0] == "params" and len(path) == 2:
            return _few(self.plan.params.get(path[1], {}))
        if path[0] == "output" and len(path) == 2 and edge_from is not None:
            declared = self.outputs.get(edge_from, {}).get(path[1])
            return _few(declared.get("schema", {})) if declared is not None else None
        return None

    def _case(self, text: str, values: Mapping[Path, object]) -> bool | None:
        scope: dict[str, dict[str, object]] = {}
        for (root, name), value in values.items():
            scope.setdefault(root, {})[name] = value
        return truth(text, scope, lambda path: path in values)


def _few(schema: object) -> list[object] | None:
    if not isinstance(schema, dict):
        return None
    if isinstance(schema.get("enum"), list):
        return list(schema["enum"])
    if "const" in schema:
        return [schema["const"]]
    return [True, False] if schema.get("type") == "boolean" else None


def check_conditions(subject: Subject, constants: Constants) -> None:
    """Warn about conditions that are always true or always false."""
    for _, written in subject.own_steps():
        for use, edge_from in subject.conditions(written):
            value = constants.value(use.expression.text, edge_from)
            if value is not None:
                word = "true" if value else "false"
                message = f"this condition is always {word}, whatever a run is given"
                hint = "leave it out" if value else "compare with a value that can be, or remove the step"
                subject.warn(use.inside(0), Warned.CONSTANT, message, hint)


def check_reach(subject: Subject, outlooks: Mapping[str, Outlook], constants: Constants) -> None:
    """Warn about steps that can never start."""
    demands: dict[str, dict[str, str]] = {}
    dead: set[str] = set()
    for step in subject.plan.steps:
        demands[step.id] = {} if step.trigger_rule != "all_success" else _inherited(step, demands)
        demands[step.id] |= dict(_own(step))
        demands[step.id] = dict([*demands[step.id].items()][-MAX_DEMANDS:])
        clash = _clash(demands[step.id])
        if outlooks[step.id].can_start and clash is None:
            continue
        told = any(edge.step in dead for edge in step.needs) or _is_constant(step, constants)
        dead.add(step.id)
        if not told and step.origin is None:
            _warn_unreachable(subject, step, subject.step(step.id), clash)


def _warn_unreachable(subject: Subject, step: Step, written: StepDefinition, clash: tuple[str, str] | None) -> None:
    if clash is not None:
        why = f"it needs both {clash[0]} and {clash[1]}"
        hint = "trigger_rule: none_failed_min_one_success starts it behind either branch"
    else:
        why = f'no state of {one_of(f"{edge.step}" for edge in step.needs)} lets "{step.trigger_rule}" start it'
        hint = "change its trigger_rule or its needs"
    subject.warn(written.at, Warned.UNREACHABLE, f'step "{step.id}" can never start: {why}', hint)


def _is_constant(step: Step, constants: Constants) -> bool:
    return any(constants.holds(step, edge) is False for edge in (None, *step.needs))


def _inherited(step: Step, demands: Mapping[str, dict[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for edge in step.needs:
        found |= demands[edge.step]
    return found


def _own(step: Step) -> Iterator[tuple[str, str]]:
    """Yield what must hold for a step to start, part by part: canonical text, and the text for people."""
    rule = step.trigger_rule == "all_success" or len(step.needs) == 1
    for edge in step.needs if rule and step.trigger_rule in ("all_success", "one_success") else ():
        if edge.when is not None:
            tree = parse(edge.when).tree
            yield from ((unparse(part), unparse(part)) for part in _parts(_named(tree, edge.step)))
    if step.condition is not None:
        yield from ((unparse(part), unparse(part)) for part in _parts(parse(step.condition).tree))


def _parts(node: Node) -> Iterator[Node]:
    if isinstance(node, Binary) and node.operator == "&&":
        yield from _parts(node.left)
        yield from _parts(node.right)
    else:
        yield node


def _named(node: Node, step: str) -> Node:
    """Put a step's own output in the place of `output` in a comparison's sides."""
    match node:
        case Name("output"):
            return Member(Member(Name("steps"), step), "output")
        case Member(inner, name, optional):
            return Member(_named(inner, step), name, optional)
        case Binary(operator, left, right):
            return Binary(operator, _named(left, step), _named(right, step))
        case Unary(operator, operand):
            return Unary(operator, _named(operand, step))
    return node


def _clash(demands: Mapping[str, str]) -> tuple[str, str] | None:
    """Return two demands that cannot both hold."""
    for one, other in combinations(demands, 2):
        if _excludes(parse(one).tree, parse(other).tree):
            return demands[one], demands[other]
    return None


def _excludes(one: Node, other: Node) -> bool:
    for a, b in ((one, other), (other, one)):
        if isinstance(a, Unary) and a.operator == "!" and a.operand == b:
            return True
        if isinstance(a, Binary) and isinstance(b, Binary) and a.left == b.left:
            literals = isinstance(a.right, Literal) and isinstance(b.right, Literal)
            if a.operator == b.operator == "==" and literals and a.right != b.right:
                return True
            if a.right == b.right and (a.operator, b.operator) in _OPPOSITE:
                return True
    return False


def check_failures(subject: Subject) -> None:
    """Warn about steps whose failure would leave the run succeeded."""
    users: dict[str, list[Step]] = {step.id: [] for step in subject.plan.steps}
    for step in subject.plan.steps:
        for edge in step.needs:
            users[edge.step].append(step)
    seen: set[str] = set()
    alike: dict[tuple[str, ...], list[Step]] = {}
    for step in reversed(subject.plan.steps):
        after = users[step.id]
        if not after or any(_passes_on(user) and user.id in seen for user in after) or step.phase == "finally":
            seen.add(step.id)
        elif not any(_passes_on(user) for user in after) and (step.kind != "noop" or step.needs):
            # Where the failure is passed on first, the warning is about the step that does not.
            alike.setdefault(tuple(user.id for user in after), []).append(step)
    for steps in alike.values():
        told = [step for step in reversed(steps) if step.origin is None]
        if told:
            _warn_unseen(subject, told, users[told[0].id])


def _warn_unseen(subject: Subject, steps: list[Step], after: list[Step]) -> None:
    names = one_of(f'"{user.id}" ({user.trigger_rule})' for user in after)
    others = f" or one of {len(steps) - 1} others" if len(steps) > 1 else ""
    message = f'when step "{steps[0].id}"{others} fails, the run can still succeed: behind it is only {names}'
    hint = f"the leaves decide a run's state: add another, such as {{needs: {steps[0].id}, uses: noop}}"
    if len(steps) > 1:
        hint = f"the leaves decide a run's state: add another that needs {one_of(step.id for step in steps)}"
    subject.warn(subject.step(steps[0].id).at, Warned.UNSEEN_FAILURE, message, hint)


def _passes_on(step: Step) -> bool:
    return step.trigger_rule in _PASSES_ON or (step.trigger_rule == "one_success" and len(step.needs) == 1)
