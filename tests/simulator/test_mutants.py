"""The simulator finds the bugs that are planted for it: without that, its silence would mean nothing."""

from __future__ import annotations

import sys

import pytest

from tests.simulator.hunting import MutantOutdated, hunt, mutated
from tests.simulator.mutants import MUTANTS, Mutant
from tests.simulator.shrinking import failure_of
from workflows import core

SEEDS = range(2_000)
"""In which each must be found; most are within the first fifty."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_planted_bug_is_found(mutant: Mutant) -> None:
    assert hunt(mutant, SEEDS) is not None


def test_there_are_at_least_twenty_and_each_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20


def test_without_a_bug_nothing_is_found() -> None:
    assert hunt(Mutant("none", "rules", '"""Trigger rules:', '"""The trigger rules:'), range(200)) is None


@pytest.mark.parametrize("text", ["this text is nowhere", "self.state"])
def test_a_mutant_that_cannot_be_planted_any_more_is_named(text: str) -> None:
    with pytest.raises(MutantOutdated, match=r"'old': its text is [0-9]+ times in workflows/core.py, not once"):
        mutated(Mutant("old", "core", text, "pass"))


def test_nothing_is_left_of_a_planted_bug() -> None:
    hunt(MUTANTS[0], range(1))
    assert sys.modules["workflows.core"] is core
    assert failure_of.__globals__["__name__"] in sys.modules
    assert sys.modules["tests.simulator.shrinking"].failure_of is failure_of
