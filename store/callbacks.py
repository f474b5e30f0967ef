"""Callbacks: addresses at which a service posts its answer to a step, each of them once.

An attempt opens a callback in its folder and gets the token that belongs into the address: the folder, and a key made
for this callback alone. The store has the key's hash, so whoever reads it still cannot post. The answer is an object
that is created once: who comes first, the service or the attempt that waits no more, decides what becomes of the
callback, whichever process dies or starts anew meanwhile. Every call blocks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from typing import Any

from store.objects import InvalidKey, ObjectExists, ObjectNotFound, ObjectStore, check_key

KEY_NAME = "callback.json"
ANSWER_NAME = "callback-answer.json"
KEY_BYTES = 32

_FOLDER = re.compile(r"runs/[^/]+/[^/]+/[^/]+")


class UnknownCallback(Exception):
    """The token is none of this store's: it was cut, changed or invented."""


class CallbackUsed(Exception):
    """An answer has been posted before."""


class CallbackClosed(Exception):
    """The step waits no more; the message says why."""


def open_callback(objects: ObjectStore, folder: str) -> str:
    """Open the callback of the attempt with this folder, and return its token."""
    key = secrets.token_bytes(KEY_BYTES)
    document = {"sha256": hashlib.sha256(key).hexdigest()}
    objects.put(f"{folder}/{KEY_NAME}", json.dumps(document).encode(), create_only=True)
    return f"{_encoded(folder.encode())}.{_encoded(key)}"


def key_of(token: str) -> str:
    """Return the secret part of a token."""
    return token.partition(".")[2]


def folder_of(objects: ObjectStore, token: str) -> str:
    """Return the folder of the attempt whose callback the token is.

    Raises:
        UnknownCallback: It is none.
    """
    first, _, second = token.partition(".")
    try:
        folder, key = check_key(_decoded(first).decode()), _decoded(second)
        if _FOLDER.fullmatch(folder) is None:
            raise UnknownCallback
        kept = json.loads(objects.get(f"{folder}/{KEY_NAME}"))["sha256"]
    except (ObjectNotFound, InvalidKey, ValueError):
        raise UnknownCallback from None
    if not hmac.compare_digest(hashlib.sha256(key).hexdigest(), kept):
        raise UnknownCallback
    return folder


def check_open(objects: ObjectStore, folder: str) -> None:
    """Pass where an answer may be posted.

    Raises:
        CallbackUsed: One has been posted.
        CallbackClosed: Nobody waits for one.
    """
    try:
        kept = json.loads(objects.get(f"{folder}/{ANSWER_NAME}"))
    except ObjectNotFound:
        return
    if "closed" in kept:
        raise CallbackClosed(kept["closed"])
    raise CallbackUsed


def post_answer(objects: ObjectStore, folder: str, answer: dict[str, Any]) -> None:
    """Keep what the service posted; raises as `check_open` does."""
    try:
        objects.put(f"{folder}/{ANSWER_NAME}", json.dumps({"answer": answer}).encode(), create_only=True)
    except ObjectExists:
        check_open(objects, folder)


def answer_in(objects: ObjectStore, folder: str) -> dict[str, Any] | None:
    """Return what the service posted, or None: nothing yet."""
    try:
        kept = json.loads(objects.get(f"{folder}/{ANSWER_NAME}"))
    except ObjectNotFound:
        return None
    answer: dict[str, Any] | None = kept.get("answer")
    return answer


def is_closed(objects: ObjectStore, folder: str) -> bool:
    """Tell whether no answer has come, nor will."""
    try:
        check_open(objects, folder)
    except CallbackClosed:
        return True
    except CallbackUsed:
        pass
    return False


def close_callback(objects: ObjectStore, folder: str, why: str) -> bool:
    """Take no answer from now on; return False where one had come before."""
    try:
        objects.put(f"{folder}/{ANSWER_NAME}", json.dumps({"closed": why}).encode(), create_only=True)
    except ObjectExists:
        return answer_in(objects, folder) is None
    return True


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
    except ValueError:
        raise UnknownCallback from None
