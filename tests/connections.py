"""A client of a stack."""

from __future__ import annotations

from segue import Client
from workers.stack import Stack


def connected(stack: Stack) -> Client:
    """Return a client of `stack`, patient enough for an API that was just killed; use it in a `with`."""
    return Client(api_url=str(stack.service["api_url"]), api_key=str(stack.service["api_key"]), patience=30)
