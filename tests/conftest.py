"""What tests of several rooms share: the real stack, started once for all of them."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from functools import partialmethod
from pathlib import Path

import pytest
from temporalio.worker import Worker

from segue import Client
from store.objects import ObjectStore, open_object_store
from tests.connections import connected
from tests.servers import PostgreSQL
from workers.seaweedfs import SeaweedFS
from workers.stack import Stack

REPOSITORY = Path(__file__).parents[1]

if os.environ.get("SEGUE_UNCACHED"):
    # Each task of a run then replays all of it, which finds what is decided otherwise the second time. Workers that are
    # processes of their own keep their runs.
    Worker.__init__ = partialmethod(Worker.__init__, max_cached_workflows=0)


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The cache of all workers; nothing else is set from outside. An environment is built once for all processes."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SEGUE_")]:
            patch.delenv(name)
        cache = tmp_path_factory.mktemp("cache")
        session = tmp_path_factory.getbasetemp()
        environments = (session.parent if "PYTEST_XDIST_WORKER" in os.environ else session) / "environments"
        environments.mkdir(exist_ok=True)
        (cache / "environments").symlink_to(environments)
        patch.setenv("SEGUE_CACHE_DIR", str(cache))
        yield cache


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A real S3 server."""
    server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["local", "s3"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    """A store of each kind, with nothing in it."""
    if request.param == "local":
        store = open_object_store((tmp_path / "objects").as_uri())
    else:
        server: SeaweedFS = request.getfixturevalue("seaweedfs")
        base, query = server.url.split("?")
        url = f"{base}/t-{uuid.uuid4().hex}?{query}"
        store = open_object_store(url, access_key=server.access_key, secret_key=server.secret_key)
    with contextlib.closing(store):
        yield store


@pytest.fixture(scope="session")
def secrets_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the workers of the session's stack look for secrets; a test puts a file there, under a name of its own."""
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path, secrets_dir: Path) -> Iterator[Stack]:
    """The stack of `segue dev`: Temporal, API, workers, on free ports, with its data in a temporary folder."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGUE_SECRETS_DIR", str(secrets_dir))
        stack.__enter__()
    try:
        yield stack
    finally:
        stack.__exit__(None, None, None)


@pytest.fixture(scope="session")
def client(stack: Stack) -> Iterator[Client]:
    """A client of the session's stack."""
    with connected(stack) as one:
        yield one


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server."""
    server = PostgreSQL()
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def postgresql_url(postgresql: PostgreSQL) -> str:
    """Address of an empty database on the session's server."""
    return postgresql.url(await postgresql.create_database())
