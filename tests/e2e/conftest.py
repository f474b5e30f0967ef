"""The train-digits example, its services and its deployed workflow, for the tests that run it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from segue import Client
from tests.services import EXAMPLE, Services, running_services


@pytest.fixture(scope="session")
def services(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The example's services, known to the session's stack as `vars.SERVICES_URL`, with the workflow deployed."""
    with running_services(tmp_path_factory.mktemp("services")) as running:
        client.set_var("SERVICES_URL", running.url)
        client.deploy(EXAMPLE / "train.yaml")
        yield running
