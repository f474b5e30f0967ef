"""What tests of several rooms share: the real stack, started once for all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue import Client
from workers.stack import Stack

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def no_settings_from_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests decide where everything is; environments of steps are built once for all stacks of the session."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SEGUE_")]:
            patch.delenv(name)
        patch.setenv("SEGUE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, no_settings_from_outside: None) -> Iterator[Stack]:
    """The stack of `segue dev`: Temporal, API, workers, on free ports, with its data in a temporary folder."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def client(stack: Stack) -> Iterator[Client]:
    """A client of the session's stack."""
    with Client(api_url=str(stack.service["api_url"]), api_key=str(stack.service["api_key"])) as connected:
        yield connected
