"""Reaches the server's packages for commands that need them, and nothing else that bears their names.

`workflows`, `api`, `workers` ... are names that a user's own folders may have. These processes never import a user's
code, so the current folder and PYTHONPATH leave `sys.path` before the first of them is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segue.errors import MissingPackage

ROOMS = frozenset({"workflows", "translator", "store", "activities", "workers", "api"})


@contextmanager
def server_packages(command: str) -> Iterator[None]:
    """Import the server's packages inside this block.

    Raises:
        MissingPackage: They are not installed; it says which command needs them and how to get them.
    """
    forget_users_folders()
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ROOMS:
            raise MissingPackage(
                f"`segue {command}` needs the package {error.name}: pip install 'segue-server[dev]'"
            ) from None
        raise MissingPackage(f"`segue {command}` needs Segue's server: pip install 'segue-server[dev]'") from None


def forget_users_folders() -> None:
    """Take the current folder and PYTHONPATH from `sys.path`."""
    unwanted = {Path.cwd(), *(Path(part).absolute() for part in os.environ.get("PYTHONPATH", "").split(os.pathsep))}
    sys.path[:] = [entry for entry in sys.path if entry and Path(entry).absolute() not in unwanted]
