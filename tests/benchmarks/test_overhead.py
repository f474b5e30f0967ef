from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "overhead.py"


def test_the_benchmark_runs_and_ends_each_line_in_a_ratio() -> None:
    """What it measures is for people; a test asserts no time."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--rounds", "1", "--chain", "5", "--fan-out", "10"],
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if "ratio" in line]
    assert [line.split()[0] for line in lines] == ["chain", "fan-out"]
    for line in lines:
        assert re.search(r"segue \d+\.\d steps/s, hand-written \d+\.\d steps/s, .*ratio \d+\.\d\d$", line)
