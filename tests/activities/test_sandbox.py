"""Steps in a sandbox: what they can do, what they cannot, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import http.server
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.scratch import ScratchSpace
from segue import child_path
from tests.activities.conftest import Steps
from tests.sandboxes import wants_sandboxes

pytestmark = wants_sandboxes

Marked = Callable[[str], list[int]]
SANDBOX: dict[str, Any] = {"isolation": "sandbox"}


@pytest.fixture
def mark() -> str:
    return f"m{os.getpid()}-{time.monotonic_ns()}"


async def test_a_script_in_a_sandbox_gives_output_artifacts_and_its_log(steps: Steps) -> None:
    script = """
        cat given.txt; echo oops >&2
        echo hello > "$SEGUE_ARTIFACTS/a.txt"; echo x > own.txt; mktemp >/dev/null; touch /tmp/there "$HOME/here"
        echo "n=5" >> "$SEGUE_OUTPUT"
    """
    fields = SANDBOX | {
        "bundle": steps.bundle({"given.txt": "given"}),
        "output": {"n": {"schema": {"type": "integer"}}},
    }
    result = await steps.shell(script, **fields)
    assert result.value == {"n": 5}
    assert steps.objects.get(f"{result.folder}/artifacts/a.txt") == b"hello\n"
    assert steps.log(result.folder, "stdout") == ["given"]
    assert steps.log(result.folder, "stderr") == ["oops"]
    assert not Path("/tmp/there").exists()
    assert steps.scratch_folders() == []


async def test_a_function_in_a_sandbox_gets_inputs_and_returns_values_bytes_and_files(steps: Steps) -> None:
    code = """
import pathlib
def f(n):
    pathlib.Path("model.bin").write_bytes(b"model")
    return {"n": n + 1, "raw": b"raw", "file": pathlib.Path("model.bin")}
"""
    result = await steps.python(code, inputs={"n": 4}, **SANDBOX)
    assert result.value["n"] == 5
    assert steps.objects.get(result.value["raw"]["key"]) == b"raw"
    assert steps.objects.get(result.value["file"]["key"]) == b"model"


async def test_an_exception_in_a_sandbox_is_the_step_s_failure(steps: Steps) -> None:
    failure = await steps.failure(steps.python("def f(): raise ValueError('no such data')", **SANDBOX))
    assert (failure.type, failure.message) == ("ValueError", "no such data")


async def test_a_sandbox_changes_nothing_of_its_machine(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    script = """
        for place in /etc /usr "$HERE" /; do touch "$place/mine" 2>/dev/null && echo "wrote to $place"; done
        echo done
    """
    # Not below /tmp, which a sandbox has for itself.
    result = await steps.shell(script, env={"HERE": str(Path(__file__).parent)}, **SANDBOX)
    assert steps.log(result.folder, "stdout") == ["done"]


async def test_a_sandbox_shows_no_files_of_others_and_no_processes(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("of another")
    space = ScratchSpace(steps.folder / "cache" / "run")
    other = space.make()
    (other / "theirs").write_text("of another step")
    script = f"""
        ls {tmp_path}/secret.txt {other} 2>/dev/null || true
        ls /proc | grep -c '^[0-9]*$'
        ls /run | wc -l
    """
    result = await steps.shell(script, **SANDBOX)
    processes, sockets = steps.log(result.folder, "stdout")
    assert int(processes) < 8
    assert int(sockets) == 0


@pytest.fixture
def port() -> Iterator[int]:
    """A server of this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


CONNECT = "import socket\ndef f(port): return socket.socket().connect_ex(('127.0.0.1', port))"


async def test_a_sandbox_has_no_network_unless_asked(steps: Steps, port: int) -> None:
    closed = await steps.python(CONNECT, inputs={"port": port}, **SANDBOX)
    assert closed.value != 0
    opened = await steps.python(CONNECT, inputs={"port": port}, network=True, **SANDBOX)
    assert opened.value == 0


