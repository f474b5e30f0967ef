"""The run as a Markdown table, for Temporal's own UI.

Bounded in size, and redrawn only as often as keeps the cost of a whole run linear in its steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from workflows.messages import TERMINAL_STEP_STATES, Transition
from workflows.plan import Step

MAX_ROWS = 100
MAX_CELL = 120


class Board:
    """The latest state and reason of each step."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._rows: dict[str, tuple[str, str]] = {step.id: ("waiting", "") for step in steps}
        self._counts: dict[str, int] = {"waiting": len(steps)}
        self._changes = 0
        # Drawing looks at each step once: so many times more seldom, the longer the plan.
        self._patience = max(1, min(len(steps), MAX_ROWS) // 10, len(steps) // 50)

    def note(self, transition: Transition) -> None:
        """Take in a transition; those of the run and of items are left out."""
        before = self._rows.get(transition.key)
        if before is None:
            return
        self._counts[before[0]] -= 1
        self._counts[transition.state] = self._counts.get(transition.state, 0) + 1
        self._rows[transition.key] = (transition.state, transition.reason)
        self._changes += 1

    def begin_with(self, states: Sequence[str]) -> None:
        """Take in how far the steps were, in plan order."""
        for key, state in zip(list(self._rows), states, strict=True):
            self.note(Transition(0, 0.0, key, state, "" if state == "waiting" else "before the run went on"))

    def due(self) -> bool:
        """Say whether enough has changed to draw again."""
        return self._changes >= self._patience

    def draw(self) -> str:
        """Return the table; in a long plan, the steps that are not over and then the first of the others."""
        self._changes = 0
        counts = ", ".join(f"{count} {state}" for state, count in self._counts.items() if count)
        lines = [counts or "no steps", "", "| step | state | why |", "| --- | --- | --- |"]
        for name in self._shown():
            state, reason = self._rows[name]
            lines.append(f"| {name} | {state} | {_cell(reason)} |")
        if len(self._rows) > MAX_ROWS:
            lines.append(f"\n{len(self._rows) - MAX_ROWS:,} more steps are not shown.")
        return "\n".join(lines)

    def _shown(self) -> list[str]:
        names = list(self._rows)
        if len(names) <= MAX_ROWS:
            return names
        moving = [name for name in names if self._rows[name][0] not in TERMINAL_STEP_STATES | {"waiting"}]
        others = [name for name in names if self._rows[name][0] in TERMINAL_STEP_STATES | {"waiting"}]
        return (moving + others)[:MAX_ROWS]


def _cell(text: str) -> str:
    line = text.replace("\n", " ").replace("|", "\\|")
    return line if len(line) <= MAX_CELL else line[: MAX_CELL - 3] + "..."
