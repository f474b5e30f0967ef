"""Callbacks: what a service posts back to an http step that waits for it. The address is the right to post, once."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.problems import Problem, invalid
from api.schemas import Taken
from api.services import InDatabase, InObjects
from api.strict_json import StrictRoute, parse
from store.callbacks import (
    CallbackClosed,
    CallbackUsed,
    UnknownCallback,
    check_open,
    folder_of,
    post_answer,
)
from store.database import Database, DatabaseUnavailable
from store.runs import get_step
from workflows.messages import TERMINAL_STEP_STATES

router = APIRouter(tags=["callbacks"], route_class=StrictRoute)

_NOT_KEPT = frozenset({"authorization", "cookie", "proxy-authorization"})


@router.post(
    "/callbacks/{token}",
    status_code=202,
    summary="Post back to a step",
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {}}, "text/plain": {"schema": {}}}}},
)
async def post(token: str, request: Request, database: InDatabase, objects: InObjects) -> Taken:
    """Give the step that waits for it its `response`; needs no key, and is taken once.

    409: it was posted before. 410: the step waits no more.
    """
    try:
        folder = await run_in_threadpool(folder_of, objects, token)
        _, run, key, _ = folder.split("/")
        await run_in_threadpool(check_open, objects, folder)
        await _check_waiting(database, run, key)
        answer = _answer(request, await request.body())
        await run_in_threadpool(post_answer, objects, folder, answer)
    except UnknownCallback:
        detail = "This is the address of no callback. Is it whole, and as the step gave it?"
        raise Problem(404, "callback_not_found", detail) from None
    except CallbackUsed:
        raise Problem(409, "callback_used", "An answer was posted to this address before; it takes one.") from None
    except CallbackClosed as closed:
        raise _over(str(closed)) from None
    return Taken(run=run)


async def _check_waiting(database: Database, run: str, key: str) -> None:
    """Pass where the step has not ended: a worker that died cannot have closed its callback."""
    try:
        step = await get_step(database, run, key)
    except DatabaseUnavailable:
        return  # an answer that comes too late is read by nobody; one that is turned away is lost
    if step is not None and step.state in TERMINAL_STEP_STATES:
        raise _over(f"the step is {step.state}")


def _answer(request: Request, body: bytes) -> dict[str, Any]:
    if body and "json" in request.headers.get("content-type", "json"):
        parse(body)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise invalid([("", f"The body is not text: byte {error.start} is not UTF-8.")], status=400) from None
    headers = {name: value for name, value in request.headers.items() if name not in _NOT_KEPT}
    return {"headers": headers, "text": text}


def _over(why: str) -> Problem:
    return Problem(410, "callback_over", f"The step waits for no answer any more: {why}.")
