"""The train-digits example's services as tests start them, and what its ledger tells."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[1] / "examples" / "train-digits"


class Services:
    """The data set, training and model services of the example, at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        """Return the JSON document at `path`."""
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=10) as answer:
            return json.load(answer)

    def executions(self, run: str, event: str) -> Counter[str]:
        """Return how often each step's code started or finished in a run; map items count under their step."""
        entries = self.get(f"trainings/{run}/executions")["executions"]
        return Counter(entry["step"] for entry in entries if entry["event"] == event)


@contextmanager
def running_services(data: Path) -> Iterator[Services]:
    """Start the services on a free port with their state in `data`; stop them on leaving."""
    command = [sys.executable, "-m", "services", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, cwd=EXAMPLE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("services ready on "), line
            yield Services(line.split()[-1])
        finally:
            process.terminate()
