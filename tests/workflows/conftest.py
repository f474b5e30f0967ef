"""One Temporal server for the tests of this room, and workers that do as they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from temporalio.client import Client

from tests.servers import Temporal
from tests.workflows.house import House


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Temporal]:
    server = Temporal(tmp_path_factory.mktemp("temporal"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
async def temporal_client(temporal: Temporal) -> Client:
    return await temporal.client()


@pytest.fixture(scope="module")
async def house(temporal_client: Client) -> AsyncIterator[House]:
    """The workers of a module; two modules' never meet."""
    async with House(temporal_client).open() as house:
        yield house
