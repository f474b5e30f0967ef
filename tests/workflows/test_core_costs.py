"""What the core's work costs; that it keeps its promises is for `tests/simulator` to show."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.driving import Drive, step
from workflows import decisions
from workflows.state import State


@pytest.mark.parametrize("rule", ["all_success", "one_success", "none_failed"])
def test_work_grows_with_steps_and_edges_not_with_their_product(rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    look = decisions.edge

    def counted(state: State, number: int, place: int) -> Any:
        nonlocal looks
        looks += 1
        return look(state, number, place)

    monkeypatch.setattr(decisions, "edge", counted)
    width = 200
    middle = [step(f"m{n}", {"first": "output > 9"}) for n in range(width)]
    run = Drive(step("first"), *middle, step("last", [each.id for each in middle], trigger_rule=rule))
    run.succeed("first", 10)
    for each in middle:
        run.succeed(each.id, 1) if rule != "one_success" else run.fail(each.id)
    edges = 2 * width
    assert run.states["last"] in ("queued", "upstream_failed")
    assert looks <= 2 * edges
