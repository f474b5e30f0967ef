from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.waiting import until
from workers.parts import RESTARTS_ALLOWED, Part


def part(tmp_path: Path, code: str) -> Part:
    return Part("worker x", [sys.executable, "-c", code], dict(os.environ), tmp_path)


def test_a_part_writes_to_its_log_and_tells_how_it_ended(tmp_path: Path) -> None:
    one = part(tmp_path, "print('hello'); raise SystemExit(3)")
    one.start()
    until(lambda: one.exit_status() is not None)
    assert one.exit_status() == 3
    assert one.log_tail() == "hello"
    assert one.log_path.name == "worker-x.log"


def test_a_part_that_ignores_sigterm_is_killed_at_the_deadline(tmp_path: Path) -> None:
    one = part(
        tmp_path, "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    one.start()
    until(lambda: one.log_tail() == "up")
    one.ask_to_stop()
    one.stop(time.monotonic() + 0.2)
    assert one.exit_status() == -9


def test_a_part_that_dies_again_and_again_may_not_restart(tmp_path: Path) -> None:
    one = part(tmp_path, "pass")
    for _ in range(RESTARTS_ALLOWED):
        assert one.may_restart()
        one.start()
        until(lambda: one.exit_status() is not None)
    assert not one.may_restart()


def test_a_part_dies_with_the_process_that_started_it_even_by_sigkill(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from workers.parts import Part;"
        "command = [sys.executable, '-c', 'import time; time.sleep(60)'];"
        f"p = Part('x', command, dict(os.environ), Path({str(tmp_path)!r}));"
        "p.start(); print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
    until(lambda: not _alive(child))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
