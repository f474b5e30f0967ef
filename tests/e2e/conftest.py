"""The train-digits example, its services and its deployed workflow, for the tests that run it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from segue import Client
from store.database import Database
from store.workflows import deploy_workflow
from tests.services import EXAMPLE, Services, running_services
from workers.stack import Stack
from workflows.plan import Plan


@pytest.fixture(scope="session")
def services(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The example's services, known to the session's stack as `vars.SERVICES_URL`, with the workflow deployed."""
    with running_services(tmp_path_factory.mktemp("services")) as running:
        client.set_var("SERVICES_URL", running.url)
        client.deploy(EXAMPLE / "train.yaml")
        yield running


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[Database]:
    """The database of the session's stack, behind the back of its API."""
    database = Database(f"sqlite+aiosqlite:///{stack.data / 'segue.db'}")
    yield database
    await database.close()


async def deployed(database: Database, plan: Plan) -> str:
    """Put a plan where a deploy would; return its workflow's name."""
    await deploy_workflow(database, plan, {"filename": "w.yaml", "text": "", "language": "yaml"}, None)
    return plan.workflow
