"""Column types that hold the same values on SQLite and PostgreSQL, whatever a user's program produced.

Text that PostgreSQL or a browser would refuse (NUL characters, lone surrogates, NaN) is replaced by something people
can see, here, at the border of what is recorded; a record is never lost because of one character.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

NUL_PICTURE = "\u2400"


def clean_text(text: str) -> str:
    """Return the text with NUL as its picture and lone surrogates as the replacement character."""
    if text.isascii():
        return text.replace("\0", NUL_PICTURE) if "\0" in text else text
    # UTF-16 joins the halves of a pair that came as two characters, and knows which are alone.
    return text.replace("\0", NUL_PICTURE).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean_json(value: Any) -> Any:
    """Return a JSON value with `clean_text` applied throughout, and NaN and infinities as text."""
    match value:
        case str():
            return clean_text(value)
        case dict():
            return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
        case list() | tuple():
            return [clean_json(item) for item in value]
        case float() if not math.isfinite(value):
            return str(value)
    return value


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


class CleanText(TypeDecorator[str]):
    """Text, cleaned on its way in."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Clean it."""
        return None if value is None else clean_text(value)


class Document(TypeDecorator[Any]):
    """A JSON value as text: it comes back with its keys in the order they were given, which JSONB would not keep.

    None is SQL's NULL.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Serialise it, cleaned."""
        if value is None:
            return None
        try:
            text = _dumps(value)
        except ValueError:
            return _dumps(clean_json(value))
        # Half of all surrogates found here are parts of an honest pair; cleaning leaves those alone.
        if "\\u0000" in text or "\\ud" in text:
            return _dumps(clean_json(value))
        return text

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Parse it."""
        return None if value is None else json.loads(value)


class UtcTime(TypeDecorator[datetime]):
    """A moment, aware and in UTC on both sides; SQLite by itself would return it without a timezone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; a time without timezone is a mistake of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no timezone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Attach UTC where the database dropped it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def moment(seconds: float) -> datetime | None:
    """Return seconds since the epoch as a time; None for 0, which says unknown, and for what is no time."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (OverflowError, OSError, ValueError):
        return None


def text_of(time: datetime | None) -> str | None:
    """Return a time as RFC 3339 text in UTC with microseconds, as HTTP shows it."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
