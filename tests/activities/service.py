"""A small HTTP service for the tests of http steps: echoes, odd answers, and jobs that end when told to."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Service(ThreadingHTTPServer):
    """Echoes requests, answers with what a path asks for, and runs jobs that end when told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: list[dict[str, Any]] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.outages = 0
        self.submitting = threading.Event()
        self.may_submit = threading.Event()
        self.may_submit.set()

    def notify(self, job: str, value: Any) -> int:
        """Post a value to the address that a job was submitted with as `notify`; return the status of the answer."""
        body = json.dumps(value).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.jobs[job]["notify"], body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def seen(self, method: str) -> list[str]:
        return [request["path"] for request in self.requests if request["method"] == method]


class Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length) if length else self.chunks()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(
            {"method": self.command, "path": self.path, "headers": headers, "body": body.decode(errors="replace")}
        )
        self.route(self.path.partition("?")[0].strip("/").split("/"))

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - names of the base class

    def chunks(self) -> bytes:
        data = b""
        while self.headers.get("Transfer-Encoding") == "chunked":
            size = int(self.rfile.readline(), 16)
            data += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        return data

    def route(self, parts: list[str]) -> None:
        match parts:
            case ["status", code]:
                self.answer(int(code), f"<p>code {code}</p>", "text/html")
            case ["raw", kind]:
                texts = {"nan": '{"a": NaN}', "marker": '{"$segue": "file"}', "cut": '{"a": ', "text": "plain é"}
                self.answer(200, texts[kind], "text/plain" if kind == "text" else "application/json")
            case ["huge"]:
                self.answer(200, "x" * 70_000_000, "text/plain")
            case ["moved"]:
                self.send_response(307)
                self.send_header("Location", "/echo")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case ["cookie"]:
                self.answer(200, "{}", cookie="canary=1")
            case ["jobs"]:
                self.submit()
            case ["jobs", job]:
                self.job(job)
            case _:
                self.answer(200, json.dumps(self.server.requests[-1]))

    def submit(self) -> None:
        self.server.submitting.set()
        self.server.may_submit.wait(10)
        job = str(len(self.server.jobs) + 1)
        self.server.jobs[job] = {"state": "running", "polls": 0}
        if "notify" in (body := self.server.requests[-1]["body"]):
            self.server.jobs[job]["notify"] = json.loads(body)["notify"]
        self.answer(201, json.dumps({"href": f"{self.server.url}/jobs/{job}", "id": job}))

    def job(self, name: str) -> None:
        job = self.server.jobs[name]
        if self.command == "DELETE":
            job["state"] = "cancelled"
        elif self.server.outages:
            self.server.outages -= 1
            return self.answer(503, "later", "text/plain")
        job["polls"] += 1
        return self.answer(200, json.dumps(job))

    def answer(self, status: int, text: str, kind: str = "application/json", cookie: str | None = None) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *values: object) -> None:
        pass


@contextmanager
def running_service() -> Iterator[Service]:
    """Start a service on a free port; stop it on leaving."""
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def job(service: Service, **poll: Any) -> dict[str, Any]:
    until, fail_if = "${{ response.json.state == 'done' }}", "${{ response.json.state == 'failed' }}"
    return {
        "submit": {"method": "POST", "url": f"{service.url}/jobs", "json": {"name": "x"}},
        "poll": {"url": "${{ submit.json.href }}", "every": 0.05, "until": until, "fail_if": fail_if, **poll},
        "cancel": {"method": "DELETE", "url": "${{ submit.json.href }}"},
    }
