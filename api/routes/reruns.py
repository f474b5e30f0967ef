"""Running again what an older run did, in a new run that takes over the outputs of what need not run again.

The outputs are those that people see: from the metadata database, which outlives Temporal's histories.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api.executions import start_execution
from api.operation_schemas import Again, Rerun, Rerunning
from api.problems import Problem, invalid, not_found, some
from api.routes.runs import (
    IdempotencyKey,
    RunId,
    checked_params,
    require_fitting,
    require_run,
    shown_run,
)
from api.run_ids import new_run_id
from api.services import Actor, InDatabase, InObjects, InServices, InTemporal
from api.strict_json import StrictRoute
from store import rows
from store.database import Database
from store.objects import ObjectStore
from store.recording import get_request
from store.runs import IdempotencyConflict, create_run, get_run_steps
from store.vars import get_vars
from store.workflows import get_version
from workflows.maps import MAX_INLINE_LIST
from workflows.messages import Cause, Operation, RunRequest
from workflows.plan import Plan
from workflows.reruns import Choice, changes, choose
from workflows.values import json_size, object_keys

router = APIRouter(tags=["operations"], route_class=StrictRoute)


@router.post("/runs/{run}/rerun", status_code=201, summary="Run a run again, from some steps on")
async def rerun(
    run: RunId,
    body: Rerun,
    response: Response,
    services: InServices,
    database: InDatabase,
    temporal: InTemporal,
    objects: InObjects,
    actor: Actor,
    idempotency_key: IdempotencyKey = None,
) -> Rerunning:
    """Start a new run that takes over what an ended one did, but for some steps and all that follows them.

    These run again: the named ones, those that did not succeed, those whose definition, or a param or variable that
    they read, is another now, and what follows any of them. `finally` steps always run.
    """
    row = await require_run(database, run)
    if not row.ended:
        raise Problem(409, "run_goes_on", f"The run {run!r} goes on. Wait for its end, or cancel it first.")
    wish = Operation(idempotency_key or uuid4().hex, "rerun", actor, body.reason, list(body.from_))
    old, request = await _requests(database, row, body, wish)
    done = await get_run_steps(database, run)
    choice = _choice(old, request, done, body)
    request.kept = _kept(row.id, choice, done)
    await _require_outputs(objects, request.kept)
    require_fitting(request)
    plan = Plan.from_json(request.plan or {})
    idempotency = None if idempotency_key is None else (idempotency_key, _digest(run, body))
    try:
        made, created = await create_run(database, new_run_id(plan.workflow), request, idempotency=idempotency)
    except IdempotencyConflict:
        detail = "This Idempotency-Key was used before with another body."
        raise Problem(409, "idempotency_conflict", detail) from None
    response.headers["Location"] = f"/api/v1/runs/{made.id}"
    if created:
        async with temporal.session() as client:
            await start_execution(client, made.id, request, plan)
    else:
        response.status_code = 200
    return Rerunning(
        run=await shown_run(services, database, made),
        kept=choice.kept,
        again=[Again(step=step, why=why) for step, why in choice.again.items()],
        notes=_notes(old, request),
    )


async def _requests(database: Database, row: rows.Run, body: Rerun, wish: Operation) -> tuple[RunRequest, RunRequest]:
    """Return what the old run was asked, and what the new one is."""
    old = await get_request(database, row.id)
    if old is None or old.plan is None:
        detail = f"What the run {row.id!r} ran is not known any more. Start a new run of {row.workflow!r}."
        raise Problem(409, "run_forgotten", detail)
    version = await get_version(database, row.workflow, body.version)
    if version is None:
        raise not_found("workflow version", f"{row.workflow} {body.version or ''}".strip())
    plan = Plan.from_json(version.plan)
    given = {name: value for name, value in old.params.items() if name in plan.params} | body.params
    request = replace(
        old,
        version=version.version,
        plan=plan.compact(),
        bundle=version.bundle,
        params=checked_params(plan, given),
        vars=await get_vars(database),
        cause=Cause("rerun", row.id),
        again=wish,
        depth=0,
    )
    return old, request


def _choice(old: RunRequest, request: RunRequest, done: list[rows.Step], body: Rerun) -> Choice:
    before, after = Plan.from_json(old.plan or {}), Plan.from_json(request.plan or {})
    main = [step.id for step in after.steps if step.phase == "main"]
    hint = f"is no step to rerun from; those under steps are {some(main)}"
    wrong = [(f"from[{place}]", f"{n!r} {hint}") for place, n in enumerate(body.from_) if n not in main]
    if wrong:
        raise invalid(wrong, code="step_not_found")
    changed = changes("params", old.params, request.params) + changes("vars", old.vars, request.vars)
    states = {step.key: step.state for step in done if step.item is None}
    choice = choose(before, after, states, body.from_, changed)
    if not choice.again and all(state in ("succeeded", "skipped") for state in states.values()):
        detail = "Nothing would run again: every step succeeded, and nothing that they read has changed."
        way = f"Name where to begin with `--from STEP`, or start afresh with `segue run {request.workflow}`."
        raise Problem(409, "nothing_to_rerun", f"{detail} {way}")
    return choice


def _kept(run: str, choice: Choice, done: list[rows.Step]) -> dict[str, Any]:
    """Return the outputs that are taken over, by step."""
    by_key = {step.key: step for step in done}
    items: dict[str, list[rows.Step]] = {}
    for step in done:
        if step.item is not None:
            items.setdefault(step.step, []).append(step)
    kept = {}
    for name in choice.kept:
        step = by_key[name]
        # Of a rerun of a rerun, and of a reused output: where it was made.
        made = step.detail.get("kept", step.detail.get("reused", {})).get("run", run)
        value = _map_output(items[name]) if step.output is None and name in items else step.output
        kept[name] = {"run": made, "value": value, "output": step.output_object}
    return kept


def _map_output(items: list[rows.Step]) -> list[Any]:
    """Return a map's output from its items: a list for each level of maps, and references where it is large."""
    large = sum(json_size(item.output) for item in items) > MAX_INLINE_LIST
    root: list[Any] = []
    for item in sorted(items, key=lambda each: each.item or 0):
        path = [int(number) for number in re.findall(r"\d+", item.key.removeprefix(item.step))]
        level = root
        for number in path[:-1]:
            while len(level) <= number:
                level.append([])
            level = level[number]
        while len(level) <= path[-1]:
            level.append(None)
        level[path[-1]] = item.output_object if large and item.output_object is not None else item.output
    return root


