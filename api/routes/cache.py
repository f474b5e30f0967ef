"""Outputs that are kept for reuse: looked at, and let go."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.problems import invalid
from api.services import InObjects
from api.strict_json import StrictRoute
from store.cache import Claim, Claims, Computation
from store.columns import moment, text_of
from store.objects import ObjectStore

router = APIRouter(tags=["cache"], route_class=StrictRoute)

MAX_PAGE = 1_000
WORKFLOW_PATTERN = r"^[a-z][a-z0-9\-]{0,62}$"
STEP_PATTERN = r"^[A-Za-z][A-Za-z0-9_\-]{0,62}$"
Workflow = Annotated[str, Query(pattern=WORKFLOW_PATTERN)]
Step = Annotated[str | None, Query(pattern=STEP_PATTERN)]


class CachedOutput(BaseModel):
    """An output that is kept for reuse, or is being computed."""

    workflow: str
    step: str
    key: str = Field(description="Names what it was computed from: the same code, inputs and environment.")
    state: Literal["computing", "done"]
    run: str = Field(description="Which run computes it, or did.")
    step_key: str = Field(description="As which step or item of that run.", examples=["train[0]"])
    at: str | None = Field(description="When it was done; of one that is computed, when its worker last said so.")
    size: int = Field(description="Bytes of the output.")


class CachedOutputs(BaseModel):
    """Outputs by workflow and step."""

    outputs: list[CachedOutput]


class Cleared(BaseModel):
    """What was let go."""

    cleared: int = Field(description="Outputs that were there.")


@router.get("/cache", summary="Outputs kept for reuse")
async def list_(
    objects: InObjects,
    workflow: Annotated[str | None, Query(pattern=WORKFLOW_PATTERN)] = None,
    step: Step = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> CachedOutputs:
    """Return the outputs that are kept for reuse, and those that are being computed, by workflow and step."""
    if step is not None and workflow is None:
        raise invalid([("workflow", "must be given, where a step is")])
    return CachedOutputs(outputs=await run_in_threadpool(_listed, objects, workflow, step, limit))


@router.delete("/cache", summary="Clear outputs kept for reuse")
async def clear(objects: InObjects, workflow: Workflow, step: Step = None) -> Cleared:
    """Reuse nothing any more that was computed up to now, by a workflow or one of its steps."""
    return Cleared(cleared=await run_in_threadpool(Claims(objects).clear, workflow, step))


def _listed(objects: ObjectStore, workflow: str | None, step: str | None, limit: int) -> list[CachedOutput]:
    found = Claims(objects).every(workflow, step)
    shown = ((what, last.claim) for what, last in found if last.claim and last.claim.state in ("computing", "done"))
    return [_shown(what, claim) for what, claim in islice(shown, limit)]


def _shown(what: Computation, claim: Claim) -> CachedOutput:
    size = (claim.output or {}).get("size")
    return CachedOutput(
        workflow=what.workflow,
        step=what.step,
        key=what.digest,
        state="done" if claim.state == "done" else "computing",
        run=claim.run,
        step_key=claim.key,
        at=text_of(moment(claim.at)),
        size=size if isinstance(size, int) else 0,
    )
