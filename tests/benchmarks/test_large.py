from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "large.py"


def test_the_benchmark_of_large_runs_says_how_long_histories_became_and_what_a_cached_run_takes() -> None:
    """What it measures is for people; a test asserts no time."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--steps", "20", "--shapes", "chain,layered", "--cached", "1"],
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if "steps" in line]
    assert [line.split()[0] for line in lines] == ["chain", "layered", "a"]
    for line in lines[:2]:
        assert re.search(r"20 steps in +\d+\.\d s, +\d+ steps/s, 1 executions, at most \d+ events$", line)
    assert re.search(r"a cached run of 20 steps takes -?\d+\.\d MB$", lines[2])


def test_a_shape_that_there_is_not_is_refused_by_name() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--shapes", "star"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("argument --shapes: there is no shape 'star'; there are chain, fan-out, layered\n")
