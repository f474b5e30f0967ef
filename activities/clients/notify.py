"""Sends the message of a notify step, for `activities.operators.notify`.

An address is often a secret as a whole. So it is never printed: messages name it by its place and its scheme, and what
Apprise says loses every part of the address.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import apprise

MIN_SECRET_CHARACTERS = 4
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://)?")


class Failed(Exception):
    """The step's failure."""

    def __init__(self, type: str, message: str, *, retryable: bool = False, **detail: Any) -> None:
        super().__init__(message)
        self.report = {"type": type, "message": message, "detail": detail, "retryable": retryable}


class Said(logging.Handler):
    """Keeps what Apprise complains of; it answers no more than yes or no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(record.getMessage())


def service(address: str, shown: str) -> apprise.NotifyBase:
    """Return the service that an address is of."""
    scheme = _SCHEME.match(address)
    rest = address[scheme.end() :] if scheme else ""
    found = apprise.Apprise.instantiate(f"{scheme[1]}://{rest}") if scheme else None
    if found is None:
        known = scheme is not None and scheme[1].lower() in apprise.apprise.N_MGR.schemas()  # type: ignore[no-untyped-call]
        problem = "is not complete" if known else "is of no service that Apprise knows"
        raise Failed("InputInvalid", f"{shown} {problem}: see https://appriseit.com/services/")
    return found


def without(address: str, text: str) -> str:
    """Return a text with nothing of an address in it."""
    parts = {part for form in (address, unquote(address)) for part in re.split(r"[/:@?&=#,;\s]+", form)[1:]}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= MIN_SECRET_CHARACTERS:
            text = text.replace(part, "***")
    return text


def send(job: dict[str, Any]) -> int:
    """Send the message to every address, and return to how many."""
    said = Said()
    logger = logging.getLogger("apprise")
    logger.addHandler(said)
    logger.propagate = False
    names = [f"with.to[{place}] ({address.partition(':')[0]})" for place, address in enumerate(job["to"])]
    services = [service(address, name) for address, name in zip(job["to"], names, strict=True)]
    said.lines.clear()
    refused = []
    for address, name, each in zip(job["to"], names, services, strict=True):
        one = apprise.Apprise()
        one.add(each)
        if one.notify(body=job["text"], title=job["title"], body_format=job["format"]):
            print(f"{name}: sent")
        else:
            why = without(address, said.lines[-1]) if said.lines else "no answer"
            print(f"{name}: {why}")
            refused.append(f"{name}: {why}")
        said.lines.clear()
    if refused:
        others = f" ({len(names) - len(refused)} of {len(names)} were sent)" if len(names) > 1 else ""
        raise Failed("NotifyError", f"the message was not taken{others}: {'; '.join(refused)}", retryable=True)
    return len(names)


def main(folder: Path) -> int:
    """Run the job in a folder; return the exit code."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    try:
        (folder / "output.json").write_text(json.dumps({"sent": send(job)}), encoding="utf-8")
    except Failed as error:
        (folder / "error.json").write_text(json.dumps(error.report), encoding="utf-8")
        return 1
    return 0
