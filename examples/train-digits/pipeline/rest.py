"""Talks to the company's services (data sets, trainings, models), whose address is in `SERVICES_URL`."""

from __future__ import annotations

import functools
import json
import os
import urllib.request
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

TIMEOUT_SECONDS = 30

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def fetch(url: str) -> bytes:
    """Return what is at `url`."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
        data: bytes = answer.read()
    return data


def get(path: str) -> Any:
    """Return the JSON document at `path` of the services."""
    return json.loads(fetch(f"{os.environ['SERVICES_URL']}/{path}"))


def send(method: str, path: str, body: Any) -> Any:
    """Send `body` (bytes as they are, anything else as JSON) to `path` of the services; return its JSON answer."""
    raw = isinstance(body, bytes)
    request = urllib.request.Request(
        f"{os.environ['SERVICES_URL']}/{path}",
        data=body if raw else json.dumps(body).encode(),
        method=method,
        headers={"Content-Type": "application/octet-stream" if raw else "application/json"},
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)


def recorded(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Note every execution of a step's function with the training service: when it started, and when it ended well."""

    @functools.wraps(function)
    def note_and_call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        execution = {
            "step": os.environ["SEGUE_STEP"],
            "key": os.environ["SEGUE_KEY"],
            "attempt": int(os.environ["SEGUE_ATTEMPT"]),
            "pid": os.getpid(),
        }
        path = f"trainings/{os.environ['SEGUE_RUN_ID']}/executions"
        send("POST", path, {**execution, "event": "started"})
        result = function(*args, **kwargs)
        send("POST", path, {**execution, "event": "finished"})
        return result

    return note_and_call
