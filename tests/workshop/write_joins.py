"""Writes the tables of docs/joins.md from `workflows.rules`: `python -m tests.workshop.write_joins`.

What people wrote on the page stays; what stands between the two marks is made anew. test_joins.py says when it is due.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from workflows.plan import TriggerRule
from workflows.rules import EdgeState, decide, is_eager, starts_at_once

PAGE = Path(__file__).parents[2] / "docs" / "joins.md"
BEGIN = "<!-- From here on written by `python -m tests.workshop.write_joins`. -->\n"
END = "<!-- Until here. -->\n"

STATES: tuple[EdgeState, ...] = ("succeeded", "skipped", "failed", "upstream_failed", "cancelled")
RULES: tuple[TriggerRule, ...] = get_args(TriggerRule)

MEANING: dict[TriggerRule, str] = {
    "all_success": "All needs succeeded. A failure wins over a skip, whichever came first.",
    "all_failed": "All needs are broken: they failed, were cancelled, or could not start.",
    "all_done": "All needs have ended, however.",
    "all_skipped": "All needs were skipped.",
    "one_success": "One need succeeded. When all were skipped, so is the step.",
    "one_failed": "One need is broken.",
    "one_done": "One need has run to its end: it succeeded, failed or was cancelled.",
    "none_failed": "No need is broken; skips are fine, even when nothing else is left.",
    "none_failed_min_one_success": "No need is broken and one succeeded: the rule of a join behind branches.",
    "none_skipped": "No need was skipped; failures are fine.",
    "always": "Nothing is asked.",
}


def page(text: str) -> str:
    """Return the page with its tables made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + tables() + "\n" + END + after


def tables() -> str:
    """Return the overview, then a table for each rule."""
    return "\n\n".join(["## At a glance\n\n" + overview(), *(f"## {rule}\n\n{section(rule)}" for rule in RULES)]) + "\n"


def overview() -> str:
    """Return what each rule makes of a step with a single need, and what starts it early."""
    rows = [[f"[`{rule}`](#{rule})", *(verdict(rule, state) for state in STATES), early(rule)] for rule in RULES]
    return table(["its only need", *STATES, "starts early"], rows)


def section(rule: TriggerRule) -> str:
    """Return a rule's meaning, and its verdict over every pair of states."""
    rows = [[f"**{one}**", *(verdict(rule, one, other) for other in STATES)] for one in STATES]
    return f"{MEANING[rule]}\n\nStarts early: {early(rule)}.\n\n{table(['', *STATES], rows)}"


def verdict(rule: TriggerRule, *states: EdgeState) -> str:
    """Return what a rule makes of these states, with the starts where the eye finds them."""
    found = decide(rule, states)
    return "**start**" if found == "start" else found


def early(rule: TriggerRule) -> str:
    """Say when a step with this rule does not wait for all its needs."""
    if rule == "always":
        return "at once"
    if not is_eager(rule):
        return "no"
    *others, last = (state for state in STATES if starts_at_once(rule, state))
    return "on the first " + " or ".join([", ".join(others), last] if others else [last])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(_lines([list(head), ["---"] * len(head), *rows]))


def _lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in rows:
        yield f"| {' | '.join(row)} |".replace("|  |", "| |")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
