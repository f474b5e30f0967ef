"""The files that every project has: licence, hooks, and CI that runs what people run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def test_the_licence_is_apache_2_word_for_word() -> None:
    assert hashlib.sha256((REPOSITORY / "LICENSE").read_bytes()).hexdigest() == APACHE_2
    for path in (REPOSITORY / "pyproject.toml", REPOSITORY / "segue" / "pyproject.toml"):
        assert tomllib.loads(path.read_text())["project"]["license"] == "Apache-2.0"


def test_the_hooks_run_the_tools_of_this_checkout() -> None:
    config = REPOSITORY / ".pre-commit-config.yaml"
    ended = subprocess.run([BIN / "pre-commit", "validate-config", config], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout
    hooks = [hook for repo in yaml.safe_load(config.read_text())["repos"] for hook in repo["hooks"]]
    tools = {hook["entry"].split()[0] for hook in hooks}
    assert tools == {f".venv/bin/{name}" for name in ("ruff", "mypy", "lint-imports")}
    lint = (REPOSITORY / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert all(tool.replace(".venv/bin", "$(BIN)") in lint for tool in tools), "the hooks and `make lint` differ"


def test_ci_runs_what_people_run() -> None:
    script = REPOSITORY / ".ci" / "run"
    assert subprocess.run(["bash", "-n", script], timeout=30).returncode == 0
    assert {"make lint", "make test"} <= set(script.read_text().splitlines())