async def test_a_step_in_a_sandbox_has_its_environment(steps: Steps) -> None:
    result = await steps.shell("python -c 'import sys; print(sys.prefix != sys.base_prefix)'", packages=[], **SANDBOX)
    assert steps.log(result.folder, "stdout") == ["True"]


async def test_a_cache_that_links_lead_to_is_seen_from_a_sandbox(tmp_path: Path) -> None:
    for real, link in (("disk", "one/cache"), ("environments", "disk/environments")):
        (tmp_path / real).mkdir()
        (tmp_path / link).parent.mkdir(exist_ok=True)
        (tmp_path / link).symlink_to(tmp_path / real)
    steps = Steps(tmp_path / "one")
    result = await steps.shell("python -c 'import sys; print(sys.prefix != sys.base_prefix)'", packages=[], **SANDBOX)
    assert steps.log(result.folder, "stdout") == ["True"]


async def test_a_segue_that_lies_where_a_sandbox_shows_nothing_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        package = Path(place) / "segue"
        shutil.copytree(child_path.PACKAGE, package)
        monkeypatch.setattr(child_path, "PACKAGE", package)
        result = await Steps(tmp_path).python("import segue\ndef f(): return segue.__file__", **SANDBOX)
    assert result.value.endswith("/segue/__init__.py")


async def test_a_failing_step_in_a_sandbox_says_why(steps: Steps) -> None:
    failure = await steps.failure(steps.shell("echo bad >&2; exit 3", **SANDBOX))
    assert failure.message == "the script ended with code 3: bad"
    killed = await steps.failure(steps.python("import os\ndef f(): os.kill(os.getpid(), 11)", **SANDBOX))
    assert "SIGSEGV" in killed.message


