"""A concurrency limit as people meet it: through the API, on the whole stack."""

from __future__ import annotations

from pathlib import Path

from temporalio.client import Client as TemporalClient

from segue import Client
from segue.client import RunHandle
from store.database import Database
from tests.e2e.conftest import deployed
from tests.waiting import until
from workers.stack import Stack
from workflows.plan import Concurrency, Plan, Step

HOLD = 'touch "$GATE.began"; until [ -e "$GATE" ]; do sleep 0.05; done'


def gated(name: str, when_full: str = "queue") -> Plan:
    """Return a plan of a step that goes on until a file is there."""
    step = Step("hold", "shell", {"script": HOLD}, env={"GATE": "${{ params.gate }}"})
    limit = Concurrency("train-${{ params.dataset }}", 1, when_full)  # type: ignore[arg-type]
    text: dict[str, object] = {"type": "string"}
    return Plan(name, (step,), params={"gate": text, "dataset": {**text, "default": "wine"}}, concurrency=limit)


def holding(client: Client, name: str, gate: Path) -> RunHandle:
    """Start a run that has its place for as long as its gate is shut."""
    run = client.run(name, params={"gate": str(gate)})
    until(Path(f"{gate}.began").exists, what="the holder's step")
    return run


def until_pending(client: Client, run: str, said: str) -> None:
    def it_waits() -> bool:
        found = client.get_run(run)
        return found.state == "pending" and found.reason == said

    until(it_waits, what=f"a run that says {said!r}")


async def test_a_run_is_pending_with_its_reason_and_starts_when_its_turn_comes(
    client: Client, database: Database, tmp_path: Path
) -> None:
    name = await deployed(database, gated("takes-turns"))
    first = holding(client, name, tmp_path / "first")
    (tmp_path / "second").touch()
    second = client.run(name, params={"gate": str(tmp_path / "second")})
    said = f'waits for a place under concurrency key "train-wine" (limit 1), held by {first.id}'
    until_pending(client, second.id, said)
    assert [run.reason for run in client.runs(workflow=name, state="pending")] == [said]
    assert client.get_run(second.id).started_at is None
    other = client.run(name, params={"gate": str(tmp_path / "second"), "dataset": "digits"}).wait(timeout=60)
    assert other.state == "succeeded", "another key has a place of its own"
    (tmp_path / "first").touch()
    ended = second.wait(timeout=60)
    assert ended.state == "succeeded", ended.reason
    assert ended.started_at is not None
    assert ended.started_at >= (first.wait(timeout=60).ended_at or ended.started_at)


async def test_a_pending_run_is_cancelled_by_the_api_and_never_starts(
    client: Client, database: Database, tmp_path: Path
) -> None:
    name = await deployed(database, gated("gives-up"))
    first = holding(client, name, tmp_path / "first")
    second = client.run(name, params={"gate": str(tmp_path / "second")})
    until(lambda: "held by" in client.get_run(second.id).reason, what="a run that waits")
    client.cancel(second.id, "not today")
    ended = second.wait(timeout=60, check=False)
    assert (ended.state, ended.reason, ended.started_at) == ("cancelled", "not today", None)
    assert [step.state for step in ended.steps] == ["cancelled"]
    assert not Path(f"{tmp_path / 'second'}.began").exists()
    (tmp_path / "first").touch()
    assert first.wait(timeout=60).state == "succeeded"


async def test_the_place_of_a_run_that_was_terminated_in_temporal_goes_to_the_next(
    client: Client, database: Database, stack: Stack, tmp_path: Path
) -> None:
    name = await deployed(database, gated("bereft"))
    first = holding(client, name, tmp_path / "first")
    (tmp_path / "second").touch()
    temporal = await TemporalClient.connect(str(stack.service["temporal_address"]))
    await temporal.get_workflow_handle(first.id).terminate("by hand")
    second = client.run(name, params={"gate": str(tmp_path / "second")}).wait(timeout=60)
    assert second.state == "succeeded", second.reason
    assert first.wait(timeout=60, check=False).reason.startswith("terminated in Temporal")


async def test_a_run_that_skips_says_so_in_the_list(client: Client, database: Database, tmp_path: Path) -> None:
    name = await deployed(database, gated("skips", "skip"))
    first = holding(client, name, tmp_path / "first")
    second = client.run(name, params={"gate": str(tmp_path / "second")}).wait(timeout=60, check=False)
    said = f'no place is free under concurrency key "train-wine" (limit 1), held by {first.id}'
    assert [run.reason for run in client.runs(workflow=name, state="cancelled")] == [said]
    assert second.reason == said
    (tmp_path / "first").touch()
    first.wait(timeout=60)


async def test_a_newcomer_has_the_oldest_cancelled(client: Client, database: Database, tmp_path: Path) -> None:
    name = await deployed(database, gated("replaces", "cancel_oldest"))
    first = holding(client, name, tmp_path / "first")
    (tmp_path / "second").touch()
    second = client.run(name, params={"gate": str(tmp_path / "second")}).wait(timeout=60)
    assert second.state == "succeeded", second.reason
    ended = first.wait(timeout=60, check=False)
    assert (ended.state, ended.reason) == (
        "cancelled",
        f'run {second.id} takes its place under concurrency key "train-wine" (limit 1)',
    )
