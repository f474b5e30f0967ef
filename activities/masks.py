"""Hides secrets in what a step prints and says: each becomes `***` before anything is cut, kept or sent.

Besides the value itself its usual forms are hidden: base64 (also where it is a part of what was encoded, and in lines),
percent-encoded, hexadecimal, and escaped as in JSON and in Python's repr; of a value of several lines also each line.
What a step makes of a secret in its own way, nobody can know. Parts of fewer than four characters are left: hiding
them would say more than they do. Without secrets nothing is looked at.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = b"***"
MIN_CHARACTERS = 4
MAX_LINES = 500
"""Lines of a secret that are hidden each by itself: one search for each of them must not hold up a flood."""
_CUT = b"..."
_LINE_LENGTHS = (64, 76)
"""Characters of base64 after which `openssl` and `base64` begin a new line."""
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_SAFE = (
    "",
    "/",
    ":/?#[]@!$&'()*+,;=",
    "".join(sorted(set(_PRINTABLE) - set('"#<>%'))),
    "".join(sorted(set(_PRINTABLE) - set('"#<>?`{}%'))),
)
"""What is left as it is by those who percent-encode: a part of an address, a path, all of an address; and by browsers,
and HTTP clients like ours, in a query and in a path."""
_WORD = re.compile(rb"[A-Za-z0-9+/=_-]{16,}")
_FEW = 8


class Masks:
    """What is to be hidden.

    Args:
        values: The secrets by name.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        found: dict[bytes, str] = {}
        for name, value in (values or {}).items():
            for form in _forms(value):
                found.setdefault(form, name)
        self._names = found
        self._patterns = sorted(found, key=len, reverse=True)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def text(self, text: str) -> str:
        """Return a whole text with the secrets hidden, and what is left of one that somebody cut short with `...`."""
        if not self._patterns:
            return text
        *cut, last = self.data(text.encode(errors="surrogatepass")).split(_CUT)
        return _CUT.join([*map(self._without_beginning, cut), last]).decode(errors="surrogatepass")

    def data(self, data: bytes) -> bytes:
        """Return whole bytes with the secrets hidden."""
        stream = self.stream()
        return stream.feed(data) + stream.rest()

    def value(self, value: Any) -> Any:
        """Return JSON with the secrets in its texts and keys hidden."""
        if not self._patterns:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(item) for name, item in value.items()}
        return value

    def names_in(self, data: bytes) -> list[str]:
        """Return the names of the secrets that bytes hold."""
        return sorted({name for pattern, name in self._names.items() if pattern in data})

    def stream(self) -> MaskedStream:
        """Return what hides the secrets in bytes that come in pieces."""
        return MaskedStream(self._patterns)

    def _without_beginning(self, data: bytes) -> bytes:
        at = self.stream().beginning(data)
        return data[:at] + MASK if len(data) - at >= MIN_CHARACTERS else data


class MaskedStream:
    """Hides secrets in bytes that come in pieces, wherever they are cut.

    What may be the beginning of a secret is held back until more comes: less than the longest secret.
    """

    def __init__(self, patterns: list[bytes]) -> None:
        self._patterns = patterns
        # A private key has two hundred forms, nearly all of them long words, of which most logs have few.
        words = {each for each in patterns if _WORD.fullmatch(each)}
        self._words = [each for each in patterns if each in words] if len(words) > _FEW else []
        self._others = [each for each in patterns if each not in words] if self._words else patterns
        self._held = b""
        self._covered = 0  # how many of the held bytes belong to a secret that has been hidden already

    def feed(self, data: bytes) -> bytes:
        """Return what can be passed on."""
        return self._passed(self._held + data, last=False)

    def rest(self) -> bytes:
        """Return what was held back, at the end."""
        return self._passed(self._held, last=True)

    def _passed(self, data: bytes, *, last: bool) -> bytes:
        end = len(data) if last else self.beginning(data)
        parts, behind = [], self._covered
        for start, stop in self._spans(data):
            if start >= end:
                break
            parts.append(data[behind:start])
            if start >= behind:
                parts.append(MASK)
            behind = stop
        parts.append(data[behind:end])
        self._held, self._covered = data[end:], max(0, behind - end)
        return b"".join(parts)

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return where secrets are; those that overlap are one."""
        found = [(0, self._covered)] if self._covered else []
        for pattern in self._likely(data):
            at = data.find(pattern)
            while at >= 0:
                if found and found[-1][0] <= at < found[-1][1]:  # keeps the list short for a flood of one letter
                    found[-1] = (found[-1][0], max(found[-1][1], at + len(pattern)))
                else:
                    found.append((at, at + len(pattern)))
                at = data.find(pattern, at + 1)
        merged: list[tuple[int, int]] = []
        for start, stop in sorted(found):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
            else:
                merged.append((start, stop))
        return merged

    def _likely(self, data: bytes) -> list[bytes]:
        """Return the patterns that may be in the data, at the price of one look at it."""
        words = b" ".join(_WORD.findall(data)) if self._words else b""
        return self._others + [each for each in self._words if each in words] if words else self._others

    def beginning(self, data: bytes) -> int:
        """Return from where on the bytes may be the beginning of a secret whose rest has not come."""
        earliest = len(data)
        for pattern in self._patterns:
            at = data.find(pattern[:1], max(0, len(data) - len(pattern) + 1), earliest)
            while at >= 0 and not pattern.startswith(data[at:]):
                at = data.find(pattern[:1], at + 1, earliest)
            if at >= 0:
                earliest = at
        return earliest


def _forms(value: str) -> Iterator[bytes]:
    """Yield the forms of a secret that are hidden."""
    texts = dict.fromkeys([value, value.strip()])
    forms = [form for text in texts if len(text) >= MIN_CHARACTERS for form in _spellings(text)]
    lines = [line.strip().encode() for line in value.splitlines()[:MAX_LINES]]
    return (form for form in (*forms, *lines) if len(form) >= MIN_CHARACTERS)


def _spellings(text: str) -> Iterator[bytes]:
    raw = text.encode()
    yield raw
    for escaped in (json.dumps(text), json.dumps(text, ensure_ascii=False), repr(text), repr(raw).removeprefix("b")):
        yield escaped[1:-1].encode()
    yield text.replace("'", "'\\''").encode()  # a shell that shows what it does
    for quoted in (quote_plus(text), *(quote(text, safe=safe) for safe in _SAFE)):
        yield quoted.encode()
        yield _lower_escapes(quoted).encode()
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for encoded in _base64_forms(raw):
        yield encoded
        yield encoded.translate(bytes.maketrans(b"+/", b"-_"))
    whole = base64.b64encode(raw)
    for length in _LINE_LENGTHS:
        ends = range(0, min(len(whole), MAX_LINES * length), length) if len(whole) > length else ()
        yield from (whole[at : at + length] for at in ends)


def _lower_escapes(quoted: str) -> str:
    head, *rest = quoted.split("%")
    return "".join([head, *(f"%{part[:2].lower()}{part[2:]}" for part in rest)])


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """Yield base64 of bytes, by themselves and behind one or two others: the characters that do not depend on those."""
    whole = base64.b64encode(raw)
    yield whole
    yield whole.rstrip(b"=")
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        yield encoded[first:last]
