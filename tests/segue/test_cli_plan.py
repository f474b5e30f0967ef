"""`segue plan` as a user runs it: text, Mermaid, SVG and JSON of one definition."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from segue.cli.plan_mermaid import mermaid_chart
from segue.cli.plan_svg import svg_picture
from tests.segue.commands import segue
from tests.segue.test_cli import NOWHERE

FLOW = """\
segue: 1
name: flow
params:
  dataset: {type: string, enum: [digits, wine], default: digits}
  n: {type: integer}
triggers:
  - schedule: {cron: "0 6 * * MON", timezone: Europe/Paris}
    params: {n: 1}
steps:
  build: {run: make, env: {API: "${{ vars.API }}"}, output: {parts: {type: array}}}
  wine: {needs: {build: "${{ params.dataset == 'wine' }}"}, run: echo wine, queue: gpu}
  each: {needs: build, map: {over: "${{ steps.build.output.parts }}"}, run: echo "<&>"}
  big: {needs: each, if: "${{ params.n > 5 }}", uses: noop}
finally:
  clean: {run: rm -rf x}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.yaml").write_text(FLOW)
    return tmp_path


def test_the_text_says_what_would_run_and_why_not(folder: Path) -> None:
    ended = segue("plan", "flow.yaml", "-p", "n=7", cwd=folder, environment=NOWHERE)
    assert (ended.code, ended.err) == (0, "")
    for words in (
        "  param n: integer = 7\n",
        "  var API, no service is asked\n",
        '  schedule 0 6 * * MON Europe/Paris with {"n": 1}\n    next 20',
        "is skipped:\n         params.dataset == 'wine' on the edge from build is false (params.dataset is 'digits')",
        "\nfinally, however the run ends:\n",
        "5 steps: 4 run, 1 are skipped\n",
    ):
        assert words in ended.out
    assert ended.out.count("    next 20") == 10


def test_json_has_everything_that_the_others_show(folder: Path) -> None:
    found = segue("plan", "flow.yaml", "-f", "json", cwd=folder, environment=NOWHERE).json
    assert {step["id"]: step["fate"] for step in found["steps"]} == {
        "build": "runs",
        "wine": "skipped",
        "each": "runs",
        "big": "depends",
        "clean": "runs",
    }
    assert found["missing_params"] == ["n"]
    assert found["queues"] == {"cpu": None, "gpu": None}
    assert found["steps"][1]["needs"] == [{"step": "build", "when": "params.dataset == 'wine'", "holds": False}]
    assert list(mermaid_chart(found)) == [
        "flowchart TD",
        '  s0["build<br/>shell on cpu"]',
        '  s1["wine<br/>shell on gpu"]',
        '  s2["each × items<br/>shell on cpu"]',
        '  s3(("big<br/>noop on cpu"))',
        "  subgraph finally",
        '    s4["clean<br/>shell on cpu"]',
        "  end",
        "  s0 -.->|\"params.dataset == 'wine'\"| s1",
        "  s0 --> s2",
        "  s2 --> s3",
        "  classDef skipped fill:#eee,stroke:#bbb,color:#888",
        "  classDef depends stroke-dasharray: 4 3",
        "  class s3 depends",
        "  class s1 skipped",
    ]
    picture = svg_picture(found)
    tree = ElementTree.fromstring(picture)
    boxes = tree.findall(".//{http://www.w3.org/2000/svg}rect")
    assert len(boxes) == 5
    assert picture.count("http") == 1, "nothing is fetched: the one address is the format's name"
    corners = {(box.get("x"), box.get("y")) for box in boxes}
    assert len(corners) == 5


def test_params_that_do_not_fit_are_told(folder: Path) -> None:
    ended = segue("plan", "flow.yaml", "-p", "n=x", cwd=folder, environment=NOWHERE)
    assert (ended.code, ended.out) == (2, "")
    assert 'params.n: "x" is not an integer' in ended.err


LINTED = 'segue: 1\nname: flow\nsteps: {a: {if: 1 > 2, run: "echo"}}\n'


def test_warnings_are_no_failures_unless_that_is_asked_for(folder: Path) -> None:
    (folder / "odd.yaml").write_text(LINTED)
    ended = segue("lint", "odd.yaml", cwd=folder, environment=NOWHERE)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        "odd.yaml:3:17: warning[W0103]: this condition is always false, whatever a run is given\n"
        '    steps: {a: {if: 1 > 2, run: "echo"}}\n'
        "                    ^\n"
        "hint: compare with a value that can be, or remove the step\n\n"
        "1 warning; more: segue explain W0103\n"
    )
    assert segue("lint", "odd.yaml", "--strict", cwd=folder, environment=NOWHERE).code == 1
    [found] = segue("lint", "odd.yaml", "--json", cwd=folder, environment=NOWHERE).json
    assert (found["code"], found["line"]) == ("W0103", 3)
    assert segue("lint", "flow.yaml", "--strict", cwd=folder, environment=NOWHERE).out == "no warnings\n"
