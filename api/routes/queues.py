"""Who serves which queue, as Temporal knows it: a worker that polls is there, one that does not is not."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from api.control_queue import workers_of
from api.schemas import Queue, Queues
from api.services import InTemporal
from api.strict_json import StrictRoute

router = APIRouter(tags=["queues"], route_class=StrictRoute)

MAX_QUEUES = 50

Name = Annotated[str, Query(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


@router.get("/queues", summary="Who serves which queue")
async def list_all(
    temporal: InTemporal,
    queue: Annotated[list[Name], Query(min_length=1, max_length=MAX_QUEUES, description="A queue's name.")],
) -> Queues:
    """Return for each queue that is asked about the workers that have polled it within the last 75 seconds."""
    names = dict.fromkeys(queue)
    async with temporal.session() as client:
        found = await asyncio.gather(*(workers_of(client, name) for name in names))
    return Queues(queues=[Queue(name=name, workers=workers) for name, workers in zip(names, found, strict=True)])
