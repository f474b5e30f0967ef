"""The example of plain functions gives the same whether it is called or compiled and run."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.segue.function_runs import called, driven, module_of, plan_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "plain-functions" / "spelling.py"


@pytest.mark.parametrize(
    ("params", "sample"),
    [({}, "a st"), ({"orders": [0, 1]}, "a st"), ({"wanted": 1.0}, None)],
)
def test_the_example_gives_the_same_called_and_compiled(
    tmp_path: Path, params: dict[str, Any], sample: str | None
) -> None:
    direct, compiled = _both(tmp_path, params)
    assert direct.output == compiled.output
    assert (direct.output["sample"] or "")[:4] == (sample or "")


@pytest.mark.parametrize("params", [{"text": "abba" * 9}, {"orders": [1, 500]}])
def test_the_example_gives_up_the_same_way(tmp_path: Path, params: dict[str, Any]) -> None:
    direct, compiled = _both(tmp_path, params)
    assert direct.output is compiled.output is None


def _both(folder: Path, params: dict[str, Any]) -> tuple[Any, Any]:
    source = EXAMPLE.read_text()
    module = module_of(source, folder / EXAMPLE.name)
    module.EXECUTED = []  # type: ignore[attr-defined]
    plan = plan_of(module.spelling, source)
    direct, compiled = called(module, module.spelling, params), driven(module, plan, params, Random(1))
    assert direct.state == compiled.state == "succeeded"
    return direct, compiled
