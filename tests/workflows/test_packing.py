"""Large JSON on its way through Temporal."""

from __future__ import annotations

from typing import Any

import pytest

from workflows import packing
from workflows.packing import PACKED_ABOVE, packed, unpacked


def test_what_is_large_becomes_small_and_comes_back() -> None:
    document = {"steps": [{"id": f"s{number}", "run": "echo \ud800 ü"} for number in range(5_000)]}
    sent = packed(document)
    assert len(str(sent)) < PACKED_ABOVE
    assert unpacked(sent) == document


def test_what_is_small_stays_readable() -> None:
    assert packed({"a": 1}) == {"a": 1}
    assert unpacked({"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "!" + text[1:], "cannot be read"),
        (lambda text: text[: len(text) // 10 * 5], "is cut off"),
        (lambda text: "", "is cut off"),
    ],
)
def test_what_was_not_packed_by_us_is_refused(change: Any, message: str) -> None:
    text = packed({"a": "x" * PACKED_ABOVE})["$zlib"]
    with pytest.raises(ValueError, match=message):
        unpacked({"$zlib": change(text)})


def test_what_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = packed({"a": "x" * PACKED_ABOVE})
    monkeypatch.setattr(packing, "MAX_UNPACKED_BYTES", 1_000)
    with pytest.raises(ValueError, match="larger than 1,000 bytes"):
        unpacked(sent)
