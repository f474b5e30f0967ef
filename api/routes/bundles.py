"""Code bundles: zip files by their sha256, sealed. The API stores them and never looks inside."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParam
from starlette.concurrency import run_in_threadpool

from api.problems import Problem, invalid
from api.schemas import Bundle
from api.services import InObjects
from api.strict_json import StrictRoute
from store.objects import ObjectExists, ObjectStore

router = APIRouter(tags=["bundles"], route_class=StrictRoute)

_BUFFER_BYTES = 1024 * 1024

Sha256 = Annotated[str, PathParam(pattern="^[0-9a-f]{64}$")]


def bundle_key(sha256: str) -> str:
    """Return the key of a bundle in the object store."""
    return f"bundles/{sha256}.zip"


@router.put(
    "/bundles/{sha256}",
    status_code=201,
    summary="Store a bundle",
    responses={200: {"model": Bundle, "description": "It was there already."}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put(sha256: Sha256, request: Request, response: Response, objects: InObjects) -> Bundle:
    """Store the body, a zip file whose sha256 is the one in the address."""
    stored = await run_in_threadpool(objects.stat, bundle_key(sha256))
    if stored is not None:
        response.status_code = 200
        return Bundle(sha256=sha256, size=stored.size)
    with tempfile.TemporaryDirectory(prefix="segue-bundle-") as folder:
        path = Path(folder) / "bundle.zip"
        size = await _receive(request, path, sha256)
        if not await run_in_threadpool(_create, objects, bundle_key(sha256), path):
            response.status_code = 200
    return Bundle(sha256=sha256, size=size)


@router.head("/bundles/{sha256}", response_class=Response, summary="Is a bundle stored?")
async def head(sha256: Sha256, objects: InObjects) -> Response:
    """Answer 200 when the bundle is there, else 404."""
    stored = await run_in_threadpool(objects.stat, bundle_key(sha256))
    return Response(status_code=200 if stored is not None else 404)


async def _receive(request: Request, path: Path, sha256: str) -> int:
    digest, size, buffer = hashlib.sha256(), 0, bytearray()
    file = await run_in_threadpool(path.open, "wb")
    with file:
        async for chunk in request.stream():
            buffer += chunk
            if len(buffer) >= _BUFFER_BYTES:
                size += len(buffer)
                await run_in_threadpool(_write, file, digest, bytes(buffer))
                buffer.clear()
        size += len(buffer)
        await run_in_threadpool(_write, file, digest, bytes(buffer))
    if digest.hexdigest() != sha256:
        raise Problem(422, "bundle_damaged", f"The body's sha256 is {digest.hexdigest()}, not the one in the address.")
    with path.open("rb") as written:
        if written.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
            raise invalid([("body", "a bundle must be a zip file")], code="bundle_invalid")
    return size


def _write(file: BinaryIO, digest: hashlib._Hash, data: bytes) -> None:
    file.write(data)
    digest.update(data)


def _create(objects: ObjectStore, key: str, path: Path) -> bool:
    try:
        objects.put_file(key, path, create_only=True)
    except ObjectExists:
        return False
    return True
