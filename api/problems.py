"""Errors as people and programs read them: problem documents (RFC 9457), for every error this API answers with.

A `Problem` is raised anywhere below a route; everything else that can go wrong (validation, unknown paths, a store
that is down, a bug) is turned into one here. A response never holds a stack trace, a SQL statement or a file path.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

logger = logging.getLogger("segue.api")

RETRY_AFTER_SECONDS = 2
"""What a client is asked to wait for when a part of the service is down."""

_CODES = {
    400: "invalid_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    500: "internal_error",
    503: "unavailable",
}
_LOCATIONS = frozenset({"body", "query", "path", "header"})


class Problem(HTTPException):
    """An error with its HTTP answer.

    It is an `HTTPException` because FastAPI lets only those through while it reads a body.

    Attributes:
        status_code: The HTTP status.
        code: A stable word for programs, such as `run_not_found`.
        detail: One or two sentences for people: what is wrong and what to do.
        headers: Further response headers.
        extra: Further members of the document, such as `errors` or `diagnostics`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.code = code
        self.extra = extra


def not_found(noun: str, name: object) -> Problem:
    """Return the 404 for a `noun` ("run", "workflow") that does not exist."""
    return Problem(404, f"{noun.replace(' ', '_')}_not_found", f"There is no {noun} {str(name)[:300]!r}.")


def unavailable(part: str) -> Problem:
    """Return the 503 for a `part` of the service ("Temporal", "the database") that does not answer."""
    return Problem(
        503,
        "unavailable",
        f"{part} cannot be reached at the moment. Nothing is lost: try again.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def invalid(errors: Sequence[tuple[str, str]], *, code: str = "invalid_request", status: int = 422) -> Problem:
    """Return the 422 for `errors`, pairs of a path such as `params.min_rows` and a message."""
    detail = "; ".join(f"{path}: {message}" if path else message for path, message in errors[:5])
    more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
    return Problem(status, code, detail + more, errors=[{"path": path, "message": message} for path, message in errors])


def respond(problem: Problem) -> JSONResponse:
    """Return `problem` as a response."""
    content = {
        "type": f"urn:segue:problem:{problem.code}",
        "title": HTTPStatus(problem.status_code).phrase,
        "status": problem.status_code,
        "detail": problem.detail,
        "code": problem.code,
        **problem.extra,
    }
    return JSONResponse(content, problem.status_code, problem.headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return respond(error)
    details = {
        404: f"There is nothing at {request.url.path[:300]}.",
        405: f"{request.method} is not allowed at {request.url.path[:300]}.",
    }
    detail = details.get(error.status_code, str(error.detail))
    code = _CODES.get(error.status_code, "error")
    return respond(Problem(error.status_code, code, detail, headers=error.headers))


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    malformed = any(e["type"] == "json_invalid" for e in found)
    return respond(invalid([_field(e) for e in found], status=400 if malformed else 422))


def _field(error: Mapping[str, Any]) -> tuple[str, str]:
    if error["type"] == "json_invalid":
        return "", f"The body is not JSON: {error['ctx']['error']} at character {error['loc'][-1]}."
    place = list(error["loc"])
    if place and place[0] in _LOCATIONS:
        place = place[1:]
    return path_of(place) or "body", str(error["msg"])


def path_of(place: Sequence[object]) -> str:
    """Return `["params", "grid", 0]` as `params.grid[0]`."""
    path = ""
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def some(names: Sequence[str], most: int = 8) -> str:
    """Return names for a message: all, or the first ones and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
