"""What every request and response passes, whatever its route: body limits, security headers, the last catch.

These are plain ASGI layers: they never read a body themselves and hold no state between requests.
"""

from __future__ import annotations

import logging
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, respond

logger = logging.getLogger("segue.api")

MAX_JSON_BYTES = 4 * 1024 * 1024
MAX_BUNDLE_BYTES = 512 * 1024 * 1024
MAX_CALLBACK_BYTES = 1024 * 1024
"""Anybody who has seen an address may post there."""

_BUNDLE_PATH = re.compile(r"/api/v1/bundles/[0-9a-f]{64}")
_CALLBACKS = "/api/v1/callbacks/"

_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        # Pictures that steps left are fetched with the key, and shown from the page's own memory.
        "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecurityHeaders:
    """Adds the security headers to every response, and `no-store` unless it says how it may be kept."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers added."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class LastCatch:
    """Turns an exception that nothing expected into a 500 with a number that also stands in the service's log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or cut the answer short when it had begun."""
        begun = False

        async def note_begin(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, note_begin)
        except ClientDisconnect:
            return
        except Exception:
            if scope["type"] != "http":
                raise
            incident = secrets.token_hex(4)
            logger.exception("incident %s: %s %s", incident, scope["method"], scope["path"])
            # A response that ends early without its last chunk is how HTTP says "incomplete".
            if not begun:
                detail = f"Something went wrong that we did not expect. The service's log has it as {incident}."
                await respond(Problem(500, "internal_error", detail, incident=incident))(scope, receive, send)


class BodyLimit:
    """Refuses bodies above the limit of their path with a 413, whether they name their size or not."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what it sends."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = _limit(scope["path"])
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > limit:
            await respond(_too_large(limit))(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        await self.app(scope, receive_counted, send)


def _limit(path: str) -> int:
    if path.startswith(_CALLBACKS):
        return MAX_CALLBACK_BYTES
    return MAX_BUNDLE_BYTES if _BUNDLE_PATH.fullmatch(path) else MAX_JSON_BYTES


def _too_large(limit: int) -> Problem:
    return Problem(
        413, "too_large", f"The body is larger than {limit // (1024 * 1024)} MiB, the most this address takes."
    )
