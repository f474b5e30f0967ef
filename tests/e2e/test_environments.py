"""What steps run in, on the session's service: from the definition through the plan and the bundle to a worker."""

from __future__ import annotations

import os
from pathlib import Path

from segue import Client
from tests.sandboxes import wants_sandboxes

DEFINITION = """
segue: 1
name: environments
code: {include: [facts.py], python: ">=3.11"}
defaults: {isolation: sandbox}
steps:
  plain: {python: "facts:look", isolation: process}
  listed: {python: "facts:look", requirements: [], isolation: {sandbox: {network: true}}}
  file: {python: "facts:look", requirements: conf/none.txt}
  each: {python: "facts:look", map: {over: [1, 2]}, with: {item: "${{ item }}"}, requirements: []}
output:
  plain: ${{ steps.plain.output }}
  listed: ${{ steps.listed.output }}
  file: ${{ steps.file.output }}
  each: ${{ steps.each.output }}
"""
FACTS = """
import os, socket, sys

def look(item=0):
    return {"item": item, "own": sys.prefix != sys.base_prefix, "writes": os.access("/", os.W_OK),
            "network": len(socket.if_nameindex()) > 1}
"""


@wants_sandboxes
def test_what_steps_run_in_reaches_the_worker(client: Client, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "none.txt").write_text("# nothing\n")
    (tmp_path / "facts.py").write_text(FACTS)
    path = tmp_path / "flow.yaml"
    path.write_text(DEFINITION)
    client.deploy(path)
    output = client.run("environments").wait(120).output
    plain = output.pop("plain")
    own = {"own": True, "writes": False}
    assert plain["writes"] == os.access("/", os.W_OK)
    assert output == {
        "listed": {"item": 0, "network": plain["network"], **own},
        "file": {"item": 0, "network": False, **own},
        "each": [{"item": number, "network": False, **own} for number in (1, 2)],
    }


def test_a_python_that_is_nowhere_fails_the_step_once_and_says_what_is_there(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(
        "segue: 1\nname: no-such-python\ncode: {python: '>=3.99'}\n"
        "steps: {a: {run: 'true', retry: {attempts: 3, delay: 0s}}}\n"
    )
    client.deploy(path)
    [step] = client.run("no-such-python").wait(120, check=False).steps
    assert (step.state, len(step.attempts)) == ("failed", 1)
    assert step.error is not None
    assert step.error.message.startswith("no Python on this worker fits '>=3.99'; there are ")
