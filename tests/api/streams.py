"""Reading an event stream as a client does."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

Event = tuple[str, int | None, Any]
"""Kind, id and data; a comment has the kind `:`."""


@contextlib.asynccontextmanager
async def followed(http: httpx.AsyncClient, run: str, **request: Any) -> AsyncIterator[AsyncIterator[Event]]:
    """Open the stream of a run; what it yields ends when the server ends it."""
    async with http.stream("GET", f"/runs/{run}/events", timeout=20, **request) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer)


async def _events(answer: httpx.Response) -> AsyncIterator[Event]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line.startswith(":"):
            yield ":", None, line[1:].strip()
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            number = int(fields["id"]) if "id" in fields else None
            yield fields["event"], number, json.loads(fields["data"])
            fields = {}


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    """Return the next `count` events, comments aside."""
    taken: list[Event] = []
    async with asyncio.timeout(10):
        while len(taken) < count:
            event = await anext(events)
            if event[0] != ":":
                taken.append(event)
    return taken
