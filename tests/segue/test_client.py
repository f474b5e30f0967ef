"""The client against the real service: deploying, running, following, and what it says when something is wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from segue import (
    AsyncClient,
    Client,
    Conflict,
    InvalidBundle,
    InvalidDefinition,
    InvalidParams,
    NotFound,
    RunFailed,
    ServiceUnreachable,
    SubmitError,
    Unauthorized,
    UnexpectedAnswer,
    WaitTimeout,
)
from tests.segue.conftest import CODE, DEFINITION, Bench
from tests.segue.definitions import write


def test_a_run_gives_its_output_and_its_steps(bench: Bench) -> None:
    handle = bench.client.run("bench", {"word": "hey", "count": 3})
    run = handle.wait(60)
    assert run.id == handle.id
    assert run.state == "succeeded"
    assert run.output == {"words": ["hey"] * 3}
    assert run.params == {"word": "hey", "count": 3, "fail": False, "wait": ""}
    assert [step.key for step in run.steps] == [
        "say",
        "large",
        "each",
        "each[0]",
        "each[1]",
        "each[2]",
        "judge",
        "linger",
    ]
    assert run.step("judge").state == "succeeded"
    assert run.step("linger").state == "skipped"
    assert run.step("say").queue == "cpu"
    assert run.first_failure is None
    assert handle.wait() == run, "waiting for a run that has ended returns at once"
    with pytest.raises(KeyError):
        run.step("none")


def test_a_large_output_is_a_reference_in_the_run_and_whole_when_asked_for(bench: Bench) -> None:
    handle = bench.client.run("bench", {"word": "large"}, wait=True)
    assert handle.get().step("large").output["$segue"] == "json"
    assert handle.output("large") == "x" * 40_000


def test_events_have_no_gaps_and_end_with_the_run(bench: Bench) -> None:
    handle = bench.client.run("bench")
    events = list(handle.events())
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].run is not None
    assert events[-1].run.ended
    states = [event.step.state for event in events if event.step is not None and event.step.key == "say"]
    assert states[-1] == "succeeded"
    later = list(handle.events(after=events[-3].seq))
    assert later == events[-2:]


def test_a_failed_run_is_an_error_with_its_first_cause(bench: Bench) -> None:
    handle = bench.client.run("bench", {"fail": True})
    with pytest.raises(RunFailed) as caught:
        handle.wait(60)
    assert caught.value.run is not None
    assert caught.value.run.state == "failed"
    assert f"The run {handle.id} failed: step judge: ExitCode" in caught.value.message
    assert caught.value.hint == f"The step's log: segue logs {handle.id} judge"
    run = handle.wait(check=False)
    assert run.first_failure is not None
    assert run.first_failure.key == "judge"
    assert run.first_failure.attempt == 2
    assert [attempt.state for attempt in run.first_failure.attempts] == ["failed", "failed"]


def test_logs_are_read_by_attempt_and_followed_to_their_end(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    handle = bench.client.run("bench", {"wait": str(gate)})
    lines = handle.logs("linger", follow=True)
    assert next(lines).text == "waiting"
    gate.touch()
    assert [line.text for line in lines] == ["done waiting"]
    handle.wait(60)
    assert [line.text for line in handle.logs("say")] == ["saying hello"]
    assert [line.text for line in handle.logs("each[1]")] == ["hello"]
    with pytest.raises(NotFound):
        list(handle.logs("none"))


def test_logs_of_a_step_that_is_tried_again_are_followed_over_its_attempts(bench: Bench) -> None:
    handle = bench.client.run("bench", {"fail": True})
    lines = list(handle.logs("judge", follow=True))
    assert [(line.text, line.stream) for line in lines] == [("it is true", "stderr")] * 2
    assert len(list(handle.logs("judge", attempt=1))) == 1
    with pytest.raises(NotFound, match="in 2 attempts; there is no 3"):
        list(handle.logs("judge", attempt=3))


def test_a_cancelled_run_says_who_wanted_it(bench: Bench, tmp_path: Path) -> None:
    handle = bench.client.run("bench", {"wait": str(tmp_path / "never")})
    assert next(handle.logs("linger", follow=True)).text == "waiting"
    with pytest.raises(WaitTimeout, match="goes on"):
        handle.wait(0.2)
    handle.cancel("enough")
    with pytest.raises(RunFailed, match="was cancelled"):
        handle.wait(60)
    run = handle.get()
    assert (run.state, run.step("linger").state) == ("cancelled", "cancelled")
    assert handle.cancel().state == "cancelled", "cancelling again changes nothing"


def test_the_same_key_starts_one_run(bench: Bench) -> None:
    one = bench.client.run("bench", {"count": 1}, idempotency_key="once")
    assert bench.client.run("bench", {"count": 1}, idempotency_key="once").id == one.id
    with pytest.raises(Conflict):
        bench.client.run("bench", {"count": 2}, idempotency_key="once")
    one.wait(60)


def test_deploying_the_same_again_changes_nothing_and_new_code_is_a_new_version(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "code.yaml"
    path.write_text(DEFINITION.replace("name: bench", "name: code"))
    (tmp_path / "say.py").write_text(CODE)
    first = bench.client.deploy(path)
    assert (first.name, first.version, first.created) == ("code", 1, True)
    assert [trigger["kind"] for trigger in first.triggers] == ["event"]
    again = bench.client.deploy(str(path))
    assert (again.version, again.created) == (1, False)
    (tmp_path / "say.py").write_text(CODE.replace("saying", "shouting"))
    newer = bench.client.deploy(path)
    assert (newer.version, newer.created, newer.plan_hash) == (2, True, first.plan_hash)
    assert [line.text for line in bench.client.run("code", wait=True).logs("say")] == ["shouting hello"]
    old = bench.client.run("code", version=1, wait=True)
    assert [line.text for line in old.logs("say")] == ["saying hello"]


def test_a_file_is_deployed_and_run_in_one_go_in_either_spelling(bench: Bench, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        def double(n):
            return {"n": 2 * n}

        with DAG("double", params={"n": 21}) as dag:
            first = PythonOperator(python_callable=double, op_kwargs={"n": params.n})
            dag.output = first.output.n
        """,
    )
    handle = bench.client.run(path, wait=True)
    assert (handle.workflow, handle.get().output) == ("double", 42)


