"""Plans of steps that no worker runs, for tests of `segue.testing`."""

from __future__ import annotations

from typing import Any

from tests.workflows.driving import Needs, step
from workflows.own_steps import MAX_WAIT_SECONDS
from workflows.plan import Plan, Step, Timeout

AS_LONG_AS_THE_RUN = Timeout(MAX_WAIT_SECONDS)
"""What such a step has where its author says nothing."""


def plan(*steps: Step, name: str = "flow", **fields: Any) -> dict[str, Any]:
    """Return a plan as JSON."""
    return Plan(name, steps, **fields).to_json()


def work(name: str, needs: Needs = (), **fields: Any) -> Step:
    """Return a step that a worker runs."""
    return step(name, needs, kind="python", action={"callable": "m:f"}, **fields)


def wait(name: str, needs: Needs = (), **action: Any) -> Step:
    """Return a step that waits."""
    fields = {"timeout": AS_LONG_AS_THE_RUN} | {key: action.pop(key) for key in ("timeout", "map") if key in action}
    return step(name, needs, kind="wait", action=action, **fields)


def published(name: str = "data", needs: Needs = (), condition: str | None = None, **fields: Any) -> Step:
    """Return a step that waits for the event `published`."""
    return wait(name, needs, event={"name": "published", "if": condition}, **fields)


def ask(name: str = "ask", needs: Needs = (), **action: Any) -> Step:
    """Return a step that asks for an approval."""
    fields = {key: action.pop(key) for key in ("map",) if key in action}
    return step(name, needs, kind="approve", action=action, **fields)


def call(name: str = "sub", needs: Needs = (), **fields: Any) -> Step:
    """Return a step that runs the workflow `other`."""
    fields = {"timeout": AS_LONG_AS_THE_RUN} | fields
    return step(name, needs, kind="workflow", action={"workflow": "other", "version": None}, **fields)
