"""What people do to runs over HTTP, with the real interpreter behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.api.conftest import Api, serving
from tests.api.samples import deployed, fresh, plan
from workflows.plan import Edge, Map, Plan, Retry, Step

PATIENCE = 30


@pytest.fixture(scope="module", autouse=True)
async def workers(api: Api, temporal: Client) -> AsyncIterator[None]:
    """The workers of the control queue, of `cpu`, and of a queue to move to."""
    async with serving(api, temporal, "cpu", "other"):
        yield


def gated(gate: Path, name: str = "bad", *needs: str, **fields: Any) -> Step:
    """Return a step that fails until its gate is there, and then says `n=5`; it counts its tries beside the gate."""
    script = 'echo try >> "$GATE.tries"; test -e "$GATE" && echo n=5 >> "$SEGUE_OUTPUT"'
    edges = tuple(Edge(need) for need in needs)
    return Step(name, "shell", {"script": script}, env={"GATE": str(gate)}, needs=edges, **fields)


def asking(name: str = "ask") -> Step:
    return Step(name, "approve", {})


async def started(api: Api, made: Plan) -> str:
    await deployed(api.database, made)
    answer = await api.http.post("/runs", json={"workflow": made.workflow})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def until(api: Api, run: str, state: str, key: str | None = None) -> Any:
    """Return the run once it, or one of its steps, is in a state."""
    async with asyncio.timeout(PATIENCE):
        while True:
            shown = await api.get(f"/runs/{run}")
            if (shown if key is None else of(shown, key))["state"] == state:
                return shown
            await asyncio.sleep(0.05)


def of(run: Any, key: str) -> Any:
    return next((step for step in run["steps"] if step["key"] == key), {"state": ""})


async def do(api: Api, path: str, status: int = 200, key: str | None = None, **body: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    answer = await api.http.post(path, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def seqs(api: Api, run: str) -> list[int]:
    lines = (await api.http.get(f"/runs/{run}/events")).text.splitlines()
    return [int(line.removeprefix("id: ").removeprefix("id:")) for line in lines if line.startswith("id:")]


# Retry.


async def test_a_failed_run_goes_on_under_its_id_with_what_succeeded_kept(api: Api, tmp_path: Path) -> None:
    first = Step("first", "noop")
    made = plan(fresh("again"), steps=(first, gated(tmp_path / "gate", "bad", "first"), asking_after("bad")))
    run = await started(api, made)
    failed = await until(api, run, "failed")
    assert of(failed, "ask")["state"] == "upstream_failed"
    (tmp_path / "gate").touch()
    told = await do(api, f"/runs/{run}/retry", key="k1", reason="the gate is there")
    assert told["run"] == run
    assert told["state"] in ("pending", "running")
    await until(api, run, "running", "ask")
    assert (await do(api, f"/runs/{run}/retry", key="k1"))["run"] == run, "the same wish once more"
    refused = await do(api, f"/runs/{run}/retry", 409, key="k2")
    assert refused["code"] == "run_goes_on"
    assert "segue release" in refused["detail"]
    await do(api, f"/runs/{run}/steps/ask/answer", 202, approved=True)
    done = await until(api, run, "succeeded")
    assert [attempt["generation"] for attempt in of(done, "bad")["attempts"]] == [0, 1]
    assert [attempt["attempt"] for attempt in of(done, "bad")["attempts"]] == [1, 2]
    assert len({attempt["folder"] for attempt in of(done, "bad")["attempts"]}) == 2
    assert len(of(done, "first")["attempts"]) == 1
    assert [(each["kind"], each["by"], each["why"]) for each in done["operations"]] == [
        ("retry", "tests", "the gate is there")
    ]
    assert (done["operations"][0]["anew"], done["operations"][0]["kept"]) == (["bad", "ask"], ["first"])
    assert await seqs(api, run) == list(range(1, done["seq"] + 1))


def asking_after(*needs: str) -> Step:
    return Step("ask", "approve", {}, needs=tuple(Edge(need) for need in needs))


async def test_a_run_that_fails_again_can_go_on_again(api: Api, tmp_path: Path) -> None:
    run = await started(api, plan(fresh("often"), steps=(gated(tmp_path / "gate"),)))
    await until(api, run, "failed")
    await do(api, f"/runs/{run}/retry", key="k1")
    async with asyncio.timeout(PATIENCE):
        while len((tmp_path / "gate.tries").read_text().split()) < 2:
            await asyncio.sleep(0.05)
    await until(api, run, "failed")
    assert (await do(api, f"/runs/{run}/retry", key="k1"))["state"] == "failed", "that wish was done"
    (tmp_path / "gate").touch()
    await do(api, f"/runs/{run}/retry", key="k2")
    done = await until(api, run, "succeeded")
    assert [attempt["attempt"] for attempt in of(done, "bad")["attempts"]] == [1, 2, 3]
    assert await seqs(api, run) == list(range(1, done["seq"] + 1))


async def test_the_failed_items_of_a_map_go_on(api: Api, tmp_path: Path) -> None:
    env = {"GATE": f"{tmp_path}/${{{{ item }}}}"}
    script = 'echo try >> "$GATE.tries"; test -e "$GATE"'
    (tmp_path / "0").touch()
    mapped = Step("m", "shell", {"script": script}, env=env, map=Map([0, 1]))
    run = await started(api, plan(fresh("items"), steps=(mapped,)))
    await until(api, run, "failed")
    (tmp_path / "1").touch()
    await do(api, f"/runs/{run}/retry", steps=["m"])
    done = await until(api, run, "succeeded")
    assert [len(of(done, key)["attempts"]) for key in ("m[0]", "m[1]")] == [1, 2]


async def test_the_child_of_a_step_goes_on_under_its_own_id(api: Api, tmp_path: Path) -> None:
    first = Step("first", "noop")
    inner = await deployed(api.database, plan(fresh("inner"), steps=(first, gated(tmp_path / "gate", "bad", "first"))))
    call = Step("sub", "workflow", {"workflow": inner.workflow, "version": None})
    run = await started(api, plan(fresh("outer"), steps=(call,)))
    child = of(await until(api, run, "failed"), "sub")["detail"]["child"]["run"]
    (tmp_path / "gate").touch()
    await do(api, f"/runs/{run}/retry", reason="the gate is there")
    done = await until(api, run, "succeeded")
    assert of(done, "sub")["detail"]["child"]["run"] == child
    inside = await until(api, child, "succeeded")
    assert [len(of(inside, key)["attempts"]) for key in ("first", "bad")] == [1, 2]
    assert inside["operations"][0]["why"] == "the gate is there"


async def test_what_cannot_be_retried_is_refused_with_the_way_out(api: Api, tmp_path: Path) -> None:
    run = await started(api, plan(fresh("good")))
    await until(api, run, "succeeded")
    assert (await do(api, f"/runs/{run}/retry", 409))["code"] == "run_succeeded"
    run = await started(api, plan(fresh("bad"), steps=(gated(tmp_path / "gate"), Step("fine", "noop"))))
    await until(api, run, "failed")
    wrong = await do(api, f"/runs/{run}/retry", 422, steps=["fine"])
    assert wrong["detail"].startswith("steps[0]: fine did not fail, it is succeeded")
    unknown = await do(api, f"/runs/{run}/retry", 422, steps=["nothing"])
    assert unknown["code"] == "step_not_found"
    assert unknown["errors"][0]["message"].startswith("the run has no step 'nothing' by itself: ")
    assert (await do(api, "/runs/nobody/retry", 404))["code"] == "run_not_found"


async def test_a_run_that_carries_too_much_is_refused(api: Api, tmp_path: Path) -> None:
    many = [Step(f"w{number}", "wait", {"event": {"name": f"e{number}"}}) for number in range(30)]
    steps = (*many, gated(tmp_path / "gate", "bad", *(step.id for step in many)))
    run = await started(api, plan(fresh("large"), steps=steps))
    await until(api, run, "running", "w29")
    for number in range(30):
        payload = "x" * 60_000
        await do(api, f"/runs/{run}/events", 202, id=f"e{number}", name=f"e{number}", payload=payload)
    await until(api, run, "failed")
    refused = await do(api, f"/runs/{run}/retry", 409)
    assert refused["code"] == "run_cannot_go_on"
    assert "at most 1,500,000 can be carried over" in refused["detail"]
    assert "segue rerun" in refused["detail"]
    assert (await api.get(f"/runs/{run}"))["state"] == "failed"


async def test_a_cancelled_run_goes_on(api: Api) -> None:
    run = await started(api, plan(fresh("stopped"), steps=(asking(),)))
    await until(api, run, "running", "ask")
    await do(api, f"/runs/{run}/cancel", 202)
    await until(api, run, "cancelled")
    unknown = await do(api, f"/runs/{run}/retry", 422, steps=["nothing"])
    assert unknown["errors"][0]["message"].startswith("the run has no step 'nothing' by itself: no step failed; ")
    await do(api, f"/runs/{run}/retry")
    await until(api, run, "running", "ask")
    await do(api, f"/runs/{run}/steps/ask/answer", 202, approved=True)
    await until(api, run, "succeeded")


# Runs that go on.


async def test_a_paused_run_starts_nothing_until_it_is_resumed(api: Api) -> None:
    run = await started(api, plan(fresh("paused"), steps=(asking(), Step("then", "noop", needs=(Edge("ask"),)))))
    await until(api, run, "running", "ask")
    assert await do(api, f"/runs/{run}/pause", reason="the disk is full", key="p1") == {"run": run, "state": "paused"}
    await do(api, f"/runs/{run}/pause", key="p1")
    shown = await until(api, run, "paused")
    assert shown["reason"] == "tests paused the run: the disk is full"
    await do(api, f"/runs/{run}/steps/ask/answer", 202, approved=True)
    shown = await until(api, run, "succeeded", "ask")
    assert of(shown, "then")["state"] == "waiting"
    assert (await do(api, f"/runs/{run}/resume"))["state"] == "running"
    done = await until(api, run, "succeeded")
    assert [each["kind"] for each in done["operations"]] == ["pause", "resume"]
    assert (await do(api, f"/runs/{run}/pause", key="p1"))["state"] == "succeeded", "it was done, in its time"
    over = await do(api, f"/runs/{run}/pause", 409)
    assert (over["code"], "segue rerun" in over["detail"]) == ("run_over", True)


async def test_steps_are_skipped_and_marked(api: Api) -> None:
    use = Step("use", "noop", needs=(Edge("ask", "output.n == 4"),))
    run = await started(api, plan(fresh("decided"), steps=(asking(), use, asking("other"))))
    await until(api, run, "running", "ask")
    await do(api, f"/runs/{run}/steps/ask/mark", output={"n": 4}, reason="counted by hand")
    await do(api, f"/runs/{run}/steps/other/skip")
    done = await until(api, run, "succeeded")
    assert of(done, "ask")["output"] == {"n": 4}
    assert of(done, "ask")["reason"] == "tests marked as succeeded it: counted by hand"
    assert (of(done, "use")["state"], of(done, "other")["state"]) == ("succeeded", "skipped")


async def test_an_output_that_is_not_what_is_declared_is_refused(api: Api) -> None:
    declared = Step(
        "count", "shell", {"script": "sleep 60"}, needs=(Edge("ask"),), output={"n": {"schema": {"type": "integer"}}}
    )
    run = await started(api, plan(fresh("declared"), steps=(asking(), declared)))
    await until(api, run, "running", "ask")
    wrong = await do(api, f"/runs/{run}/steps/count/mark", 422, output={"n": "four"})
    assert (wrong["code"], wrong["errors"][0]["path"]) == ("output_invalid", "output.n")
    refused = await do(api, f"/runs/{run}/steps/ask/mark", 409, output="x" * 20_000)
    assert refused["code"] == "operation_refused"
    await do(api, f"/runs/{run}/cancel", 202)


async def test_a_step_on_a_queue_that_nobody_serves_is_moved(api: Api) -> None:
    run = await started(api, plan(fresh("moved"), steps=(Step("a", "noop", queue="nobody"),)))
    await until(api, run, "queued", "a")
    await do(api, f"/runs/{run}/steps/a/change", queue="other", reason="nobody is away")
    done = await until(api, run, "succeeded")
    assert of(done, "a")["queue"] == "other"
    assert of(done, "a")["worker"].startswith("other@")
    assert done["operations"][0]["reason"] == "tests changed a, queue other: nobody is away"


async def test_a_step_that_waits_for_its_next_attempt_gets_other_terms(api: Api, tmp_path: Path) -> None:
    slow = gated(tmp_path / "gate", retry=Retry(2, delay=3_600))
    run = await started(api, plan(fresh("terms"), steps=(slow,)))
    await until(api, run, "retrying", "bad")
    (tmp_path / "gate").touch()
    await do(api, f"/runs/{run}/steps/bad/change", retry={"attempts": 5, "delay": 0.1}, timeout={"run": 60})
    done = await until(api, run, "succeeded")
    assert [attempt["state"] for attempt in of(done, "bad")["attempts"]] == ["failed", "succeeded"]


async def test_a_step_that_a_worker_runs_keeps_its_terms(api: Api) -> None:
    run = await started(api, plan(fresh("busy"), steps=(Step("a", "shell", {"script": "sleep 60"}),)))
    await until(api, run, "running", "a")
    refused = await do(api, f"/runs/{run}/steps/a/change", 409, queue="other")
    assert refused["detail"].startswith("A worker runs a now.")
    empty = await do(api, f"/runs/{run}/steps/a/change", 422)
    assert "nothing is to be changed" in empty["detail"]
    await do(api, f"/runs/{run}/steps/a/skip")
    done = await until(api, run, "succeeded")
    assert of(done, "a")["state"] == "skipped"
    assert of(done, "a")["attempts"][0]["state"] == "cancelled"


# Rerun.


def counting(folder: Path, name: str, *needs: str, **fields: Any) -> Step:
    """Return a step that counts how often it ran, and gives what it read of `params.rows`."""
    script = f'echo x >> "{folder}/{name}"; echo "rows=$ROWS" >> "$SEGUE_OUTPUT"; test ! -e "{folder}/{name}.broken"'
    edges = tuple(Edge(need) for need in needs)
    return Step(name, "shell", {"script": script}, needs=edges, **fields)


def counts(folder: Path) -> dict[str, int]:
    return {path.name: len(path.read_text().split()) for path in sorted(folder.iterdir()) if not path.suffix}


def rerunnable(folder: Path, name: str) -> Plan:
    reads = {"env": {"ROWS": "${{ params.rows }}"}}
    mapped = counting(folder, "m", "a", map=Map([1, 2]))
    last = Step("last", "noop", needs=(Edge("m"), Edge("b")), inputs={"m": "${{ steps.m.output }}"})
    steps = (counting(folder, "a"), counting(folder, "b", "a", **reads), mapped, counting(folder, "c", "m"), last)
    params = {"rows": {"type": "integer", "default": 5}}
    return plan(name, steps=steps, params=params, output={"m": "${{ steps.m.output }}", "b": "${{ steps.b.output }}"})


async def test_a_rerun_takes_over_what_need_not_run_again(api: Api, tmp_path: Path) -> None:
    made = rerunnable(tmp_path, fresh("rerun"))
    old = await started(api, made)
    first = await until(api, old, "succeeded")
    answer = await do(api, f"/runs/{old}/rerun", 201, key="r1", **{"from": ["c"]}, reason="c was wrong")
    assert (answer["kept"], answer["again"]) == (["a", "b", "m", "last"], [{"step": "c", "why": "it is named"}])
    new = answer["run"]["id"]
    assert answer["run"]["cause"] == {"kind": "rerun", "id": old}
    again = await do(api, f"/runs/{old}/rerun", 200, key="r1", **{"from": ["c"]}, reason="c was wrong")
    assert again["run"]["id"] == new
    done = await until(api, new, "succeeded")
    assert counts(tmp_path) == {"a": 1, "b": 1, "c": 2, "m": 2}
    assert done["output"] == first["output"]
    assert of(done, "a")["reason"] == f"kept from {old}"
    assert (done["operations"][0]["kind"], done["operations"][0]["why"]) == ("rerun", "c was wrong")
    assert await api.get(f"/runs/{new}/steps/b/output") == {"rows": "5"}


async def test_a_rerun_with_other_params_runs_what_reads_them_again(api: Api, tmp_path: Path) -> None:
    old = await started(api, rerunnable(tmp_path, fresh("params")))
    await until(api, old, "succeeded")
    answer = await do(api, f"/runs/{old}/rerun", 201, params={"rows": 7})
    assert {each["step"]: each["why"] for each in answer["again"]} == {
        "b": "it reads params.rows, which changed",
        "last": "it follows b",
    }
    done = await until(api, answer["run"]["id"], "succeeded")
    assert done["output"]["b"] == {"rows": "7"}
    chained = await do(api, f"/runs/{done['id']}/rerun", 201, **{"from": ["last"]})
    whole = await until(api, chained["run"]["id"], "succeeded")
    assert of(whole, "a")["reason"] == f"kept from {old}"
    assert of(whole, "b")["reason"] == f"kept from {done['id']}"


async def test_a_rerun_of_a_newer_version_runs_what_changed_in_it(api: Api, tmp_path: Path) -> None:
    made = rerunnable(tmp_path, fresh("newer"))
    old = await started(api, made)
    await until(api, old, "succeeded")
    steps = tuple(replace(each, env={"ROWS": "9"}) if each.id == "b" else each for each in made.steps[:-1])
    await deployed(api.database, replace(made, steps=steps))
    answer = await do(api, f"/runs/{old}/rerun", 201)
    assert answer["again"] == [{"step": "b", "why": "its env changed"}]
    assert answer["notes"] == [
        "It runs version 2; the older run was of version 1.",
        "These steps are there no more: last.",
    ]
    same = await do(api, f"/runs/{old}/rerun", 409, version=1)
    assert same["code"] == "nothing_to_rerun"
    assert f"segue run {made.workflow}" in same["detail"]


async def test_a_rerun_of_a_failed_run_begins_where_it_failed(api: Api, tmp_path: Path) -> None:
    (tmp_path / "c.broken").touch()
    old = await started(api, rerunnable(tmp_path, fresh("failed")))
    await until(api, old, "failed")
    (tmp_path / "c.broken").unlink()
    answer = await do(api, f"/runs/{old}/rerun", 201)
    assert answer["again"] == [{"step": "c", "why": "it was failed"}]
    await until(api, answer["run"]["id"], "succeeded")


async def test_a_rerun_is_refused_when_outputs_are_gone_or_steps_unknown(api: Api, tmp_path: Path) -> None:
    old = await started(api, rerunnable(tmp_path, fresh("gone")))
    await until(api, old, "succeeded")
    wrong = await do(api, f"/runs/{old}/rerun", 422, **{"from": ["a", "nothing"]})
    assert wrong["errors"][0]["path"] == "from[1]"
    assert (await do(api, f"/runs/{old}/rerun", 422, params={"wrong": 1}))["code"] == "params_invalid"
    for found in await asyncio.to_thread(list, api.objects.list(f"runs/{old}/a/")):
        await asyncio.to_thread(api.objects.delete, found.key)
    gone = await do(api, f"/runs/{old}/rerun", 409, **{"from": ["c"]})
    assert (gone["code"], gone["steps"]) == ("outputs_gone", ["a"])
    live = await started(api, plan(fresh("live"), steps=(asking(),)))
    await until(api, live, "running", "ask")
    assert (await do(api, f"/runs/{live}/rerun", 409))["code"] == "run_goes_on"
    await do(api, f"/runs/{live}/cancel", 202)
