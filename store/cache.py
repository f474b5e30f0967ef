"""Outputs that are kept for reuse: one object for each computation, numbered, of which the last one counts.

`cache/<workflow>/<step>/<digest>/<number>.json` is a *claim*: somebody computes this, or has. Whoever makes the next
number (create-only, so one does) fences all before it: what an earlier holder still writes is never read. Only its
holder writes to a claim, so nothing is ever lost between two. Nothing here knows a clock or waits; all of it blocks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from store.objects import InvalidKey, ObjectExists, ObjectNotFound, ObjectStore

PREFIX = "cache/"
MAX_CLAIM_BYTES = 256 * 1024
"""A claim holds an output of at most 16 KiB, or a reference to it."""
_KEY = re.compile(r"cache/([^/]+)/([^/]+)/([0-9a-f]{64})/([0-9]{8})\.json")

State = Literal["computing", "done", "failed", "cleared"]


@dataclass(slots=True)
class Claim:
    """What is known of one computation.

    Attributes:
        state: `failed` also stands for one that was cancelled; `cleared` for an order to compute anew.
        run: Whose.
        key: The step's key in that run.
        attempt: The attempt's name.
        folder: Prefix of the attempt's objects.
        beat: Counts up while its holder lives.
        at: When it was written, seconds since the epoch by its holder's clock; of one that is done, when that was.
        value: The output, as a step's result has it.
        output: Reference to the whole output.
    """

    state: State
    run: str = ""
    key: str = ""
    attempt: str = ""
    folder: str = ""
    beat: int = 0
    at: float = 0.0
    value: Any = None
    output: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Computation:
    """What is computed: the same digest is the same code, given the same inputs in the same environment."""

    workflow: str
    step: str
    digest: str

    @property
    def prefix(self) -> str:
        """Return what the keys of its claims begin with."""
        return f"{PREFIX}{self.workflow}/{self.step}/{self.digest}/"

    def key(self, number: int) -> str:
        """Return the key of a claim."""
        return f"{self.prefix}{number:08}.json"


@dataclass(frozen=True, slots=True)
class Numbered:
    """The claim that counts, and its number; `claim` is None before the first, and when it cannot be read."""

    number: int = 0
    claim: Claim | None = None


class Claims:
    """The claims in an object store."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def last(self, what: Computation) -> Numbered:
        """Return the claim that counts."""
        number = max((_number(info.key) for info in self._objects.list(what.prefix)), default=0)
        return Numbered(number, self._read(what.key(number)) if number else None)

    def make(self, what: Computation, number: int, claim: Claim) -> bool:
        """Make the claim of a number; say False when somebody else has, or has gone beyond it."""
        try:
            self._objects.put(what.key(number), _encoded(claim), create_only=True)
        except ObjectExists:
            return False
        # Old claims are removed, so a number may be free again that is long behind.
        return self.last(what).number == number

    def write(self, what: Computation, number: int, claim: Claim) -> None:
        """Write a claim again, as its holder."""
        self._objects.put(what.key(number), _encoded(claim))

    def forget_before(self, what: Computation, number: int) -> None:
        """Remove the claims that do not count any more."""
        for key in [info.key for info in self._objects.list(what.prefix) if _number(info.key) < number]:
            self._objects.delete(key)

    def every(self, workflow: str | None = None, step: str | None = None) -> Iterator[tuple[Computation, Numbered]]:
        """Yield what is computed, with the claim that counts, by workflow and step."""
        prefix = PREFIX + (f"{workflow}/" if workflow else "") + (f"{step}/" if workflow and step else "")
        found: Computation | None = None
        number = 0
        for info in self._objects.list(prefix):
            match = _KEY.fullmatch(info.key)
            if match is None:
                continue
            what = Computation(match[1], match[2], match[3])
            if found is not None and what != found:
                yield found, Numbered(number, self._read(found.key(number)))
                number = 0
            found, number = what, max(number, int(match[4]))
        if found is not None:
            yield found, Numbered(number, self._read(found.key(number)))

    def clear(self, workflow: str, step: str | None = None) -> int:
        """Let nothing count that was claimed up to now; return how many outputs were there.

        What is being computed ends as it began, and is not kept.
        """
        cleared = 0
        for what, last in [*self.every(workflow, step)]:
            if last.claim is not None and last.claim.state == "cleared":
                continue
            if self.make(what, last.number + 1, Claim("cleared")):
                self.forget_before(what, last.number + 1)
                cleared += last.claim is not None and last.claim.state == "done"
        return cleared

    def _read(self, key: str) -> Claim | None:
        try:
            return _decoded(b"".join(_bounded(self._objects.open(key))))
        except (ObjectNotFound, InvalidKey, ValueError, TypeError, RecursionError):
            return None


def _number(key: str) -> int:
    match = _KEY.fullmatch(key)
    return int(match[4]) if match else 0


def _encoded(claim: Claim) -> bytes:
    return json.dumps(asdict(claim), ensure_ascii=False, separators=(",", ":")).encode()


def _decoded(data: bytes) -> Claim:
    document = json.loads(data)
    if not isinstance(document, dict):
        raise ValueError("no claim")
    known = {each.name for each in fields(Claim)}
    claim = Claim(**{name: value for name, value in document.items() if name in known})
    texts = (claim.run, claim.key, claim.attempt, claim.folder)
    sound = claim.state in get_args(State) and all(isinstance(each, str) for each in texts)
    if not sound or not isinstance(claim.at, int | float) or not isinstance(claim.output, dict | None):
        raise ValueError("no claim")
    return claim


def _bounded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_CLAIM_BYTES:
            raise ValueError("too large")
        yield chunk
