"""Logs of steps: pages of lines, for one attempt at a time, while it runs and afterwards."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool

from api.output_schemas import Log, LogLine
from api.problems import not_found
from api.routes.runs import RunId
from api.run_ids import ATTEMPT_PATTERN, STEP_KEY_PATTERN
from api.services import InDatabase, InObjects
from api.step_logs import read_log
from api.strict_json import StrictRoute
from store import rows
from store.attempts import list_attempts, step_prefix
from store.database import Database
from store.runs import get_run, get_step
from workflows.messages import TERMINAL_STEP_STATES

router = APIRouter(tags=["logs"], route_class=StrictRoute)

StepKey = Annotated[str, Path(pattern=STEP_KEY_PATTERN, examples=["train[0]"])]


@router.get("/runs/{run}/steps/{key}/logs", summary="A step's log")
async def get(
    run: RunId,
    key: StepKey,
    database: InDatabase,
    objects: InObjects,
    attempt: Annotated[str | None, Query(pattern=ATTEMPT_PATTERN, description="Default: the newest.")] = None,
    after: Annotated[int, Query(ge=0, le=999_999, description="The `next` of the page before.")] = 0,
) -> Log:
    """Return the lines behind `after`; ask again with `next` until `complete`."""
    # The state is read first: a step that had ended by then has written all there is to read.
    step = await require_step(database, run, key)
    attempts = await run_in_threadpool(list_attempts, objects, run, key)
    if attempt is not None and attempt not in attempts:
        raise not_found("attempt", attempt)
    shown = attempt or (attempts[-1] if attempts else None)
    over = step.state in TERMINAL_STEP_STATES or (shown is not None and shown != attempts[-1])
    if shown is None:
        return Log(attempt=None, attempts=[], lines=[], next=after, complete=over)
    page = await run_in_threadpool(read_log, objects, step_prefix(run, key) + shown, after)
    # A worker that was killed never says that it is done.
    complete = page.ended or (page.exhausted and over)
    lines = [LogLine(**line) for line in page.lines]
    return Log(attempt=shown, attempts=attempts, lines=lines, next=page.next, complete=complete)


async def require_step(database: Database, run: str, key: str) -> rows.Step:
    """Return the step or item of a run, or raise the 404."""
    step = await get_step(database, run, key)
    if step is None:
        raise not_found("run", run) if await get_run(database, run) is None else not_found("step", key)
    return step
