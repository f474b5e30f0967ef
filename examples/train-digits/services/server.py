"""REST in front of the services: one table of routes, JSON in and out, every mistake answered in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from services.datasets import Datasets
from services.documents import InvalidError, NotFoundError
from services.registry import Registry
from services.trainings import Trainings

MAX_BODY_BYTES = 64 * 1024 * 1024

Answer = tuple[int, dict[str, Any] | bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """What a route may need besides the names in its path.

    Attributes:
        base: The address that was asked, for links: the port may be another one after a restart.
        body: The bytes that came.
    """

    base: str
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            document = json.loads(self.body)
        except ValueError as error:
            raise InvalidError(f"the body is not JSON: {error}") from None
        if not isinstance(document, dict):
            raise InvalidError("the body is not a JSON object")
        return document


Route = tuple[str, re.Pattern[str], Callable[..., Answer]]


class Services(ThreadingHTTPServer):
    """The HTTP server; its port is chosen by the system when it is given as 0."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, data: Path, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.routes = routes(Datasets(data), Trainings(data), Registry(data))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Services

    def handle_request(self) -> None:
        """Answer a request of any method."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            return self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"at most {MAX_BODY_BYTES} bytes"})
        request = Request(f"http://{self.headers.get('Host', '')}", self.rfile.read(length))
        try:
            status, answer = self._answer(request)
        except NotFoundError as error:
            status, answer = HTTPStatus.NOT_FOUND, {"error": str(error)}
        except InvalidError as error:
            status, answer = HTTPStatus.UNPROCESSABLE_ENTITY, {"error": str(error)}
        return self._send(status, answer)

    do_GET = do_PUT = do_POST = do_DELETE = handle_request  # noqa: N815 (the names that http.server looks for)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the demo's terminal belongs to the run."""

    def _answer(self, request: Request) -> Answer:
        path = self.path.partition("?")[0]
        for method, pattern, answer in self.server.routes:
            found = pattern.fullmatch(path)
            if found and method == self.command:
                return answer(request, *(unquote(name) for name in found.groups()))
        raise NotFoundError(f"nothing answers to {self.command} {path}")

    def _send(self, status: int, answer: dict[str, Any] | bytes) -> None:
        document = isinstance(answer, dict)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if document else "application/octet-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def routes(datasets: Datasets, trainings: Trainings, registry: Registry) -> list[Route]:
    """Return what answers to which method and path."""

    def build(request: Request, document: dict[str, Any]) -> dict[str, Any]:
        href = f"{request.base}/builds/{document['id']}"
        return {**document, "href": href, "uri": f"{href}/data.csv"}

    def model(request: Request, document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "href": f"{request.base}/models/{document['name']}/released/model"}

    table: list[tuple[str, str, Callable[..., Answer]]] = [
        ("GET", "/health", lambda r: (200, {"status": "ok"})),
        ("PUT", "/datasets/{}", lambda r, name: (200, datasets.put_raw(name, r.document))),
        ("GET", "/datasets/{}/training-rows", lambda r, name: (200, datasets.training_rows(name))),
        ("POST", "/builds", lambda r: (202, build(r, datasets.submit(r.document)))),
        ("GET", "/builds/{}", lambda r, key: (200, build(r, datasets.build(key)))),
        ("DELETE", "/builds/{}", lambda r, key: (200, build(r, datasets.cancel(key)))),
        ("GET", "/builds/{}/data.csv", lambda r, key: (200, datasets.data(key))),
        ("PUT", "/trainings/{}", lambda r, run: (200, trainings.put(run, r.document))),
        ("GET", "/trainings/{}", lambda r, run: (200, trainings.get(run))),
        ("POST", "/trainings/{}/executions", lambda r, run: (201, trainings.add_execution(run, r.document))),
        ("GET", "/trainings/{}/executions", lambda r, run: (200, trainings.executions(run))),
        ("POST", "/notifications", lambda r: (201, trainings.notify(r.document))),
        ("GET", "/notifications", lambda r: (200, trainings.notifications())),
        ("PUT", "/models/{}/versions/{}", lambda r, name, version: (200, registry.put_file(name, version, r.body))),
        ("PUT", "/models/{}/released", lambda r, name: (200, model(r, registry.release(name, r.document)))),
        ("GET", "/models/{}/released", lambda r, name: (200, model(r, registry.released(name)))),
        ("GET", "/models/{}/released/model", lambda r, name: (200, registry.released_file(name))),
    ]
    return [(method, re.compile(path.replace("{}", "([^/]+)")), answer) for method, path, answer in table]
