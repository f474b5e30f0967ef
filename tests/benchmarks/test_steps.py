from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "steps.py"


def test_the_benchmark_runs_and_ends_each_line_in_a_ratio() -> None:
    """What it measures is for people; a test asserts no time."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--rounds", "1"], capture_output=True, text=True, timeout=150, check=True
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["shell", "python", "python-cold", "sql"]
    for line in lines:
        assert re.search(r"step \d+\.\d ms, subprocess \d+\.\d ms, more [+-]\d+\.\d ms, ratio \d+\.\d\d$", line)
