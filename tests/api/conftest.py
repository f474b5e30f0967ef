"""The API as a client meets it: a real server on a free port, a real Temporal, a real database."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from temporalio.client import Client

from api.app import create_app
from api.serve import Server, listen
from store.database import Database
from store.keys import create_key
from store.objects import ObjectStore, open_object_store
from store.settings import Settings
from workers.ports import free_port
from workers.temporal_server import server_command
from workers.worker import control_worker, step_worker
from workflows.wire import CONVERTER


@dataclass
class Api:
    """A running API, and what a test may look at behind its back."""

    http: httpx.AsyncClient
    anonymous: httpx.AsyncClient
    settings: Settings
    database: Database
    objects: ObjectStore
    server: Server
    key: str

    @property
    def url(self) -> str:
        return str(self.http.base_url).rstrip("/")

    async def get(self, path: str, **more: Any) -> Any:
        """Return the JSON of a GET that must succeed."""
        answer = await self.http.get(path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()


def settings_in(folder: Path, temporal_port: int) -> Settings:
    return Settings(
        temporal_address=f"127.0.0.1:{temporal_port}",
        database_url=f"sqlite:///{folder}/segue.db",
        object_store=(folder / "objects").as_uri(),
        cache_dir=folder / "cache",
        temporal_ui_url="http://127.0.0.1:8233/",
    )


@contextlib.asynccontextmanager
async def running_api(settings: Settings) -> AsyncIterator[Api]:
    listener = listen(settings.api_host, 0)
    server = Server(uvicorn.Config(create_app(settings), lifespan="on", log_config=None, timeout_graceful_shutdown=2))
    serving = asyncio.create_task(server._serve([listener]))  # `serve` would take pytest's signal handlers away
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    database = Database(settings.database_url)
    objects = open_object_store(settings.object_store)
    try:
        async with contextlib.AsyncExitStack() as stack:
            anonymous = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60))
            await anonymous.get("/api/v1/health")
            await database.migrate()
            key = await create_key(database, "tests")
            http = httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=60, headers={"Authorization": f"Bearer {key}"})
            await stack.enter_async_context(http)
            yield Api(http, anonymous, settings, database, objects, server, key)
    finally:
        server.should_exit = True
        await serving
        await database.close()
        objects.close()


@contextlib.contextmanager
def running_temporal(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = server_command(folder / "temporal.db", port)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


async def connected(port: int) -> Client:
    """Return a client of the Temporal server on `port`, once it answers."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(RuntimeError):
                return await Client.connect(f"127.0.0.1:{port}", data_converter=CONVERTER)
            await asyncio.sleep(0.05)


@pytest.fixture(scope="session")
def temporal_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Temporal server of this session's API tests."""
    port = free_port()
    with running_temporal(tmp_path_factory.mktemp("temporal"), port):
        yield port


@pytest.fixture(scope="session")
async def temporal(temporal_port: int) -> Client:
    """A client of that server."""
    return await connected(temporal_port)


@pytest.fixture(scope="session")
async def api(tmp_path_factory: pytest.TempPathFactory, temporal_port: int, temporal: Client) -> AsyncIterator[Api]:
    """The API of the session; tests keep apart by the names of their workflows."""
    async with running_api(settings_in(tmp_path_factory.mktemp("api"), temporal_port)) as running:
        yield running


@pytest.fixture(scope="session")
async def lonely_api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """An API whose Temporal is not there."""
    async with running_api(settings_in(tmp_path_factory.mktemp("lonely"), free_port())) as running:
        yield running


async def posted(api: Api, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    """Start a run as a client does: one that is told to come back does so, with the same key."""
    async with asyncio.timeout(100):
        while (answer := await api.http.post("/runs", json=body, headers=headers)).status_code == 503:
            assert "Retry-After" in answer.headers
            await asyncio.sleep(0.1)
    return answer


@contextlib.asynccontextmanager
async def serving(api: Api, temporal: Client, *queues: str) -> AsyncIterator[None]:
    """Run the workers of the control queue and of these within the block."""
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(await stack.enter_async_context(control_worker(temporal, api.settings)))
        for queue in queues:
            await stack.enter_async_context(step_worker(temporal, api.settings, queue, 8))
        yield
