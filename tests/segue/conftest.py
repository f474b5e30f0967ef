"""A service for the client and the command line: the session's stack, with workflows that do a bit of everything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from segue import Client
from tests.segue.commands import Ended, segue
from workers.stack import Stack

DEFINITION = """\
segue: 1
name: bench
params:
  word: {type: string, default: hello}
  count: {type: integer, minimum: 1, default: 2}
  fail: {type: boolean, default: false}
  wait: {type: string, default: ""}
triggers:
  - event: {name: knock}
    params: {word: "${{ event.word }}"}
steps:
  say:
    python: say:say
    with: {word: "${{ params.word }}", count: "${{ params.count }}"}
  large:
    needs: {say: "${{ params.word == 'large' }}"}
    python: say:large
  each:
    map: {over: "${{ steps.say.output.words }}", as: word}
    run: echo "$WORD"
    env: {WORD: "${{ word }}"}
  judge:
    needs: each
    run: |
      echo "it is $FAIL" >&2
      echo "<p>$FAIL</p>" > "$SEGUE_ARTIFACTS/report.html"
      mkdir plots; head -c 3000000 /dev/zero > "plots/größe 1.png"
      test "$FAIL" = false
    env: {FAIL: "${{ params.fail }}"}
    retry: {attempts: 2, delay: 100ms}
    artifacts: plots
  linger:
    needs: {judge: "${{ params.wait != '' }}"}
    run: |
      echo "waiting"
      while [ ! -e "$WAIT" ]; do sleep 0.05; done
      echo "done waiting"
    env: {WAIT: "${{ params.wait }}"}
output: {words: "${{ steps.say.output.words }}"}
"""
CODE = """
def say(word, count):
    print(f"saying {word}")
    return {"words": [word] * count}


def large():
    return "x" * 40_000
"""


@dataclass(frozen=True)
class Bench:
    """The workflow `bench`, deployed, and ways to reach it."""

    client: Client
    folder: Path
    environment: dict[str, str]

    def segue(self, *arguments: str | Path, stdin: str = "", **environment: str) -> Ended:
        """Run a command that talks to the service."""
        return segue(*arguments, cwd=self.folder, environment={**self.environment, **environment}, stdin=stdin)


@pytest.fixture(scope="session")
def bench(stack: Stack, client: Client, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "bench.yaml").write_text(DEFINITION)
    (folder / "say.py").write_text(CODE)
    client.deploy(folder / "bench.yaml")
    environment = {"SEGUE_API_URL": str(stack.service["api_url"]), "SEGUE_API_KEY": str(stack.service["api_key"])}
    return Bench(client, folder, environment)
