"""What steps leave: their outputs and files, from the object store.

Keys of objects come from the database, or are made here from checked parts; never from a request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from starlette.concurrency import run_in_threadpool

from api.downloads import damaged, send_object
from api.output_schemas import FileInfo, Files
from api.problems import Problem, not_found
from api.routes.logs import StepKey, require_step
from api.routes.runs import RunId
from api.services import InDatabase, InObjects
from api.strict_json import StrictRoute
from store import rows
from store.attempts import step_prefix
from store.objects import ObjectStore
from workflows.messages import REFERENCE

router = APIRouter(tags=["outputs"], route_class=StrictRoute)

MAX_FILES = 1_000
MAX_SEARCHED_BYTES = 8 * 1024 * 1024
"""A larger output is not searched for the sums of its files; they are then shown without."""


@router.get(
    "/runs/{run}/steps/{key}/output",
    summary="A step's output",
    responses={200: {"description": "The output, any JSON.", "content": {"application/json": {}}}},
    response_class=Response,
)
async def get_output(run: RunId, key: StepKey, database: InDatabase, objects: InObjects) -> Response:
    """Return the whole output of a step that succeeded, checked against its recorded sha256."""
    step = await require_step(database, run, key)
    if step.state != "succeeded":
        raise Problem(404, "no_output", f"The step {key!r} is {step.state}: it has no output.")
    reference = step.output_object
    if reference is None:  # a map, or a step that runs nowhere: the value is all there is
        return Response(json.dumps(step.output), media_type="application/json")
    _check_own(reference["key"], step.detail.get("kept", {}).get("run", run))
    return await send_object(
        objects, reference["key"], reference["size"], reference["sha256"], media_type="application/json"
    )


@router.get("/runs/{run}/steps/{key}/files", summary="A step's files")
async def list_files(run: RunId, key: StepKey, database: InDatabase, objects: InObjects) -> Files:
    """Return the files that the step's newest attempt has left."""
    step = await require_step(database, run, key)
    found = await run_in_threadpool(_files, objects, run, step)
    return Files(files=[FileInfo(**shown) for shown, _ in found])


@router.get(
    "/runs/{run}/steps/{key}/files/{name:path}",
    summary="Download a file",
    responses={200: {"description": "The file.", "content": {"application/octet-stream": {}}}},
    response_class=Response,
)
async def get_file(
    run: RunId, key: StepKey, name: Annotated[str, Path(max_length=500)], database: InDatabase, objects: InObjects
) -> Response:
    """Send a file of the step's newest attempt, to be saved and never to be shown by a browser."""
    step = await require_step(database, run, key)
    for shown, object_key in await run_in_threadpool(_files, objects, run, step):
        if shown["name"] == name:
            return await send_object(
                objects,
                object_key,
                shown["size"],
                shown["sha256"],
                media_type="application/octet-stream",
                name=name.rsplit("/", 1)[-1],
            )
    raise not_found("file", name)


def _files(objects: ObjectStore, run: str, step: rows.Step) -> list[tuple[dict[str, Any], str]]:
    """Return what is shown of each file, with its key: artifacts first, then what the output refers to."""
    if step.folder is None:
        return []
    _check_own(step.folder, run, step.key)
    recorded = {reference["key"]: reference for reference in _references(_whole_output(objects, run, step))}
    found: list[tuple[dict[str, Any], str]] = []
    for part, kind in (("artifacts", "artifact"), ("files", "file")):
        prefix = f"{step.folder}/{part}/"
        for info in objects.list(prefix):
            reference = recorded.get(info.key, {})
            shown = {
                "name": info.key.removeprefix(prefix),
                "size": info.size,
                "sha256": reference.get("sha256"),
                "kind": reference.get(REFERENCE, kind),
            }
            found.append((shown, info.key))
            if len(found) >= MAX_FILES:
                return found
    return found


def _whole_output(objects: ObjectStore, run: str, step: rows.Step) -> Any:
    value = step.output
    if isinstance(value, dict) and value.get(REFERENCE) == "json":
        _check_own(value["key"], run)
        if value["size"] > MAX_SEARCHED_BYTES:
            return None
        return json.loads(objects.get(value["key"]))
    return value


def _references(value: Any) -> Iterator[dict[str, Any]]:
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if part.get(REFERENCE) in ("file", "bytes"):
                yield part
            else:
                stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)


def _check_own(key: str, run: str, step: str | None = None) -> None:
    """Refuse a recorded key that is not the run's own: whoever wrote it must not open another run's objects."""
    if not key.startswith(f"runs/{run}/" if step is None else step_prefix(run, step)):
        raise damaged()
