"""Doing something to runs, from the command line and from both clients, against the real service."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from segue import AsyncClient, Client
from segue.errors import Conflict, SubmitError
from segue.run_operations import AsyncRunOperations, RunOperations
from tests.segue.conftest import Bench
from tests.waiting import until


def detached(bench: Bench, *arguments: str) -> str:
    ended = bench.segue("run", "bench", *arguments, "--detach")
    assert ended.code == 0, ended.err
    return ended.out.strip()


def in_state(bench: Bench, run: str, step: str, state: str) -> None:
    until(lambda: bench.client.get_run(run).step(step).state == state, what=f"{step} is {state}")


def test_a_failed_run_is_retried_and_then_run_again_with_other_params(bench: Bench) -> None:
    failed = bench.segue("run", "bench", "-p", "fail=true", "-p", "count=1")
    run = failed.out.split()[0]
    retried = bench.segue("retry", run, "judge", "-m", "once more")
    assert (retried.code, retried.out) == (0, f"{run} goes on\n")
    again = bench.client.wait(run, timeout=60, check=False)
    assert (again.state, again.step("judge").attempt, again.step("say").attempt) == ("failed", 4, 1)
    assert (again.operations[0].anew, again.operations[0].kept) == (("judge", "linger"), ("say", "each"))
    shown = bench.segue("show", run).out
    assert "had it go on; decided anew: judge, linger; kept: 2 that succeeded: once more" in shown
    rerun = bench.segue("rerun", run, "-p", "fail=false")
    assert rerun.code == 0, rerun.err
    lines = rerun.out.splitlines()
    assert lines[1:] == [
        "kept: say, each",
        "runs again: judge, as it reads params.fail, which changed",
        "runs again: linger, as it follows judge",
    ]
    done = bench.client.wait(lines[0], timeout=60)
    assert done.output == {"words": ["hello"]}
    assert done.cause.kind == "rerun"
    nothing = bench.segue("rerun", lines[0])
    assert (nothing.code, nothing.out) == (2, "")
    assert "Nothing would run again" in nothing.err
    assert "--from STEP" in nothing.err


def test_a_run_is_paused_resumed_and_its_steps_decided(bench: Bench, tmp_path: Path) -> None:
    run = detached(bench, "-p", f"wait={tmp_path / 'gate'}", "-p", "count=1")
    in_state(bench, run, "linger", "running")
    paused = bench.segue("pause", run, "-m", "the disk is full")
    assert (paused.code, paused.out) == (0, f"{run} is paused; `segue resume {run}` lets it go on\n")
    until(lambda: bench.client.get_run(run).state == "paused", what="it is paused")
    shown = bench.segue("show", run).out.splitlines()
    assert "paused the run: the disk is full" in shown[1]
    assert bench.segue("resume", run).out == f"{run} goes on\n"
    refused = bench.segue("change", run, "linger", "--queue", "gpu")
    assert (refused.code, refused.out) == (2, "")
    assert "A worker runs linger now." in refused.err
    ended = bench.segue("skip", run, "say")
    assert (ended.code, "say is succeeded already" in ended.err) == (2, True)
    marked = bench.segue("mark", run, "linger", "--output", '{"done": true}', "-m", "seen it")
    assert (marked.code, marked.out) == (0, f"linger of {run}: marked as succeeded\n")
    done = bench.client.wait(run, timeout=60)
    assert (done.step("linger").state, done.step("linger").output) == ("succeeded", {"done": True})
    assert [each.kind for each in done.operations] == ["pause", "resume", "mark"]
    over = bench.segue("pause", run)
    assert (over.code, "segue rerun" in over.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mark", "RUN", "say", "--output", "{no"], "--output is not JSON"),
        (["change", "RUN", "say", "--timeout", "soon"], "--timeout 'soon' is not a duration."),
        (["change", "RUN", "say"], "nothing is to be changed"),
        (["retry", "no-such-run"], "no-such-run"),
        (["rerun", "RUN", "--from", "nowhere"], "'nowhere' is no step to rerun from; those under steps are say, "),
    ],
)
def test_what_cannot_be_read_ends_with_2(bench: Bench, tmp_path: Path, arguments: list[str], said: str) -> None:
    run = detached(bench, "-p", "count=1")
    bench.client.wait(run, timeout=60)
    ended = bench.segue(*[run if each == "RUN" else each for each in arguments])
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


async def test_both_clients_do_the_same(bench: Bench, tmp_path: Path) -> None:
    names = [name for name, _ in inspect.getmembers(RunOperations, inspect.isfunction)]
    assert [name for name, _ in inspect.getmembers(AsyncRunOperations, inspect.isfunction)] == names
    for name in names:
        assert str(inspect.signature(getattr(Client, name))) == str(inspect.signature(getattr(AsyncClient, name)))
    run = detached(bench, "-p", f"wait={tmp_path / 'gate'}", "-p", "count=1")
    in_state(bench, run, "linger", "running")
    async with AsyncClient(address=bench.client.address) as client:
        assert await client.pause(run, "because", key="k") == "paused"
        assert await client.pause(run, "because", key="k") == "paused"
        with pytest.raises(Conflict, match="A worker runs linger now"):
            await client.change(run, "linger", queue="gpu", retry={"attempts": 3}, limits={"run": 5.0})
        with pytest.raises(SubmitError, match="attempts"):
            await client.change(run, "linger", retry={"attempts": 0})
        assert await client.resume(run) == "running"
        assert await client.skip(run, "linger") == "running"
        await client.wait(run, timeout=60)
        rerun = await client.rerun(run, ["each"], {"wait": ""})
        assert rerun.kept == ("say",)
        await client.wait(rerun.run.id, timeout=60)
