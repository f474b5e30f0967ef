"""Warns where an output is read that may be null, because its step may have been skipped or have failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from translator.definition import StepDefinition, Use
from translator.forecast.states import Outlook, together
from translator.lint.codes import Warned
from translator.lint.guards import asked_in, unguarded
from translator.lint.subject import Subject
from workflows.expressions.tree import Name, Node, children
from workflows.expressions.unparse import unparse
from workflows.plan import Step
from workflows.rules import EdgeState, decide, is_eager


def check_nulls(subject: Subject, outlooks: Mapping[str, Outlook], happy: Mapping[str, Outlook]) -> None:
    """Warn about unguarded reads.

    Args:
        subject: The definition.
        outlooks: What can become of each step.
        happy: The same when no step fails.
    """
    phases = {step.id: step.phase for step in subject.plan.steps}
    for step, written in subject.own_steps():
        there = _there(step, outlooks[step.id], phases)
        for use in written.uses:
            _check(subject, use, [*_guards(step, use, written, there, outlooks)])
    sure = [name for name in phases if happy[name].states == {"succeeded"}]
    for use in subject.definition.uses:
        _check(subject, use, sure)


def _guards(
    step: Step, use: Use, written: StepDefinition, there: list[str], outlooks: Mapping[str, Outlook]
) -> Iterator[str]:
    """Yield the steps whose output is there where an expression is evaluated."""
    if use.edge_from is not None:
        # The condition of an edge is looked at whatever became of the other needs.
        yield use.edge_from
        yield from (need.step for need in written.needs if outlooks[need.step].states == {"succeeded"})
        return
    yield from there
    if use.expression.text != step.condition:
        yield from asked_in(step.condition)


def _there(step: Step, outlook: Outlook, phases: Mapping[str, str]) -> list[str]:
    """Return the needs that must have succeeded when a step starts."""
    sure = []
    rule, kinds = step.trigger_rule, Counter(outlook.edges)
    starts: dict[frozenset[EdgeState], bool] = {}
    for edge, states in zip(step.needs, outlook.edges, strict=True):
        if rule == "always" or (is_eager(rule) and len(step.needs) > 1):
            continue
        if states not in starts:
            # Needs that are alike are asked about once.
            others = together((kinds - Counter([states])).elements())
            starts[states] = any(
                decide(rule, [state, *held]) == "start" for state in states - {"succeeded"} for held in others
            )
        if not starts[states]:
            sure.append(edge.step)
    return sure


def _check(subject: Subject, use: Use, there: list[str]) -> None:
    for name, node in unguarded(use.expression.tree, frozenset(there)):
        subject.warn(
            use.inside(_start(node)),
            Warned.NULL_READ,
            f'the output of step "{name}" is null when it was skipped or failed, and then this cannot be read',
            f"guard it: {_guarded(unparse(node), name)}",
        )


def _guarded(text: str, name: str) -> str:
    """Return the same read with `?.`, or with `has()` where that cannot be."""
    whole = f"steps.{name}.output"
    if text.startswith(whole + ".") and "(" not in text and "[" not in text:
        return f"{whole}?.{text[len(whole) + 1 :]}"
    return f"steps.{name}.status == 'succeeded' && ..."


def _start(node: Node) -> int:
    """Return where a read begins in the text of its expression: at the first name of its path."""
    while not isinstance(node, Name) and children(node):
        node = children(node)[0]
    return node.at
