"""What every step gets, whatever its operator."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from temporalio.common import RetryPolicy

from activities.attempt import heartbeat_interval
from activities.process import GRACE_SECONDS
from activities.values import MAX_DEPTH
from store.objects import ObjectStoreUnavailable
from tests.activities.conftest import Steps
from workflows.messages import MAX_INLINE_BYTES
from workflows.plan import INTERPRETER_KINDS, Kind


async def test_noop_leaves_no_object(steps: Steps) -> None:
    result = await steps.run("noop")
    assert (result.value, result.output) == (None, None)
    assert list(steps.objects.list()) == []


async def test_result_says_who_ran_the_attempt_and_where_its_objects_are(steps: Steps) -> None:
    info = {"workflow_run_id": "3f2a9c1e-aaaa", "attempt": 2, "retry_policy": RetryPolicy(maximum_attempts=3)}
    result = await steps.shell("echo n=$SEGUE_ATTEMPT >> $SEGUE_OUTPUT", info=info, key="train[0]", generation=1)
    assert result.folder == "runs/demo-1/train[0]/001.002-3f2a9c1e"
    assert (result.attempt, result.worker, result.value) == (5, "cpu@here:1", {"n": "5"})
    assert 0 < result.started_at <= result.ended_at
    assert steps.names(result.folder) == ["logs/end", "output.json"]


async def test_small_output_is_inline_and_a_document(steps: Steps) -> None:
    result = await steps.shell("echo a=b >> $SEGUE_OUTPUT")
    assert result.value == {"a": "b"} == steps.document(result)


async def test_large_output_travels_by_reference(steps: Steps) -> None:
    result = await steps.python(f"def f(): return 'x' * {MAX_INLINE_BYTES}")
    assert result.value == result.output
    assert result.value["$segue"] == "json"
    assert steps.document(result) == "x" * MAX_INLINE_BYTES


async def test_failure_is_small_and_says_where_the_log_is(steps: Steps) -> None:
    failure = await steps.failure(steps.shell("for i in $(seq 200); do echo line $i >&2; done; exit 3"))
    detail, result = failure.details
    assert failure.type == "ExitCode"
    assert failure.message == "the script ended with code 3: line 200"
    assert detail["exit_code"] == 3
    assert detail["log_tail"][-1] == "line 200"
    assert len(steps.log(result["folder"])) == 200
    assert steps.names(result["folder"])[-1] == "logs/end"
    assert not failure.non_retryable


async def test_failure_stays_below_what_temporal_keeps(steps: Steps) -> None:
    from temporalio.api.failure.v1 import Failure
    from temporalio.converter import DataConverter

    code = (
        "import os\ndef f():\n  for _ in range(90): os.write(2, b'e' * 900 + b'\\n')\n  raise ValueError('é' * 100_000)"
    )
    failure = await steps.failure(steps.python(code))
    wire = Failure()
    await DataConverter.default.encode_failure(failure, wire)
    assert wire.ByteSize() < 4096
    assert wire.stack_trace == ""
    assert wire.message.startswith("ééé")
    assert wire.message.endswith("ééé")


async def test_nul_in_an_error_reaches_no_database(steps: Steps) -> None:
    failure = await steps.failure(steps.python("def f(): raise ValueError('a\\0b')"))
    assert "\0" not in failure.message + str(failure.details[0]["log_tail"])


async def test_attempt_that_takes_too_long_is_ended_with_its_log(steps: Steps) -> None:
    failure = await steps.failure(steps.shell("echo started >&2; sleep 60", timeout=0.5))
    assert (failure.type, failure.message) == ("Timeout", "the attempt took longer than 0.5 s")
    assert failure.details[0]["log_tail"] == ["started"]
    assert not failure.non_retryable


async def test_limit_of_temporal_counts_without_another(steps: Steps) -> None:
    info = {"start_to_close_timeout": timedelta(seconds=0.4)}
    failure = await steps.failure(steps.shell("sleep 60", info=info))
    assert failure.type == "Timeout"


async def test_heartbeats_go_on_while_the_operator_works(steps: Steps) -> None:
    await steps.shell("sleep 2.4")
    assert steps.last is not None
    assert len(steps.last.heartbeats) == 2


async def test_stopped_worker_hands_the_step_back(steps: Steps) -> None:
    running, attempt = steps.start("shell", action={"script": "echo here; sleep 60"})
    task = asyncio.ensure_future(attempt)
    await until_logged(steps, "here")
    running.stop_worker()
    failure = await steps.failure(task)
    assert (failure.type, failure.non_retryable) == ("WorkerLost", True)
    assert steps.log(failure.details[1]["folder"]) == ["here"]


async def test_cancelled_step_flushes_its_log_and_ends_as_cancelled(steps: Steps) -> None:
    running, attempt = steps.start(
        "shell", action={"script": "trap 'echo bye; exit 0' TERM; echo here; sleep 60 & wait"}
    )
    task = asyncio.ensure_future(attempt)
    await until_logged(steps, "here")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    folder = "runs/demo-1/s/000.001-00000001"
    assert steps.log(folder) == ["here", "bye"]
    assert "logs/end" in steps.names(folder)


async def test_nothing_of_an_attempt_stays_on_disk(steps: Steps) -> None:
    await steps.shell("mkdir -p deep/er; echo x > deep/er/file; chmod -R a-w deep")
    await steps.failure(steps.shell("echo x > file; exit 1"))
    await steps.run("noop")
    assert steps.scratch_folders() == []


async def test_folders_of_a_killed_worker_are_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / "cache" / "run" / "99999-dead" / "1"
    left.mkdir(parents=True)
    steps = Steps(tmp_path)
    await steps.shell(":")
    assert not left.parent.exists()
    other = Steps(tmp_path)
    await other.shell(":")
    workers = [path for path in (tmp_path / "cache" / "run").iterdir() if path.is_dir()]
    assert len(workers) == 2, "a live worker's folder is not another's to remove"


async def test_declared_output_gives_text_its_type(steps: Steps) -> None:
    declared = {
        "n": {"schema": {"type": "integer"}},
        "ok": {"schema": {"type": "boolean"}},
        "rows": {"schema": {"type": "array"}},
        "name": {"schema": {"type": "string"}},
        "kept": {"schema": {"type": "number", "default": 0.5}},
    }
    script = 'printf "n=3\\nok=true\\nrows=[1, 2]\\nname=007\\nother=4\\n" >> $SEGUE_OUTPUT'
    result = await steps.shell(script, output=declared)
    assert result.value == {"n": 3, "ok": True, "rows": [1, 2], "name": "007", "other": "4", "kept": 0.5}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (":", "output.n is declared, but the step gave none"),
        (
            "echo n=many >> $SEGUE_OUTPUT",
            'output.n "many" is not an integer (its schema is {"type": "integer", "minimum": 0})',
        ),
        ("echo n=-1 >> $SEGUE_OUTPUT", "output.n -1 is less than 0"),
    ],
)
async def test_declared_output_is_checked(steps: Steps, script: str, message: str) -> None:
    declared = {"n": {"schema": {"type": "integer", "minimum": 0}}}
    failure = await steps.failure(steps.shell(script, output=declared))
    assert (failure.type, failure.message, failure.non_retryable) == ("OutputInvalid", message, True)


async def test_declared_output_of_python_is_checked_and_a_file_counts_as_text(steps: Steps) -> None:
    declared = {"model": {"schema": {"type": "string"}}, "score": {"schema": {"type": "number"}}}
    code = """
