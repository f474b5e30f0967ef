"""Ten thousand simulated runs, and the simulator itself; `python -m tests.simulator` runs more."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from tests.simulator.cases import TROUBLES, Case, case_of
from tests.simulator.chance import Player
from tests.simulator.ledger import Violation
from tests.simulator.shrinking import Failure, failure_of, shrunk
from tests.simulator.simulation import Simulation, replay
from workflows import core
from workflows.plan import Plan, TriggerRule

SEEDS = 10_000
BLOCKS = 20


@pytest.mark.parametrize("block", range(BLOCKS))
def test_simulated_runs_keep_every_promise(block: int) -> None:
    size = SEEDS // BLOCKS
    for seed in range(block * size, block * size + size):
        failure = failure_of(case_of(seed))
        if failure is not None:
            pytest.fail(shrunk(failure).text())


def played(seed: int) -> Simulation:
    run = Simulation(case_of(seed))
    Player(run).play()
    return run


def test_a_seed_does_the_same_each_time_and_so_do_its_moves_without_chance() -> None:
    for seed in range(60):
        first, second = played(seed), played(seed)
        assert first.tried == second.tried
        assert first.log == second.log
        again = replay(first.case, first.tried)
        assert again.ledger.states == first.ledger.states
        assert again.ledger.seq == first.ledger.seq


def test_every_trouble_and_every_feature_is_met() -> None:
    moves: set[str] = set()
    kinds: set[str] = set()
    plans = [Plan.from_json(case_of(seed).request().plan or {}) for seed in range(400)]
    for seed in range(400):
        for move in played(seed).tried:
            moves.add(move[1] if move[0] == "operate" else move[0])
    met = {*TROUBLES} - {"pause"} | {
        "pause",
        "resume",
        "retry",
        "succeed",
        "fail",
        "lose",
        "cancelled",
        "ring",
        "release",
    }
    assert met <= moves, met - moves
    for plan in plans:
        for step in plan.steps:
            kinds |= {step.kind, step.trigger_rule, step.phase}
            kinds |= {"if"} if step.condition else set()
            kinds |= {"when" for edge in step.needs if edge.when}
            if step.map is not None:
                kinds |= {"map", f"limit {step.map.limit is not None}", f"least {step.map.min_success is not None}"}
                kinds |= {"inner"} if step.map.inner else set()
        kinds |= {plan.on_failure, f"output {plan.output is not None}"}
    expected = {*get_args(TriggerRule), *EXPECTED.split(), "limit True", "limit False", "least True", "least False"}
    assert kinds == expected | {"output True", "output False"}


EXPECTED = "noop workflow wait approve main finally if when map inner finish stop hold"


def broken_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the core start as many steps as there are."""
    counts = core._Turn._counts
    monkeypatch.setattr(core._Turn, "_counts", lambda turn, number: counts(turn, number) and number % 2 == 0)


def test_a_failure_is_printed_as_the_smallest_case_with_its_moves_and_events(monkeypatch: pytest.MonkeyPatch) -> None:
    broken_window(monkeypatch)
    failures = [failure for failure in map(failure_of, map(case_of, range(40))) if failure is not None]
    found = next(each for each in failures if len(each.case.steps) > 3)
    small = shrunk(found)
    assert small.promise == found.promise
    assert len(small.case.steps) < len(found.case.steps)
    assert len(small.moves) <= len(found.moves)
    text = small.text()
    assert f"seed {found.case.seed}, made smaller:" in text
    assert text.index("moves:") < text.index("events:") < text.index("RunStarted(")
    with pytest.raises(Violation, match=small.promise):
        replay(small.case, small.moves)


def test_what_the_core_raises_is_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: object) -> bool:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(core._Turn, "_counts", raising)
    failure = failure_of(Case(1, ({"id": "s0", "kind": "noop"},)))
    assert isinstance(failure, Failure)
    assert failure.promise == "the core raises ZeroDivisionError"


def test_a_run_that_hangs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core._Turn, "_dispatch", lambda turn: None)
    failure = failure_of(replace(case_of(3), troubles=(), trouble=0.0))
    assert failure is not None
    assert failure.promise in ("what may start starts", "a run never hangs")


def test_the_command_simulates_a_range_and_says_how_fast() -> None:
    command = [sys.executable, "-m", "tests.simulator", "--seeds", "5..15"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("10 seeds in ")
    assert done.stdout.endswith("no failures\n")
