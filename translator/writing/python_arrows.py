"""The arrows between steps: `a >> [b, c] >> d`, and `a.when(...) >> b` for those with a condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from translator.writing.python_expressions import Names
from translator.writing.python_layout import WIDTH
from translator.writing.python_values import Values


@dataclass(slots=True)
class _Row:
    """A statement: groups of variables joined by arrows, with the comments above it."""

    groups: list[list[str]]
    above: list[str] = field(default_factory=list)

    def text(self) -> str:
        return " >> ".join(group[0] if len(group) == 1 else f"[{', '.join(group)}]" for group in self.groups)


def arrow_lines(steps: Mapping[str, Any], variables: Mapping[str, str], pointer: str, values: Values) -> list[str]:
    """Return the statements that join steps.

    Args:
        steps: Id to the step's keys.
        variables: Id to variable, of all steps.
        pointer: Where the steps are in the definition.
        values: Writes conditions; comments of needs are used up.
    """
    rows: list[_Row] = []
    conditional: list[str] = []
    for name, step in steps.items():
        needs = _needs(step.get("needs"))
        above = values.comments.take_under(f"{pointer}/{name}/needs")
        plain = [variables[need] for need, condition in needs.items() if condition is None or condition is True]
        if plain:
            _join(rows, plain, variables[name], above)
            above = []
        lines = [*_conditional(needs, name, variables, values)]
        conditional += [*above, *lines] if lines else []
    return [line for row in rows for line in [*row.above, row.text()]] + conditional


def _join(rows: list[_Row], sources: list[str], target: str, above: list[str]) -> None:
    """Add arrows from sources to a target, to a row that they continue or as one of their own."""
    for row in rows if not above else ():
        last_from = row.groups[-2]
        fits = len(row.text()) + len(target) + 10 < WIDTH - 20
        # Python has no arrow from a list to a list.
        if fits and len(sources) == 1 and last_from == sources:
            row.groups[-1].append(target)
            return
        if fits and len(sources) == 1 and row.groups[-1] == sources:
            row.groups.append([target])
            return
    rows.append(_Row([sources, [target]], above))


def _conditional(needs: Mapping[str, Any], name: str, variables: Mapping[str, str], values: Values) -> Iterator[str]:
    for need, condition in needs.items():
        if condition is None or condition is True:
            continue
        names = Names(variables, None, (variables[need], need), values.names.used)
        written = Values(values.comments, names).condition(condition)
        yield f"{variables[need]}.when({written}) >> {variables[name]}"


def _needs(needs: Any) -> dict[str, Any]:
    if isinstance(needs, dict):
        return needs
    return dict.fromkeys([needs] if isinstance(needs, str) else needs or [])
