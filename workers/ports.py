"""Free ports on 127.0.0.1, the same as last time where possible: a bookmark of the web page stays good."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path


def choose_ports(memory: Path, wanted: Mapping[str, int | None]) -> dict[str, int]:
    """Return a port per name: the one wanted, else the one remembered in `memory` when it is free, else a free one.

    A wanted port is not checked: the server that cannot have it says so itself.
    """
    try:
        remembered = json.loads(memory.read_text())
    except (OSError, ValueError):
        remembered = {}
    chosen: dict[str, int] = {}
    held: list[socket.socket] = []
    try:
        for name, port in wanted.items():
            chosen[name] = port or _free_port(remembered.get(name), held)
    finally:
        for taken in held:
            taken.close()
    memory.write_text(json.dumps(chosen))
    return chosen


def _free_port(preferred: object, held: list[socket.socket]) -> int:
    """Return `preferred` if it can be bound, else a port the kernel picks; held open so that no two are alike."""
    for port in (preferred, 0):
        if not isinstance(port, int):
            continue
        candidate = socket.socket()
        # As servers do: a port whose last connections linger in TIME_WAIT is free.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            candidate.close()
            continue
        held.append(candidate)
        return int(candidate.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")
