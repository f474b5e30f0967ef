"""`kill -9` of what keeps the places, again and again: the limit is never exceeded and no place is lost."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from store.database import Database
from store.workflows import deploy_workflow
from tests.faults.conftest import Victim
from tests.waiting import until
from workflows.plan import Concurrency, Plan, Step

LIMIT, RUNS = 2, 8
STEP = 'echo "in $SEGUE_RUN_ID" >> "$LEDGER"; sleep 0.7; echo "out $SEGUE_RUN_ID" >> "$LEDGER"'


def deploy(victim: Victim, name: str) -> str:
    """Deploy a workflow with a limit."""
    step = Step("count", "shell", {"script": STEP}, env={"LEDGER": "${{ params.ledger }}"})
    plan = Plan(name, (step,), params={"ledger": {"type": "string"}}, concurrency=Concurrency("all", LIMIT))

    async def put() -> None:
        database = Database(f"sqlite+aiosqlite:///{victim.stack.data / 'segue.db'}")
        await deploy_workflow(database, plan, {"filename": "w.yaml", "text": "", "language": "yaml"}, None)
        await database.close()

    asyncio.run(put())
    return name


def lines(ledger: Path) -> list[str]:
    return ledger.read_text().splitlines() if ledger.exists() else []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", ["worker control", "temporal"])
def test_the_limit_holds_and_nobody_starves_through_the_deaths_of(part: str, victim: Victim, tmp_path: Path) -> None:
    name, ledger = deploy(victim, f"limited-{part.replace(' ', '-')}"), tmp_path / "ledger"
    runs = [victim.client.run(name, params={"ledger": str(ledger)}) for _ in range(RUNS)]
    for seen in (1, 2 * LIMIT + 1):
        until(lambda seen=seen: len(lines(ledger)) >= seen, seconds=90, what="steps in flight")  # type: ignore[misc]
        assert len(lines(ledger)) < 2 * RUNS, "work was to be in flight"
        victim.kill(part)
    ends = [run.wait(timeout=150) for run in runs]
    assert [end.state for end in ends] == ["succeeded"] * RUNS
    told = lines(ledger)
    inside = list(itertools.accumulate(1 if line.startswith("in ") else -1 for line in told))
    assert sorted(told) == sorted(f"{way} {run.id}" for run in runs for way in ("in", "out")), "each ran once"
    assert max(inside) == LIMIT
    again = victim.client.run(name, params={"ledger": str(ledger)}).wait(timeout=60)
    assert again.state == "succeeded", "a place leaked"
