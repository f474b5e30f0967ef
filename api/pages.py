"""The web page: the built files of `api/static/`, and its start page for every address that is a page of it.

The files hold no data and need no key. When they were not built, a plain page says how to.
"""

from __future__ import annotations

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from api.problems import Problem

STATIC = Path(__file__).parent / "static"

_FOREVER = "public, max-age=31536000, immutable"
"""For `/assets`, whose names change with their contents."""

_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Segue</title>
<h1>Segue is running</h1>
<p>The web page was not built. In the checkout, run <code>make ui</code>, then reload.</p>
<p>The API is at <a href="/api/v1/openapi.json">/api/v1</a>; <code>segue runs</code> lists the runs.</p>
</html>
"""


class Pages:
    """The ASGI application behind all routes: answers whatever none of them has the path of."""

    def __init__(self, folder: Path = STATIC) -> None:
        self.folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file, the start page or a 404."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path == "/api" or path.startswith("/api/"):
            raise _nothing_at(path)
        if scope["method"] not in ("GET", "HEAD"):
            raise Problem(
                405, "method_not_allowed", f"{scope['method']} is not allowed here.", headers={"Allow": "GET"}
            )
        response = await run_in_threadpool(self.respond, path, Headers(scope=scope))
        await response(scope, receive, send)

    def respond(self, path: str, headers: Headers) -> Response:
        """Return the file, or the page, at `path`.

        Raises:
            Problem: There is neither.
        """
        path = path.lstrip("/")
        file = self._file(path)
        if file is not None:
            return FileResponse(file, headers={"Cache-Control": _FOREVER if path.startswith("assets/") else "no-cache"})
        # The id of a run may have a dot in it, so a suffix alone does not tell a missing file from a page.
        if path.startswith("assets/") or "text/html" not in headers.get("accept", "text/html"):
            raise _nothing_at("/" + path)
        start = self.folder / "index.html"
        if not start.is_file():
            return HTMLResponse(_NOT_BUILT, headers={"Cache-Control": "no-store"})
        return FileResponse(start, headers={"Cache-Control": "no-cache"})

    def _file(self, path: str) -> Path | None:
        if not path or "\0" in path:
            return None
        try:
            file = (self.folder / path).resolve()
            inside = file.is_relative_to(self.folder.resolve()) and file.is_file()
        except (OSError, RuntimeError):  # a name too long for the file system, a loop of links
            return None
        return file if inside else None


def _nothing_at(path: str) -> Problem:
    return Problem(404, "not_found", f"There is nothing at {path[:300]}.")