def test_an_event_starts_one_run_however_often_it_is_sent(bench: Bench) -> None:
    run = bench.client.fire_event("bench", "event-1", {"word": "knock"})
    assert bench.client.fire_event("bench", "event-1", {"word": "knock"}, name="knock") == run
    for _ in range(3):  # the run is there in a moment
        try:
            assert bench.client.wait(run, 60).output == {"words": ["knock"] * 2}
            break
        except NotFound:
            list(bench.client.events(bench.client.run("bench").id))
    with pytest.raises(SubmitError, match="waits for 'knock'"):
        bench.client.fire_event("bench", "event-2", name="ring")


def test_runs_and_workflows_are_listed_and_looked_at(bench: Bench) -> None:
    started = [bench.client.run("bench").id for _ in range(3)]
    assert [run.id for run in bench.client.runs("bench", limit=3)] == started[::-1]
    assert bench.client.runs("bench", limit=2)[0].cause.kind == "manual"
    for run in started:
        bench.client.wait(run, 60)
    assert started[0] in [run.id for run in bench.client.runs("bench", state="succeeded", limit=500)]
    assert "bench" in [workflow.name for workflow in bench.client.workflows()]
    workflow = bench.client.get_workflow("bench")
    assert workflow.last_run is not None
    plan = bench.client.get_plan("bench", workflow.version)
    assert [step["id"] for step in plan["steps"]] == ["say", "large", "each", "judge", "linger"]
    assert bench.client.run_url(started[0]).startswith(bench.environment["SEGUE_API_URL"] + "/runs/")


def test_variables_are_set_and_removed(bench: Bench) -> None:
    bench.client.set_var("CLIENT_TEST", {"a": [1, None]})
    assert bench.client.vars()["CLIENT_TEST"] == {"a": [1, None]}
    bench.client.delete_var("CLIENT_TEST")
    assert "CLIENT_TEST" not in bench.client.vars()


def test_the_workers_of_queues_are_named(bench: Bench) -> None:
    found = bench.client.queues(["cpu", "no-such-queue"])
    assert list(found) == ["cpu", "no-such-queue"]
    assert found["cpu"]
    assert found["no-such-queue"] == []