async def _require_outputs(objects: ObjectStore, kept: dict[str, Any]) -> None:
    """Refuse to take over what the object store has no more."""
    gone = await run_in_threadpool(_gone, objects, kept)
    if gone:
        detail = f"The outputs of {', '.join(gone)} are gone from the object store."
        raise Problem(409, "outputs_gone", f"{detail} Name them with `--from`, and they run again.", steps=gone)


def _gone(objects: ObjectStore, kept: dict[str, Any]) -> list[str]:
    return [
        name
        for name, entry in kept.items()
        if any(objects.stat(key) is None for key in object_keys([entry["value"], entry["output"]]))
    ]


def _notes(old: RunRequest, request: RunRequest) -> list[str]:
    notes = []
    if old.version != request.version:
        notes.append(f"It runs version {request.version}; the older run was of version {old.version}.")
    if old.bundle != request.bundle and request.kept:
        notes.append("The code is another: the outputs that are kept were made by the older code.")
    names = {step["id"] for step in (request.plan or {}).get("steps", [])}
    dropped = [step["id"] for step in (old.plan or {}).get("steps", []) if step["id"] not in names]
    if dropped:
        notes.append(f"These steps are there no more: {', '.join(dropped)}.")
    return notes


def _digest(run: str, body: Rerun) -> str:
    return hashlib.sha256(json.dumps([run, body.model_dump()], sort_keys=True).encode()).hexdigest()
