"""Runs that nobody starts by hand: a signal and a cron schedule."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import Client as TemporalClient

from segue import Client
from tests.waiting import until
from workers.stack import Stack
from workflows.messages import FIRE_SIGNAL, Event

DEFINITION = """\
segue: 1
name: triggered
params: {who: {type: string, default: nobody}}
triggers:
  - schedule: {cron: "0 6 * * MON", timezone: Europe/Paris}
    params: {who: monday}
  - event: {name: data.published}
    params: {who: "${{ event.who }}"}
steps:
  greet:
    run: echo "hello=$WHO" >> "$SEGUE_OUTPUT"
    env: {WHO: "${{ params.who }}"}
output: {hello: "${{ steps.greet.output.hello }}"}
"""


@pytest.fixture(scope="module")
def triggered(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of the deployed workflow."""
    path: Path = tmp_path_factory.mktemp("triggered") / "triggered.yaml"
    path.write_text(DEFINITION)
    client.deploy(path)
    return "triggered"


@pytest.fixture
async def temporal(stack: Stack) -> TemporalClient:
    """What an operator has besides our API."""
    return await TemporalClient.connect(str(stack.service["temporal_address"]))


async def test_a_signal_to_temporal_starts_one_run_however_often_it_is_sent(
    triggered: str, client: Client, temporal: TemporalClient
) -> None:
    trigger = temporal.get_workflow_handle(f"segue-trigger-{triggered}")
    for _ in range(3):
        await trigger.signal(FIRE_SIGNAL, Event("2026-11-24", "data.published", {"who": "signal"}))
    (run,) = until(lambda: [r for r in client.runs(workflow=triggered) if r.cause.kind == "event"])
    assert client.get_run(run.id).params == {"who": "signal"}
    assert client.handle(run.id).wait(timeout=30).output == {"hello": "signal"}
    assert client.fire_event(triggered, "2026-11-24", {"who": "signal"}) == run.id
    assert len([r for r in client.runs(workflow=triggered) if r.cause.kind == "event"]) == 1


async def test_a_schedule_starts_runs_of_the_newest_version(
    triggered: str, client: Client, temporal: TemporalClient
) -> None:
    schedules = [s.id async for s in await temporal.list_schedules() if s.id.startswith(f"segue-{triggered}-")]
    assert len(schedules) == 1
    await temporal.get_schedule_handle(schedules[0]).trigger()  # the tick itself is Temporal's
    (run,) = until(lambda: [r for r in client.runs(workflow=triggered) if r.cause.kind == "schedule"])
    ended = client.handle(run.id).wait(timeout=30)
    assert (ended.state, ended.output) == ("succeeded", {"hello": "monday"})


async def test_a_cron_schedule_ticks_by_itself(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "ticking.yaml"
    path.write_text(
        'segue: 1\nname: ticking\ntriggers:\n- schedule: {cron: "* * * * *"}\nsteps:\n  one: {uses: noop}\n'
    )
    client.deploy(path)
    try:
        (run, *_) = until(lambda: list(client.runs(workflow="ticking")), seconds=75)
        assert client.handle(run.id).wait(timeout=30).state == "succeeded"
    finally:  # a definition without triggers takes its schedule away
        path.write_text("segue: 1\nname: ticking\nsteps:\n  one: {uses: noop}\n")
        client.deploy(path)
