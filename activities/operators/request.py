"""One HTTP request of a step and its answer. Never retries: that is the step's own policy."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from activities.attempt import Attempt
from activities.errors import StepFailed, clip
from activities.masks import Masks
from activities.references import as_text, refuse_files
from activities.values import MAX_DOCUMENT_BYTES, decode
from store.objects import CHUNK_BYTES
from workflows.messages import JSON, REFERENCE

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 300.0
"""How long a server may say nothing; a step's own time limit is usually shorter."""
MAX_REDIRECTS = 5
RETRYABLE = frozenset({408, 425, 429})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SHOWN_BYTES = 500


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        headers: By lower-case name.
        json: The body as JSON; None when it is none.
        text: The body as text.
    """

    status: int
    headers: dict[str, str]
    json: JSON
    text: str

    def value(self) -> dict[str, JSON]:
        """Return it as expressions see it."""
        return {"status": self.status, "headers": self.headers, "json": self.json, "text": self.text}


def new_client() -> httpx.AsyncClient:
    """Return a client of its own for an attempt: no cookie of one step ever reaches another."""
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    return httpx.AsyncClient(verify=_tls(), timeout=timeout, follow_redirects=True, max_redirects=MAX_REDIRECTS)


async def ask(
    client: httpx.AsyncClient, attempt: Attempt, request: dict[str, Any], *, idempotent: bool = False
) -> Answer:
    """Send a request and return the answer.

    Args:
        client: From `new_client`.
        attempt: Logs a line for it.
        request: `{"method", "url", "headers"?, "params"?, "json"? | "body"?, "expect"?}` of values, references
            replaced by local copies.
        idempotent: Send an `Idempotency-Key` that names the attempt.

    Raises:
        StepFailed: `HttpError`: no answer; `HttpStatus`: not the status expected; `InputInvalid`: no such request.
    """
    refuse_files({name: value for name, value in request.items() if name != "body"}, "http")
    method, url = str(request["method"]).upper(), as_text(request["url"])
    headers = {name: as_text(value) for name, value in request.get("headers", {}).items()}
    if idempotent and method not in SAFE_METHODS:
        headers = {"Idempotency-Key": attempt.idempotency_key} | headers
    content, kind = _body(request)
    if kind and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = kind
    params = {name: as_text(value) for name, value in request.get("params", {}).items()}
    began = time.monotonic()
    shown = f"{method} {_shown(attempt.masks.text(url))}"
    try:
        async with client.stream(method, url, headers=headers, params=params or None, content=content) as response:
            answer = await _read(response, shown)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeEncodeError) as error:
        raise StepFailed("InputInvalid", f"{shown}: {error}", retryable=False) from None
    except (httpx.HTTPError, httpx.StreamError, ssl.SSLError) as error:
        attempt.log.line(f"{shown}: {_reason(error)}")
        raise StepFailed("HttpError", f"{shown}: {_reason(error)}", {"method": method}) from None
    attempt.log.line(f"{shown} -> {answer.status} in {(time.monotonic() - began) * 1000:.0f} ms", "stdout")
    _check_status(answer, request.get("expect"), method, shown, attempt.masks)
    return answer


def _body(request: dict[str, Any]) -> tuple[bytes | AsyncIterator[bytes] | None, str | None]:
    """Return the body and its content type; a file is sent as it is, however large."""
    body = request.get("body")
    if isinstance(body, dict) and REFERENCE in body:
        return _chunks(Path(body["path"])), "application/octet-stream"
    if body is not None:
        return as_text(body).encode(), "text/plain; charset=utf-8"
    if "json" not in request:
        return None, None
    return json.dumps(request["json"], ensure_ascii=False).encode(), "application/json"


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


async def _read(response: httpx.Response, shown: str) -> Answer:
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_DOCUMENT_BYTES:
            message = (
                f"{shown} answered with more than {MAX_DOCUMENT_BYTES:,} bytes; fetch it in a python step as a file"
            )
            raise StepFailed("OutputInvalid", message, retryable=False)
    text = bytes(data).decode(response.charset_encoding or "utf-8", errors="replace")
    kind = response.headers.get("content-type", "json")
    return Answer(response.status_code, dict(response.headers.items()), json_of(text, kind), text)


def json_of(text: str, kind: str) -> JSON:
    """Return a body of this content type as JSON; None when it is none."""
    if "json" not in kind and text[:1] not in ("{", "["):
        return None
    try:
        return decode(text) if text else None
    except StepFailed:
        return None


def _check_status(answer: Answer, expect: list[int] | None, method: str, shown: str, masks: Masks) -> None:
    if answer.status in expect if expect else 200 <= answer.status < 300:
        return
    wanted = f", not {' or '.join(str(code) for code in expect)}" if expect else ""
    body = clip(masks.text(answer.text), SHOWN_BYTES)
    raise StepFailed(
        "HttpStatus",
        f"{shown} answered {answer.status}{wanted}" + (f": {body}" if body else ""),
        {"status": answer.status, "method": method},
        retryable=answer.status in RETRYABLE or answer.status >= 500,
    )


def _shown(url: str) -> str:
    """Return the address without what may be secret in it: user, password and query."""
    try:
        return str(httpx.URL(url).copy_with(userinfo=b"", query=None, fragment=None))
    except (httpx.InvalidURL, ValueError):
        return clip(url.partition("?")[0], 200)


def _reason(error: Exception) -> str:
    names = {"ConnectTimeout": "no connection", "ReadTimeout": "no answer", "TooManyRedirects": "too many redirects"}
    return names.get(type(error).__name__) or str(error) or type(error).__name__


@cache
def _tls() -> ssl.SSLContext:
    """The trusted certificates, read once: it takes 20 ms."""
    return httpx.create_ssl_context()
