"""Events with conditions, and bursts of them, as people send them: with the client and on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from segue import Client, NotFound
from segue.models import FiredEvent
from store.database import Database
from tests.e2e.conftest import deployed
from tests.segue.commands import Ended, segue
from tests.waiting import until
from workers.stack import Stack
from workflows.plan import Plan, Step, Trigger

WHO = {"who": {"type": "string", "default": "nobody"}}
TRIGGERS = (
    Trigger("event", {"name": "data", "if": "event.rows > 500"}, {"who": "${{ event.who }}"}),
    Trigger("event", {"name": "file", "debounce": 5.0}, {"who": "file"}),
)


FALSE = "condition_false"


def decided(
    client: Client, name: str, event: str, when: Callable[[FiredEvent], bool] = lambda event: True
) -> FiredEvent:
    """Wait until it is known what became of an event."""

    def look() -> FiredEvent | None:
        found = client.get_fired_event(name, event)
        return found if found.state != "accepted" and when(found) else None

    found = until(look, what=f"a decision on {event}")
    assert found is not None
    return found


def plan(name: str) -> Plan:
    return Plan(name, (Step("a", "noop"),), params=WHO, triggers=TRIGGERS, output={"who": "${{ params.who }}"})


async def test_an_event_whose_condition_is_false_starts_no_run_and_says_so(client: Client, database: Database) -> None:
    name = await deployed(database, plan("conditional"))
    assert client.fire(name, "few", {"rows": 5, "who": "few"}, name="data").state in ("accepted", FALSE)
    few = decided(client, name, "few")
    said = "started no run: `event.rows > 500` (event.rows = 5) is false"
    assert (few.state, few.reason, few.seen) == (FALSE, said, False)
    client.fire(name, "few", {"rows": 5}, name="data")
    assert decided(client, name, "few", lambda event: event.seen).state == FALSE
    assert list(client.runs(workflow=name)) == []
    many = client.fire(name, "many", {"rows": 501, "who": "many"}, name="data")
    assert decided(client, name, "many").state == "started"
    until(lambda: list(client.runs(workflow=name)), what="the run of the event")
    assert client.wait(many.run, 60).output == {"who": "many"}
    with pytest.raises(NotFound):
        client.get_fired_event(name, "never")


async def test_a_burst_of_events_starts_one_run_with_the_last(client: Client, database: Database) -> None:
    name = await deployed(database, plan("bursts"))
    sent = [client.fire(name, f"e-{number}", name="file") for number in range(4)]
    assert decided(client, name, "e-3").state == "debounced"
    [run] = until(lambda: list(client.runs(workflow=name)), what="the one run")
    assert run.id == sent[-1].run
    assert client.wait(run.id, 60).output == {"who": "file"}
    assert [client.get_fired_event(name, f"e-{number}").state for number in range(4)] == ["superseded"] * 3 + [
        "started"
    ]
    assert [each.id for each in client.runs(workflow=name)] == [run.id]


async def test_the_command_line_prints_the_run_or_why_there_is_none(
    client: Client, database: Database, stack: Stack, tmp_path: Path
) -> None:
    name = await deployed(database, plan("fired"))
    address = {"SEGUE_API_URL": str(stack.service["api_url"]), "SEGUE_API_KEY": str(stack.service["api_key"])}

    def fire(event: str, rows: int) -> Ended:
        payload = json.dumps({"rows": rows, "who": "cli"})
        arguments = ("fire", name, "--id", event, "--name", "data", "--payload", payload)
        return segue(*arguments, cwd=tmp_path, environment=address)

    assert (many := fire("many", 501)).code == 0
    assert (many.out, many.err) == (client.fire_event(name, "many", name="data") + "\n", "")
    fire("few", 5)
    decided(client, name, "few")
    # An answer that takes long is `accepted`; sending again is harmless.
    few = until(lambda: (again := fire("few", 5)).err and again, what="the reason")
    said = "condition_false: started no run: `event.rows > 500` (event.rows = 5) is false\n"
    assert (few.code, few.out, few.err) == (0, "", said)
