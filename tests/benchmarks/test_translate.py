from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.translate import definition, load, translate

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "translate.py"


def calls(steps: int) -> int:
    """Return how many functions are called to translate a definition with so many steps."""
    text, count = definition(steps), 0

    def seen(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        translate(text)
    finally:
        sys.setprofile(before)
    return count


def test_translating_twice_the_steps_is_twice_the_work() -> None:
    translate(definition(10))
    first, second, fourth = calls(200), calls(400), calls(800)
    assert 1.9 < (fourth - second) / (second - first) < 2.1
    assert fourth / 800 < 500, "it was 451 calls a step when this was written, and 720 before"


def test_the_benchmark_runs_and_ends_each_line_in_a_ratio() -> None:
    """What it measures is for people; a test asserts no time."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--rounds", "1", "--steps", "50", "100"],
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["steps", "load", "translate", "ratio"]
    assert [line.split()[0] for line in lines] == ["50", "100"]
    for line in lines:
        assert re.search(r"\d+\.\d{3} s +\d+\.\d{3} s +\d+\.\d\d$", line)


def test_both_sides_read_the_same_steps() -> None:
    loaded = load(definition(30))
    assert isinstance(loaded, dict)
    assert len(loaded["steps"]) == 30
    assert translate(definition(30)) == translate(definition(30)) != translate(definition(31))
