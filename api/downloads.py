"""Objects sent to a client, never without a check of what was read against the sha256 that was recorded.

What is small is checked before the first byte is sent. What is large is streamed: its last chunk is held back until
the sum is right, so a client never receives a damaged object as a whole one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.problems import Problem
from store.objects import ObjectNotFound, ObjectStore

SMALL_BYTES = 1024 * 1024


async def send_object(
    objects: ObjectStore, key: str, size: int, sha256: str | None, *, media_type: str, name: str | None = None
) -> Response:
    """Return a response with the object's bytes.

    Args:
        objects: Where it is.
        key: Its key, made by the service.
        size: Its recorded size in bytes.
        sha256: Its recorded sum as hex digits; None when none was recorded, then only the size is checked.
        media_type: The response's content type.
        name: With it, browsers save the response as a file of this name and never show it.

    Raises:
        Problem: 404 when it is gone, 500 when it is not what was recorded.
    """
    headers = {"Content-Length": str(size), "X-Content-Type-Options": "nosniff"}
    if sha256 is not None:
        headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
    if name is not None:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    try:
        if size <= SMALL_BYTES:
            data = await run_in_threadpool(objects.get, key)
            if len(data) != size or (sha256 is not None and hashlib.sha256(data).hexdigest() != sha256):
                raise damaged()
            return Response(data, headers=headers, media_type=media_type)
        chunks = await run_in_threadpool(objects.open, key)
    except ObjectNotFound:
        raise Problem(
            404, "object_not_found", "The object was recorded but is no longer in the object store."
        ) from None
    return StreamingResponse(_checked(chunks, size, sha256), headers=headers, media_type=media_type)


def damaged() -> Problem:
    """Return the problem of an object that is not what was recorded."""
    return Problem(500, "object_damaged", "The object in the object store is not the one that was recorded.")


async def _checked(chunks: Iterator[bytes], size: int, sha256: str | None) -> AsyncIterator[bytes]:
    digest = hashlib.sha256()
    received, held = 0, b""
    while (chunk := await run_in_threadpool(next, chunks, None)) is not None:
        if held:
            yield held
        digest.update(chunk)
        received += len(chunk)
        held = chunk
    if received != size or (sha256 is not None and digest.hexdigest() != sha256):
        raise damaged()
    yield held
