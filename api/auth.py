"""Who may ask: a bearer API key on every request under `/api`, but for an explicit list of exact paths.

Posts to callbacks need none either: there, the address is the right to post.
The check runs before routing, so a route cannot be forgotten and a path that no route has is refused alike. Keys are
kept and compared by their SHA-256 only; neither a key nor its hash is ever logged or sent back.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import Problem, respond

OPEN_PATHS = frozenset({"/api/v1/health", "/api/v1/openapi.json"})
"""What answers without a key, compared as a whole: no prefix, no suffix, no normalisation."""
CALLBACK_PATH = "/api/v1/callbacks/{token}"
_CALLBACK = re.compile(CALLBACK_PATH.replace("{token}", "[^/]+"))

KNOWN_SECONDS = 10.0
"""How long a key that was found counts as valid without a look into the database; so long a deleted key lives on."""
MAX_KNOWN_KEYS = 1_024

FindKey = Callable[[str], Awaitable[str | None]]
"""From a key to its name, or None."""


class RequireKey:
    """ASGI middleware that lets a request through only with a known key."""

    def __init__(self, app: ASGIApp, find_key: FindKey) -> None:
        self.app = app
        self._find_key = find_key
        self._known: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the key's name as `scope["state"]["actor"]`, or answer 401."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        try:
            if not is_open(scope):
                scope.setdefault("state", {})["actor"] = await self._actor(Headers(scope=scope))
        except Problem as problem:
            await respond(problem)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _actor(self, headers: Headers) -> str:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthorized("This needs an API key: send the header `Authorization: Bearer <key>`.")
        key = token.strip()
        digest = hashlib.sha256(key.encode("latin-1")).digest()
        known = self._known.get(digest)
        now = time.monotonic()
        if known is not None and now - known[0] < KNOWN_SECONDS:
            return known[1]
        name = await self._find_key(key)
        if name is None:
            self._known.pop(digest, None)
            raise _unauthorized("The API key is not known to this service.")
        self._known[digest] = (now, name)
        while len(self._known) > MAX_KNOWN_KEYS:
            self._known.popitem(last=False)
        return name


def is_open(scope: Scope) -> bool:
    """Tell whether a request may come without a key: callbacks, the open paths and the web page, which hold no data."""
    if scope["type"] != "http":
        return False
    path = scope["path"]
    if scope["method"] == "POST" and _CALLBACK.fullmatch(path):
        return True
    if scope["method"] not in ("GET", "HEAD"):
        return False
    return path in OPEN_PATHS or not (path == "/api" or path.startswith("/api/"))


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="segue"'})