def test_what_the_service_refuses_is_a_typed_error(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(InvalidParams) as params:
        bench.client.run("bench", {"count": 0, "wrod": "x"})
    assert {path for path, _ in params.value.problems} == {"params.count", "params.wrod"}
    for call in (
        lambda: bench.client.run("none"),
        lambda: bench.client.run("bench", version=99),
        lambda: bench.client.get_run("none"),
        lambda: bench.client.cancel("none"),
        lambda: list(bench.client.events("none")),
        lambda: bench.client.output("none", "say"),
        lambda: bench.client.get_workflow("none"),
    ):
        with pytest.raises(NotFound):
            call()
    broken = tmp_path / "broken.yaml"
    broken.write_text(DEFINITION.replace("needs: each", "needs: eahc"))
    with pytest.raises(InvalidDefinition, match='did you mean "each"'):
        bench.client.deploy(broken)
    broken.write_text(DEFINITION.replace("steps:", "code: {requirements: none.txt}\nsteps:"))
    with pytest.raises(InvalidBundle, match=r"none\.txt: there is no such file"):
        bench.client.deploy(broken)


def test_a_wrong_key_and_a_wrong_address_are_told_apart(bench: Bench) -> None:
    url = bench.environment["SEGUE_API_URL"]
    with Client(url, "wrong") as client, pytest.raises(Unauthorized):
        client.runs()
    with Client("http://127.0.0.1:1", "key", patience=0.1) as client, pytest.raises(ServiceUnreachable) as caught:
        client.runs()
    assert "does not answer" in caught.value.message
    elsewhere = Client(url + "/elsewhere", bench.environment["SEGUE_API_KEY"])
    with elsewhere, pytest.raises((NotFound, UnexpectedAnswer)):
        elsewhere.runs()


async def test_the_async_client_does_the_same(bench: Bench, tmp_path: Path) -> None:
    url, key = bench.environment["SEGUE_API_URL"], bench.environment["SEGUE_API_KEY"]
    async with AsyncClient(url, key) as client:
        await client.deploy(bench.folder / "bench.yaml")
        deployed = await client.deploy(bench.folder / "bench.yaml")
        assert not deployed.created
        handles = await asyncio.gather(*(client.run("bench", {"count": n}) for n in (1, 2, 3)))
        runs = await asyncio.gather(*(handle.wait(60) for handle in handles))
        assert [len(run.output["words"]) for run in runs] == [1, 2, 3]
        assert len([event async for event in handles[0].events()]) == runs[0].seq
        assert [line.text async for line in handles[0].logs("say")] == ["saying hello"]
        assert (await handles[0].output("say"))["words"] == ["hello"]
        assert (await handles[0].get()) == runs[0]
        assert handles[0].id in [run.id for run in await client.runs("bench", limit=500)]
        assert (await client.get_workflow("bench")).name == "bench"
        assert "bench" in [workflow.name for workflow in await client.workflows()]
        assert (await client.get_plan("bench", deployed.version))["workflow"] == "bench"
        await client.set_var("ASYNC_TEST", 1)
        assert (await client.vars())["ASYNC_TEST"] == 1
        await client.delete_var("ASYNC_TEST")
        waiting = await client.run(bench.folder / "bench.yaml", {"wait": str(tmp_path / "never")})
        assert (await anext(waiting.logs("linger", follow=True))).text == "waiting"
        with pytest.raises(WaitTimeout):
            await waiting.wait(0.2)
        await waiting.cancel("enough")
        assert (await waiting.wait(check=False)).state == "cancelled"
        run = await client.fire_event("bench", "async-event", {"word": "x"})
        assert run.startswith("bench-event-")
        with pytest.raises(NotFound):
            await client.get_run("none")


async def test_an_artifact_is_saved_whole_or_not_at_all(bench: Bench, tmp_path: Path) -> None:
    run = bench.client.run("bench", {"count": 1}, wait=True)
    file = tmp_path / "report.html"
    async with AsyncClient(address=bench.client.address) as client:
        [image, report] = await client.artifacts(run.id, "judge")
        assert (report.name, report.size, report.type) == ("report.html", 13, "text/html")
        assert image.size == 3_000_000
        assert await client.save_artifact(run.id, "judge", "report.html", file) == report
        with pytest.raises(NotFound, match="no artifact"):
            await client.save_artifact(run.id, "say", "report.html", file)
    assert file.read_text() == "<p>false</p>\n"


def test_a_damaged_artifact_leaves_what_was_there(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.client.run("bench", {"count": 1}, wait=True)
    file = tmp_path / "report.html"
    file.write_text("before")
    for chunks, message in (([b"<p>false</p>!"], "its sha256 differs"), ([b"<p>"], "was cut off after 3 bytes of 13")):
        monkeypatch.setattr(bench.client._transport, "chunks", lambda *_, given=chunks: iter(given))
        with pytest.raises(UnexpectedAnswer, match=message):
            bench.client.save_artifact(run.id, "judge", "report.html", file)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("report.html", "before")]
