"""The stack as the browser tests see it: its address, and runs started through its API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Service:
    """Where the stack answers."""

    api_url: str
    api_key: str


@dataclass(frozen=True)
class Runs:
    """Starts runs through the API and waits for them."""

    http: httpx.AsyncClient

    async def start(self, workflow: str, **params: object) -> str:
        answer = await self.http.post("/api/v1/runs", json={"workflow": workflow, "params": params})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def get(self, run: str) -> dict[str, Any]:
        answer = await self.http.get(f"/api/v1/runs/{run}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def end(self, run: str) -> dict[str, Any]:
        """Return the run once its stream of events says that it has ended."""
        async with self.http.stream("GET", f"/api/v1/runs/{run}/events", timeout=60) as stream:
            async for line in stream.aiter_lines():
                if line == "event: end":
                    break
        return await self.get(run)
