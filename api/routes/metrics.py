"""Metrics of steps: the numbers that a step tells while it runs, over time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from api.output_schemas import Metrics, Series
from api.problems import not_found
from api.routes.logs import StepKey, require_step
from api.routes.runs import RunId
from api.run_ids import ATTEMPT_PATTERN
from api.services import InDatabase, InObjects
from api.step_metrics import read_metrics
from api.strict_json import StrictRoute
from store.attempts import list_attempts

router = APIRouter(tags=["metrics"], route_class=StrictRoute)


@router.get("/runs/{run}/steps/{key}/metrics", summary="A step's metrics")
async def get(
    run: RunId,
    key: StepKey,
    database: InDatabase,
    objects: InObjects,
    attempt: Annotated[
        str | None, Query(pattern=ATTEMPT_PATTERN, description="Only of this attempt; default: all, joined.")
    ] = None,
) -> Metrics:
    """Return the series that the step has told so far, each with its points in order."""
    await require_step(database, run, key)
    attempts = await run_in_threadpool(list_attempts, objects, run, key)
    if attempt is not None and attempt not in attempts:
        raise not_found("attempt", attempt)
    found = await run_in_threadpool(read_metrics, objects, run, key, [attempt] if attempt else attempts)
    return Metrics(
        attempts=attempts,
        series=[Series(name=name, steps=steps, values=values, at=at) for name, (steps, values, at) in found.items()],
    )
