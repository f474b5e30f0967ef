"""Large JSON made small for Temporal, which refuses a message of 2 MiB: plans and snapshots say the same often.

It is unpacked only where it is read. What is small stays as it is, so that people can read it in Temporal's own UI.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from typing import Any

from workflows.messages import RunRequest

PACKED_ABOVE = 64 * 1024
MAX_UNPACKED_BYTES = 64 * 1024 * 1024
"""Of a message that anybody may have sent; ours are far below."""
PACKED = "$zlib"
"""The one key of a packed document."""
_LEVEL = 3


def packed(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document so that it takes little room; `unpacked` gives it back."""
    text = _text(document)
    return document if len(text) <= PACKED_ABOVE else _squeezed(text)


def sizes(document: dict[str, Any]) -> tuple[int, int]:
    """Return the bytes of a document as compact JSON, as it is and as `packed` makes it."""
    text = _text(document)
    return len(text), len(text) if len(text) <= PACKED_ABOVE else len(_text(_squeezed(text)))


def _text(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _squeezed(text: bytes) -> dict[str, Any]:
    return {PACKED: base64.b85encode(deflated(text)).decode("ascii")}


def packed_request(request: RunRequest) -> RunRequest:
    """Return a request as it is sent: its plan, and what a rerun takes over, take little room."""
    plan = None if request.plan is None else packed(request.plan)
    return replace(request, plan=plan, kept=packed(request.kept))


def unpacked(document: dict[str, Any]) -> dict[str, Any]:
    """Return what was packed, or the document itself when it was not.

    Raises:
        ValueError: It is not what `packed` gave.
    """
    if PACKED not in document:
        return document
    found = json.loads(inflated(base64.b85decode(document[PACKED])).decode("utf-8", "surrogatepass"))
    if not isinstance(found, dict):
        raise ValueError("the packed document is no object")
    return found


def deflated(text: bytes) -> bytes:
    """Return bytes that `inflated` gives back."""
    return zlib.compress(text, _LEVEL)


def inflated(data: bytes) -> bytes:
    """Return what was deflated.

    Raises:
        ValueError: It is not what `deflated` gave, or larger than `MAX_UNPACKED_BYTES`.
    """
    inflate = zlib.decompressobj()
    try:
        text = inflate.decompress(data, MAX_UNPACKED_BYTES)
    except zlib.error as problem:
        raise ValueError(f"the packed document cannot be read: {problem}") from None
    if not inflate.eof:
        raise ValueError(f"the packed document is cut off, or larger than {MAX_UNPACKED_BYTES:,} bytes")
    return text