@pytest.mark.parametrize("what", ["file", "output", "exchange"])
async def test_no_link_leads_the_worker_out_of_a_sandbox(steps: Steps, tmp_path: Path, what: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text('"hidden=1"')
    if what == "file":
        code = f"import os, pathlib\ndef f():\n    os.symlink({str(secret)!r}, 'link')\n    return pathlib.Path('link')"
        failure = await steps.failure(steps.python(code, **SANDBOX))
        assert (failure.type, "hidden" in failure.message) == ("OutputInvalid", False)
    elif what == "output":
        script = f'rm "$SEGUE_OUTPUT"; ln -s {secret} "$SEGUE_OUTPUT"'
        failure = await steps.failure(steps.shell(script, **SANDBOX))
        assert failure.message == "$SEGUE_OUTPUT cannot be read: No such file or directory"
    else:
        code = (
            f"import os, pathlib\ndef f():\n    os.symlink({str(secret)!r}, '../exchange/output.json')\n    os._exit(0)"
        )
        failure = await steps.failure(steps.python(code, **SANDBOX))
        assert failure.message == "the Python process ended with code 0 before the function returned"


@pytest.mark.parametrize("place", ["output", "exchange/output.json", "exchange/error.json"])
@pytest.mark.parametrize("isolation", ["process", "sandbox"])
async def test_no_pipe_keeps_the_worker_waiting(steps: Steps, place: str, isolation: str) -> None:
    if place == "output":
        failing = steps.shell('rm "$SEGUE_OUTPUT"; mkfifo "$SEGUE_OUTPUT"', isolation=isolation, timeout=20.0)
    else:
        code = f"import os\ndef f():\n    os.mkfifo('../{place}')\n    os._exit(0)"
        failing = steps.python(code, isolation=isolation, timeout=20.0)
    assert (await steps.failure(failing)).type == "OutputInvalid"


async def test_a_file_that_only_the_sandbox_has_is_refused_with_the_way_out(steps: Steps) -> None:
    code = "import pathlib\ndef f():\n    p = pathlib.Path('/tmp/model.bin')\n    p.write_bytes(b'x')\n    return p"
    failure = await steps.failure(steps.python(code, **SANDBOX))
    assert failure.message == (
        "output is a path outside the sandbox: /tmp/model.bin; leave the file in $SEGUE_ARTIFACTS"
    )


LEAVES = "setsid sleep 1000 & (setsid bash -c 'trap \"\" TERM HUP; sleep 1000' &)"


async def test_nothing_survives_a_sandbox(steps: Steps, marked: Marked, mark: str) -> None:
    await steps.shell(f"{LEAVES}; echo done", env={"MARK": mark}, **SANDBOX)
    assert marked(f"MARK={mark}") == []


async def test_a_cancelled_step_in_a_sandbox_gets_a_moment_to_end_by_itself(
    steps: Steps, marked: Marked, mark: str
) -> None:
    script = f"{LEAVES}; trap 'echo cleaned up; exit' TERM; echo started; sleep 1000 & wait"
    running, attempt = steps.start("shell", action={"script": script}, env={"MARK": mark}, **SANDBOX)
    task = asyncio.create_task(attempt)
    async with asyncio.timeout(30):
        while not any("started" in data for data in _logs(steps)):
            await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert any("cleaned up" in data for data in _logs(steps))
    assert marked(f"MARK={mark}") == []


def _logs(steps: Steps) -> list[str]:
    found = [info.key for info in steps.objects.list("runs/") if info.key.endswith(".ndjson")]
    return [steps.objects.get(key).decode() for key in found]


async def test_a_worker_without_bwrap_fails_the_step_at_once_with_the_way_out(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    failure = await steps.failure(steps.shell(":", requirements="not-even-looked-for.txt", **SANDBOX))
    assert (failure.type, failure.non_retryable) == ("SandboxUnavailable", True)
    assert failure.message == (
        "this worker has no `bwrap`, which makes sandboxes: install bubblewrap there (`apt install bubblewrap`), have "
        "the step run on a queue whose workers can, or leave out `isolation: sandbox`"
    )


async def test_a_machine_that_allows_no_sandbox_fails_the_step_with_what_bwrap_says(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    failure = await steps.failure(steps.python("def f(): pass", **SANDBOX))
    assert (failure.type, failure.non_retryable) == ("SandboxUnavailable", True)
    assert "(bwrap: No permissions to create a new namespace): allow user namespaces there" in failure.message


async def test_a_step_in_a_sandbox_tells_what_others_tell_and_goes_on_from_its_checkpoint(steps: Steps) -> None:
    code = (
        "import segue\n"
        "def f():\n"
        "  found = segue.checkpoint.load(0)\n"
        "  (segue.checkpoint.folder() / 'a').write_text('kept')\n"
        "  segue.progress(found + 1, 2)\n"
        "  return [found, segue.checkpoint.save(found + 1)]\n"
    )
    assert (await steps.python(code, **SANDBOX)).value == [0, True]
    assert (await steps.python(code, info={"attempt": 2}, **SANDBOX)).value == [1, True]
    assert steps.last is not None
    assert steps.last.heartbeats[-1][0]["progress"]["done"] == 2


async def test_a_sandbox_cannot_have_files_of_the_machine_saved_or_written(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    victim = tmp_path / "victim"
    victim.mkdir()
    script = f"""
        ln -s {tmp_path}/secret "$SEGUE_CHECKPOINT/a"; echo fine > "$SEGUE_CHECKPOINT/b"
        exchange=$(dirname "$SEGUE_REPORT")
        ln -s {victim}/done "$exchange/save-1-1.done"; echo 1 > "$exchange/save-1-1.json"
        ln -s {tmp_path}/secret "$exchange/save-1-2.json"
        echo '{{"checkpoint": "save-1-1"}}' > "$SEGUE_REPORT"
        echo '{{"checkpoint": "save-1-2"}}' > "$SEGUE_REPORT"
    """
    result = await steps.shell(script, **SANDBOX)
    assert [*victim.iterdir()] == []
    assert any("the checkpoint is not kept" in line for line in steps.log(result.folder))
    saved = [steps.objects.get(f"{result.folder}/{name}") for name in steps.names(result.folder) if "check" in name]
    assert b"fine\n" in saved
    assert not any(b"secret" in data for data in saved if not data.startswith(b"{"))
