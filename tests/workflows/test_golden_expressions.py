"""What the language says of some hundred expressions, exactly; `tests.golden.record` writes it anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.written import FILES, expressions, written
from workflows.expressions.functions import FUNCTIONS, MACROS, METHODS
from workflows.expressions.parser import PRECEDENCE


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_expressions_have_their_exact_value_type_and_explanation(path: Path) -> None:
    assert written(path) == path.read_text(encoding="utf-8")


def test_every_operator_function_method_and_macro_is_among_them() -> None:
    everything = [text for path in FILES for text in expressions(path)]
    assert len(everything) >= 300
    assert len(set(everything)) == len(everything)
    words = [f"{name}(" for name in (*FUNCTIONS, "has")] + [f".{name}(" for name in (*METHODS, *MACROS)]
    words += [f" {operator} " for operator in PRECEDENCE] + ["?.", " ? ", "!", "[", "{", "r'"]
    assert [word for word in words if not any(word in text for text in everything)] == []