import pathlib
def f(score):
    pathlib.Path("m.bin").write_text("x")
    return {"model": pathlib.Path("m.bin"), "score": score}
"""
    result = await steps.python(code, inputs={"score": 0.5}, output=declared)
    assert result.value["model"]["name"] == "m.bin"
    failure = await steps.failure(steps.python(code, inputs={"score": "high"}, output=declared))
    assert failure.message == 'output.score "high" is not a number'
    failure = await steps.failure(steps.python("def f(): return 3", output=declared))
    assert failure.message == "output must be an object with 'model', 'score', but is int"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '{"$segue": "file", "key": "runs/other/secret"}',
            "output.v has the key $segue, which is kept for Segue's own",
        ),
        ('"a\\u0000b"', "output.v has a NUL character"),
        ('["\\ud800"]', "output.v[0] is not valid text: surrogates not allowed at character 0"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"is nested more than {MAX_DEPTH} deep"),
    ],
)
async def test_poison_in_typed_shell_output_is_refused(steps: Steps, text: str, problem: str) -> None:
    # Without a type in the schema, a text becomes what it looks like.
    declared = {"v": {"schema": {}}}
    failure = await steps.failure(steps.shell('echo "v=$VALUE" >> $SEGUE_OUTPUT', env={"VALUE": text}, output=declared))
    assert failure.type == "OutputInvalid"
    assert problem in failure.message


async def test_outage_of_the_store_delays_a_step_but_does_not_fail_it(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, failures = type(steps.objects).put, []

    def flaky(self: object, key: str, data: bytes, **options: bool) -> None:
        if len(failures) < 3:
            failures.append(key)
            raise ObjectStoreUnavailable("the test's", "it is away")
        put(self, key, data, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(type(steps.objects), "put", flaky)
    result = await steps.shell("echo a=1 >> $SEGUE_OUTPUT; echo hello")
    assert steps.document(result) == {"a": "1"}
    assert steps.log(result.folder, "stdout") == ["hello"]
    assert len(failures) == 3


async def test_mistake_of_ours_is_a_failure_without_a_stack_trace(steps: Steps) -> None:
    failure = await steps.failure(steps.run("shell", action={}))
    assert failure.type == "InternalError"
    assert failure.message == "Segue itself failed in this step (KeyError: 'script'); please report it"


async def test_activities_are_named_by_kind(steps: Steps) -> None:
    assert set(steps.by_kind) == {*get_args(Kind)} - INTERPRETER_KINDS


async def until_logged(steps: Steps, text: str) -> None:
    """Wait until some attempt's log holds a line."""
    async with asyncio.timeout(20):
        while not any(
            text in steps.objects.get(i.key).decode() for i in steps.objects.list("runs/") if "ndjson" in i.key
        ):
            await asyncio.sleep(0.02)


def test_a_cancel_is_heard_soon_however_long_a_worker_may_be_silent() -> None:
    assert [heartbeat_interval(seconds) for seconds in (1.0, 4.5, 10.0, 3_600.0)] == [1.0, 1.5, 2.0, 2.0]
    assert heartbeat_interval(86_400.0) + GRACE_SECONDS < 5.0
