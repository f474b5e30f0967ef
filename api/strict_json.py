"""JSON bodies, read strictly: what would break later, in Temporal, in the database or in a browser, is refused here.

Refused: NaN and Infinity, numbers too large for a double, NUL characters, lone surrogates, more than `MAX_DEPTH`
levels. Which fields there are is none of this module's business.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.problems import Problem, invalid, path_of

MAX_DEPTH = 64
MAX_PROBLEMS = 20
_MAX_INT = 2**63 - 1
"""Beyond it neither SQLite nor Temporal's other SDKs keep a whole number whole."""


_SUSPICIOUS = re.compile(rb"\\u(0000|[dD][89a-fA-F])|[0-9]{19}|[eE]\+?[0-9]{2}")
"""What text must hold for a value in it to be refused for anything but its depth."""


class _StrictRequest(Request):
    async def json(self) -> Any:
        return parse(await self.body())


class StrictRoute(APIRoute):
    """A route whose JSON body is read by `parse`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler behind the strict reader."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


def parse(body: bytes) -> Any:
    """Return the JSON value in `body`.

    Raises:
        Problem: 400 for what is not JSON, 422 for values that cannot be kept, each with its path.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _malformed(f"it is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise _malformed(str(error)) from None
    # Walking every value with its path takes a second for 4 MiB, and the whole API waits meanwhile.
    if _SUSPICIOUS.search(body) or _deeper_than(MAX_DEPTH, value):
        problems = list(itertools.islice(unkeepable(value), MAX_PROBLEMS))
        if problems:
            raise invalid(problems)
    return value


def _deeper_than(depth: int, value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        inner = (part for outer in level for part in (outer.values() if isinstance(outer, dict) else outer))
        level = [part for part in inner if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def unkeepable(value: Any) -> Iterator[tuple[str, str]]:
    """Yield a path and a message for every part of a JSON value that cannot be kept."""
    # A stack of our own: recursion would end at Python's limit, not at ours.
    stack: list[tuple[tuple[object, ...], Any]] = [((), value)]
    while stack:
        place, part = stack.pop()
        if isinstance(part, str):
            message = _unkeepable_text(part)
        elif isinstance(part, bool) or part is None:
            continue
        elif isinstance(part, int):
            message = "" if -_MAX_INT <= part <= _MAX_INT else "a whole number must fit 64 bits"
        elif isinstance(part, float):
            message = "" if math.isfinite(part) else "the number is too large"
        elif len(place) >= MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
        else:
            message = ""
            if isinstance(part, dict):
                stack.extend(((*place, key), inner) for key, inner in reversed(part.items()))
                message = next(filter(None, map(_unkeepable_text, part)), "")
            else:
                stack.extend(((*place, index), inner) for index, inner in reversed(list(enumerate(part))))
        if message:
            yield path_of([_printable(step) for step in place])[:200], message


def _unkeepable_text(text: str) -> str:
    if "\0" in text:
        return "text must not hold a NUL character"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "text must not hold half of a surrogate pair"
    return ""


def _printable(step: object) -> object:
    if isinstance(step, str):
        return step.replace("\0", "?").encode(errors="replace").decode()
    return step


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _malformed(problem: str) -> Problem:
    return invalid([("", f"The body is not JSON: {problem}.")], status=400)
