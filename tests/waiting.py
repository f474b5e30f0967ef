"""Waiting for something that another process does."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")


def until(probe: Callable[[], Value], seconds: float = 30, what: str = "the condition") -> Value:
    """Return the first truthy answer of `probe`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := probe()):
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.05)
    return value


async def eventually(probe: Callable[[], Any], seconds: float = 30, what: str = "the condition") -> Any:
    """Return the first truthy answer of `probe`, or of what it awaits; the test's own loop goes on meanwhile."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        value = await value if inspect.isawaitable(value) else value
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        await asyncio.sleep(0.05)
