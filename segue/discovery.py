"""Finds the service: explicit values, then `SEGUE_API_URL` and `SEGUE_API_KEY`, then the file of a local `segue dev`.

Reads files and the environment, and never asks the network: whoever is found may still not answer.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.errors import ServiceUnreachable, Unauthorized

SERVICE_FILE = Path(".segue") / "service.json"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is, and what it wants to hear.

    Attributes:
        api_url: Without a slash at the end.
        ui_url: The web page, with the key for the browser when the service is a local one.
        temporal_ui_url: Temporal's own web page, when known.
    """

    api_url: str
    api_key: str
    ui_url: str
    temporal_ui_url: str | None = None

    @classmethod
    def from_service(cls, service: dict[str, Any]) -> Address:
        """Read the object that `segue dev` writes to `service.json`."""
        url = str(service["api_url"]).rstrip("/")
        temporal = service.get("temporal_ui_url")
        return cls(url, str(service["api_key"]), str(service.get("ui_url") or url), str(temporal) if temporal else None)


def find_service(api_url: str | None = None, api_key: str | None = None, start: Path | None = None) -> Address:
    """Return the service to talk to.

    Args:
        api_url: The service's address, if the caller knows it.
        api_key: Its API key.
        start: The folder from which to look for a local service, upwards; without it, the current one.

    Raises:
        ServiceUnreachable: No service is known here.
        Unauthorized: An address is known, but no key.
    """
    url = api_url or os.environ.get("SEGUE_API_URL")
    if url:
        key = api_key or os.environ.get("SEGUE_API_KEY")
        if not key:
            raise Unauthorized(f"There is no API key for {url}.", hint="Set SEGUE_API_KEY.")
        return Address(url.rstrip("/"), key, url.rstrip("/"))
    folder = (start or Path.cwd()).absolute()
    for candidate in (folder, *folder.parents):
        address = _read(candidate / SERVICE_FILE)
        if address is not None:
            return address
    raise ServiceUnreachable(
        "No Segue service is known here.",
        hint="Start one in another terminal with `segue dev`, or set SEGUE_API_URL and SEGUE_API_KEY.",
    )


def _read(path: Path) -> Address | None:
    """Return the address in a service file; None when it is not there, not ours, or left by a dead service."""
    try:
        # A file that somebody else put into a shared folder above ours would get our code and our data.
        if path.stat().st_uid != os.getuid():
            return None
        service = json.loads(path.read_text(encoding="utf-8"))
        return Address.from_service(service) if _alive(int(service["pid"])) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
