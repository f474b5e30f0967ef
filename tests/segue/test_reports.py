"""What step code calls to tell something: its arguments, and what it does where nobody listens."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import segue


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step is around."""
    for name in ("SEGUE_REPORT", "SEGUE_CHECKPOINT"):
        monkeypatch.delenv(name, raising=False)


def test_outside_of_a_step_nothing_happens(capfd: pytest.CaptureFixture[str]) -> None:
    segue.progress(3, 10, "rows")
    segue.metric("loss", 0.5)
    assert capfd.readouterr() == ("", "")


def test_outside_of_a_step_a_group_prints_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    with segue.group("Part"):
        print("inside")
    assert capsys.readouterr().out == "Part\ninside\n"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: segue.progress("3"), TypeError, "done is '3'; it must be a number"),  # type: ignore[arg-type]
        (lambda: segue.progress(1, [2]), TypeError, r"total is \[2\]; it must be a number"),  # type: ignore[arg-type]
        (lambda: segue.progress(float("nan")), ValueError, "done is nan; it must be a finite number"),
        (lambda: segue.metric("", 1), ValueError, "the name of a metric has 1 to 100 printable characters"),
        (lambda: segue.metric("a\nb", 1), ValueError, "unlike 'a.nb'"),
        (lambda: segue.metric("x" * 101, 1), ValueError, "1 to 100"),
        (lambda: segue.metric("a", None), TypeError, "value is None"),  # type: ignore[arg-type]
        (lambda: segue.metric("a", 1, float("inf")), ValueError, "step is inf"),
        (lambda: segue.metric("a", 10**400), TypeError, "it must be a number"),
    ],
)
def test_a_mistake_in_a_call_is_said_in_and_outside_of_steps(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **variables}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60)


def test_the_log_outside_of_a_step_prints_levels_unless_logging_is_set_up() -> None:
    alone = run("import segue; segue.log.info('a'); segue.log.error('b\\nc')")
    assert alone.stderr == "INFO: a\nERROR: b\nERROR: c\n"
    code = "import logging, segue; logging.basicConfig(format='mine %(message)s', level=20); segue.log.info('a')"
    assert run(code).stderr == "mine a\n"


def test_the_log_of_segue_is_a_logger(caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(segue.log, logging.Logger)
    with caplog.at_level(logging.INFO):
        segue.log.info("%d rows", 3)
    assert caplog.messages == ["3 rows"]


def test_other_loggers_can_have_the_marks_too(tmp_path: Path) -> None:
    code = (
        "import logging, segue\n"
        "logging.basicConfig(handlers=segue.log.handlers, level=logging.INFO)\n"
        "logging.getLogger('lib').warning('careful'); segue.log.warning('own')\n"
    )
    done = run(code, SEGUE_REPORT=str(tmp_path / "report"))
    assert done.stderr == "::warning::careful\n::warning::own\n"
    assert run(code).stderr == "WARNING: careful\nWARNING: own\n"


def test_a_channel_that_is_gone_or_full_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "report"
    monkeypatch.setenv("SEGUE_REPORT", str(pipe))
    segue.progress(1)
    os.mkfifo(pipe)
    segue.progress(2)
    monkeypatch.setattr("segue.reports._channel._patience", 0.01)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        for number in range(5_000):
            segue.metric("n", number)
        assert len(os.read(reader, 1_000_000)) > 10_000
        segue.progress(3, text="again")
        assert os.read(reader, 1_000_000).endswith(b'{"progress":[3,null,"again"]}\n')
    finally:
        os.close(reader)
    segue.progress(4)
