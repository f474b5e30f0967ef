"""The messages of broken definitions, the plans of valid ones, exactly; `tests.golden.record` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.record import BROKEN, VALID, compiled, messages, plan
from translator import Code
from workflows.plan import Plan


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_definition_gets_its_exact_messages(path: Path) -> None:
    assert messages(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_definition_gets_its_exact_plan(path: Path) -> None:
    assert plan(path) == path.with_suffix(".json").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_plan_survives_being_stored(path: Path) -> None:
    found = compiled(path)
    assert Plan.from_json(found.to_json()) == found


def test_every_code_is_shown_by_a_broken_definition() -> None:
    texts = "".join(path.with_suffix(".txt").read_text(encoding="utf-8") for path in BROKEN)
    elsewhere = {Code.TOO_LARGE}  # its definition would be a large file; test_limits.py writes one
    assert {code for code in Code if f"error[{code}]" not in texts} == elsewhere


def test_there_are_many_definitions_of_both_kinds() -> None:
    assert len(VALID) >= 150
    assert len(BROKEN) >= 200


def test_every_broken_definition_is_refused() -> None:
    assert [path.stem for path in BROKEN if "error[E" not in path.with_suffix(".txt").read_text(encoding="utf-8")] == []
