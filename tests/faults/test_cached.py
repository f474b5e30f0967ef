"""`kill -9` in the middle of a computation that another run waits for: nobody waits for the dead, one output counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.models import Run
from tests.faults.conftest import Victim
from tests.waiting import until

DEFINITION = """
segue: 1
name: shared
params: {folder: {type: string}}
steps:
  compute:
    run: |
      echo "$SEGUE_RUN_ID" >> "$FOLDER/started"
      while [ ! -e "$FOLDER/gate" ]; do sleep 0.05; done
      echo "by=$SEGUE_RUN_ID" >> "$SEGUE_OUTPUT"
    env: {FOLDER: "${{ params.folder }}"}
    cache: true
    timeout: {run: 5m, heartbeat: 2s}
"""


@pytest.mark.timeout(300)
def test_a_worker_that_dies_while_it_computes_for_two_runs(victim: Victim, tmp_path: Path) -> None:
    file, started = tmp_path / "shared.yaml", tmp_path / "started"
    file.write_text(DEFINITION)
    params = {"folder": str(tmp_path)}

    def executions() -> list[str]:
        return started.read_text().split() if started.exists() else []

    first = victim.client.run(file, params)
    until(lambda: executions() == [first.id], what="the computation")
    second = victim.client.run("shared", params)
    said = f"waits for run {first.id}, step compute"
    until(lambda: any(said in line.text for line in second.logs("compute")), what="the second run's wait")
    assert [each.state for each in victim.client.cached("shared")] == ["computing"]

    victim.kill("worker cpu")
    until(lambda: len(executions()) > 1, seconds=120, what="a computation after the death")
    (tmp_path / "gate").touch()
    ended: list[Run] = [run.wait(timeout=120) for run in (first, second)]
    assert [run.state for run in ended] == ["succeeded", "succeeded"]
    # Whoever waited for the dead one computes itself, or found what the first run's next attempt has computed.
    assert 2 <= len(executions()) <= 3
    third = victim.client.run("shared", params, wait=True).get().step("compute")
    assert third.reason.startswith("reused from run ")
    assert third.output in [run.step("compute").output for run in ended]
    assert third.detail["reused"]["run"] == third.output["by"]
    assert len(executions()) <= 3
