"""Free ports on 127.0.0.1, the same as last time where possible: a bookmark of the web page stays good."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Mapping
from pathlib import Path

FIRST, LAST = 12_000, 32_000
"""Below what Linux (32768) and macOS (49152) give to outgoing connections and to servers that ask for any port: those
come and go between our look at a port and its server's start, Temporal's own inner services among them."""
TRIES = 200


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


def free_port() -> int:
    """Return a port that nobody has now, and nobody but another of these is likely to take."""
    held: list[socket.socket] = []
    try:
        return _free_port(None, held)
    finally:
        for taken in held:
            taken.close()


def _free_port(preferred: object, held: list[socket.socket]) -> int:
    """Return `preferred` if it can be bound, else one of `FIRST` to `LAST`; held open so that no two are alike."""
    remembered = [preferred] if isinstance(preferred, int) and 0 < preferred <= 65535 else []
    for port in (*remembered, *random.sample(range(FIRST, LAST + 1), TRIES)):
        candidate = socket.socket()
        # As servers do: a port whose last connections linger in TIME_WAIT is free.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            candidate.close()
            continue
        held.append(candidate)
        return port
    raise OSError("no free port on 127.0.0.1")
