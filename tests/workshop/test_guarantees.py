"""The page on what is guaranteed: every claim names a test, and that test is there."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "guarantees.md").read_text()


def test_every_claim_names_a_test_that_is_there() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| guaranteed")]
    assert len(rows) > 15
    for row in rows:
        named = re.fullmatch(r"\| .+ \| `(tests/[\w/]+\.py)::(test_\w+)` \|", row)
        assert named is not None, f"no test is named: {row}"
        assert re.search(rf"def {named[2]}\(", (REPOSITORY / named[1]).read_text()), f"there is no such test: {row}"
