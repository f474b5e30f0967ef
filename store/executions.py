"""How a run is started in Temporal, as plain data: the API starts runs, and the observer those it could not start.

Both must start the same execution under the same id, so that together they start it once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from workflows.messages import RunRequest
from workflows.places import MAX_WAIT_SECONDS
from workflows.plan import FINALLY_SECONDS, Plan

GRACE = timedelta(minutes=15)
"""What a run gets beyond its own time-out to cancel its steps and record its end, before Temporal ends it."""


def execution_timeout(plan: Plan) -> timedelta:
    """Return when Temporal ends a run whose interpreter has not ended it in time.

    The run's own time-out does not count the wait for a place under a concurrency limit, nor the `finally` steps of a
    run that was stopped, and Temporal's cannot know it.
    """
    wait = 0.0 if plan.concurrency is None else MAX_WAIT_SECONDS
    finals = FINALLY_SECONDS if any(step.phase == "finally" for step in plan.steps) else 0.0
    return timedelta(seconds=plan.timeout + wait + finals) + GRACE


def task_timeout(steps: int) -> timedelta:
    """Return how long a workflow task may take before another worker gets it.

    Short, because a killed worker is noticed by it; but a replay of the whole history must fit, or the run never
    moves again: about 2 ms a step, and ten times that on a busy machine.
    """
    return timedelta(seconds=min(10.0, 2.0 + steps / 50))


def search_attributes(request: RunRequest) -> dict[str, str | int]:
    """Return what Temporal's own list of workflows can be filtered by; types are in `SEARCH_ATTRIBUTES`."""
    found: dict[str, str | int] = {"SegueWorkflow": request.workflow, "SegueTriggeredBy": request.cause.kind}
    if request.version is not None:
        found["SegueVersion"] = request.version
    return found


def summary(request: RunRequest) -> str:
    """Return the line that Temporal's UI shows for a run."""
    version = "" if request.version is None else f" v{request.version}"
    by = f" ({request.cause.id})" if request.cause.id else ""
    # Temporal refuses more than 400 bytes here.
    return f"{request.workflow}{version}, {request.cause.kind}{by}".encode()[:200].decode(errors="ignore")


def memo(request: RunRequest, plan: Plan) -> dict[str, Any]:
    """Return the facts that Temporal keeps beside a run."""
    return {"workflow": request.workflow, "version": request.version, "plan_hash": plan.content_hash}
