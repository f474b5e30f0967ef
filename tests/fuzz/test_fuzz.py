"""The corpora of the fuzzer, and a few seconds of it; `python -m tests.fuzz` runs it for longer."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.fuzz.fuzzing import FOLDER, fuzz, read_corpus
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_what_the_fuzzer_found_worth_keeping_breaks_nothing(target: str) -> None:
    inputs = read_corpus(target)
    assert len(inputs) >= 50
    for text in inputs:
        TARGETS[target](text)


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has wheels for Linux on x86-64 alone")
@pytest.mark.parametrize("target", TARGETS)
def test_a_few_seconds_of_fuzzing_break_nothing(target: str) -> None:
    result = fuzz(target, 5)
    assert result.broken is None, result.log[-3_000:]
    assert "DONE" in result.log


def test_the_corpora_are_small() -> None:
    assert sum(path.stat().st_size for path in (FOLDER / "corpus").iterdir()) < 1_000_000
