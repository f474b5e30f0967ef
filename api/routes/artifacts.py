"""Artifacts of steps: listed with what is known of each, and downloaded."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from starlette.concurrency import run_in_threadpool

from api.artifacts import BINARY, IMAGES, find_artifact, list_artifacts
from api.downloads import send_object
from api.lineage import made_by
from api.output_schemas import ArtifactInfo, Artifacts, Lineage
from api.problems import not_found
from api.routes.logs import StepKey, require_step
from api.routes.runs import RunId
from api.services import InDatabase, InObjects
from api.strict_json import StrictRoute

router = APIRouter(tags=["artifacts"], route_class=StrictRoute)

MAX_PAGE = 1_000
Name = Annotated[str, Path(max_length=600)]


@router.get("/runs/{run}/steps/{key}/artifacts", summary="A step's artifacts")
async def list_(
    run: RunId,
    key: StepKey,
    database: InDatabase,
    objects: InObjects,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
    after: Annotated[str, Query(max_length=600, description="The `next` of the page before.")] = "",
) -> Artifacts:
    """Return the files that the step's newest attempt has left, in order of their names.

    Of a step whose output was reused: those of the attempt that made it, which `made_by` names.
    """
    made = await made_by(database, run, await require_step(database, run, key))
    if made.folder is None:
        return Artifacts(artifacts=[], made_by=None, next=None)
    found = await run_in_threadpool(list_artifacts, objects, made.folder)
    rest = [each for each in found if each.name > after]
    shown = [ArtifactInfo.model_validate(each) for each in rest[:limit]]
    lineage = Lineage(run=made.run, step=made.key)
    return Artifacts(artifacts=shown, made_by=lineage, next=shown[-1].name if len(rest) > limit else None)


@router.get(
    "/runs/{run}/steps/{key}/artifacts/{name:path}",
    summary="Download an artifact",
    responses={200: {"description": "The file.", "content": {BINARY: {}}}},
    response_class=Response,
)
async def get(run: RunId, key: StepKey, name: Name, database: InDatabase, objects: InObjects) -> Response:
    """Send an artifact, to be saved; of PNG, JPEG and GIF images the type is said, so that a page can show them."""
    made = await made_by(database, run, await require_step(database, run, key))
    found = None if made.folder is None else await run_in_threadpool(find_artifact, objects, made.folder, name)
    if found is None:
        raise not_found("artifact", name)
    shown = found.type if found.type in IMAGES else BINARY
    return await send_object(
        objects, found.key, found.size, found.sha256, media_type=shown, name=name.rsplit("/", 1)[-1]
    )
