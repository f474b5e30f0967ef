"""What a step tells while it runs, on the session's service: from its code to whoever looks."""

from __future__ import annotations

from pathlib import Path

from segue import Client
from segue.measures import Progress
from tests.waiting import until

DEFINITION = """
segue: 1
name: watching
params: {go: {type: string}}
code: {include: [work.py]}
steps:
  train: {python: "work:train", with: {go: "${{ params.go }}"}}
  report:
    needs: train
    run: |
      echo "::group::Report"
      echo "::metric pages=3"
      echo "::endgroup::"
"""
WORK = """
import pathlib, time
import segue

def train(go):
    for epoch in range(4):
        segue.metric("loss", 1 / (epoch + 1))
    segue.progress(4, 10, "epochs")
    while not pathlib.Path(go).exists():
        time.sleep(0.05)
"""


def test_progress_is_seen_while_a_step_runs_and_metrics_are_kept(client: Client, tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK)
    path = tmp_path / "flow.yaml"
    path.write_text(DEFINITION)
    client.deploy(path)
    go = tmp_path / "go"
    run = client.run("watching", {"go": str(go)})
    try:
        until(lambda: run.get().step("train").progress is not None, seconds=60, what="progress")
        assert run.get().step("train").progress == Progress(4, 10, "epochs")
        until(lambda: run.metrics("train"), what="metrics while it runs")
    finally:
        go.touch()
    ended = run.wait(120)
    assert ended.step("train").progress is None
    assert run.metrics("train")["loss"].steps == (0, 1, 2, 3)
    assert run.metrics("train")["loss"].values == (1.0, 0.5, 1 / 3, 0.25)
    assert run.metrics("report")["pages"].values == (3,)
    told = [event.step.progress for event in run.events() if event.step is not None and event.step.key == "train"]
    assert Progress(4, 10, "epochs") in told
