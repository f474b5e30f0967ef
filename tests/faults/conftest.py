"""A stack of its own for tests that kill parts of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from segue import Client
from tests.connections import connected
from tests.services import EXAMPLE, Services, running_services
from tests.waiting import until
from workers.stack import Stack


class Victim:
    """A stack whose parts can be killed, with a client and the example's services."""

    def __init__(self, stack: Stack, client: Client, services: Services) -> None:
        self.stack = stack
        self.client = client
        self.services = services

    def kill(self, name: str) -> None:
        """Kill a part with SIGKILL, and see that it died and that the stack started another."""
        (part,) = (part for part in self.stack.parts if part.name == name)
        pid = part.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: part.pid != pid, what=f"a new {name}")


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """A running stack with `train-digits` deployed."""
    folder = tmp_path_factory.mktemp("victim")
    with (
        Stack(folder / "data") as stack,
        running_services(folder / "services") as services,
        connected(stack) as client,
    ):
        client.set_var("SERVICES_URL", services.url)
        client.deploy(EXAMPLE / "train.yaml")
        yield Victim(stack, client, services)
