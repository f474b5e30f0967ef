"""The signature of a workflow becomes its params, its decorator the keys at the top, and both have positions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue import InvalidDefinition
from segue.submission import read_definition, read_definitions
from tests.segue.definitions import document_of, write

FILE = """
import enum
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Optional, TypedDict

class Color(enum.StrEnum):
    RED = "red"
    BLUE = "blue"

class Row(TypedDict):
    n: int

@dataclass
class Config:
    depth: int
    rows: list[Row] = field(default_factory=list)

@step
def work(**given): ...

@workflow(
    name="all-of-it",
    labels={"team": "vision"},
    triggers=[
        cron("0 6 * * MON", timezone="Europe/Paris", params={"config": {"depth": 1}, "wanted": 1}),
        event("data.published", params={"config": event.config, "wanted": event.wanted}),
    ],
    default_args={"queue": "gpu", "retries": 1},
    max_parallel=10,
    timeout="2h",
    include=["*.py"],
)
def flow(
    config: Config,
    wanted: int,
    dataset: Literal["digits", "wine"] = "digits",
    share: Annotated[float, Param(minimum=0, maximum=1)] = 0.5,
    color: Color = Color.RED,
    names: Optional[list[str]] = None,
    extra: dict[str, int] = {},
    pair: tuple[int, str] = (1, "a"),
    either: int | str = 3,
    anything: Any = None,
    depths=[4, 8],
):
    \"\"\"Everything a signature may say.

    And more.
    \"\"\"
    work(depth=config.depth, color=color, row=config.rows[0]["n"])
"""


def test_the_signature_becomes_params_and_the_decorator_the_rest(tmp_path: Path) -> None:
    definition = document_of(tmp_path, FILE)["definition"]
    rows = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    assert definition == {
        "segue": 1,
        "name": "all-of-it",
        "description": "Everything a signature may say.",
        "labels": {"team": "vision"},
        "params": {
            "config": {
                "type": "object",
                "properties": {"depth": {"type": "integer"}, "rows": {"type": "array", "items": rows}},
                "required": ["depth"],
                "additionalProperties": False,
            },
            "wanted": {"type": "integer"},
            "dataset": {"type": "string", "enum": ["digits", "wine"], "default": "digits"},
            "share": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
            "color": {"enum": ["red", "blue"], "type": "string", "default": "red"},
            "names": {"type": ["array", "null"], "items": {"type": "string"}, "default": None},
            "extra": {"type": "object", "additionalProperties": {"type": "integer"}, "default": {}},
            "pair": {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
                "default": [1, "a"],
            },
            "either": {"type": ["integer", "string"], "default": 3},
            "anything": {"default": None},
            "depths": {"type": "array", "default": [4, 8]},
        },
        "triggers": [
            {
                "schedule": {"cron": "0 6 * * MON", "timezone": "Europe/Paris"},
                "params": {"config": {"depth": 1}, "wanted": 1},
            },
            {
                "event": {"name": "data.published"},
                "params": {"config": "${{ event.config }}", "wanted": "${{ event.wanted }}"},
            },
        ],
        "max_parallel": 10,
        "timeout": "2h",
        "defaults": {"queue": "gpu", "retry": {"attempts": 2}},
        "code": {"include": ["*.py"]},
        "steps": {
            "work": {
                "python": "flow:work",
                "with": {
                    "depth": "${{ params.config.depth }}",
                    "color": "${{ params.color }}",
                    "row": "${{ params.config.rows[0].n }}",
                },
            }
        },
    }


def test_the_decorator_says_what_a_yaml_file_says_of_the_whole_workflow(tmp_path: Path) -> None:
    python = write(
        tmp_path,
        """
        @step(requirements=["numpy"], isolation="sandbox")
        def work(n): ...

        @workflow(
            name="whole", description="All of it", labels={"team": "vision"}, triggers=[event("a", condition=event.ok)],
            concurrency={"key": f"k-{params.n}", "limit": 2, "when_full": "skip"}, on_failure="hold", max_parallel=5,
            timeout="2h", default_args={"queue": "gpu", "retries": 1, "env": {"A": "1"}}, include=["flow.py"],
            requirements="requirements.txt", python=">=3.11",
        )
        def flow(n: int = 1):
            try:
                made = work(n)
            finally:
                work(0)
            return {"made": made}
        """,
    )
    yaml = tmp_path / "whole.yaml"
    yaml.write_text(
        """
segue: 1
name: whole
description: All of it
labels: {team: vision}
params: {n: {type: integer, default: 1}}
triggers: [{event: {name: a, if: "event.ok"}}]
concurrency: {key: "k-${{ params.n }}", limit: 2, when_full: skip}
on_failure: hold
max_parallel: 5
timeout: 2h
defaults: {queue: gpu, retry: {attempts: 2}, env: {A: "1"}}
code: {include: [flow.py], requirements: requirements.txt, python: ">=3.11"}
steps: {work: {python: "flow:work", with: {n: "${{ params.n }}"}, requirements: [numpy], isolation: sandbox}}
finally: {work_2: {python: "flow:work", with: {n: 0}, requirements: [numpy], isolation: sandbox}}
output: {made: "${{ steps.work.output }}"}
"""
    )
    assert read_definition(python).translated.plan_hash == read_definition(yaml).translated.plan_hash


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        ("max_active_runs=2", {"concurrency": {"limit": 2}}),
        ("fail_fast=True", {"on_failure": "stop"}),
        ("fail_fast=False", {}),
    ],
)
def test_airflows_names_mean_what_they_mean_for_a_dag(tmp_path: Path, arguments: str, keys: dict[str, Any]) -> None:
    source = f"@step\ndef work(): ...\n\n@workflow({arguments})\ndef flow():\n    work()\n"
    definition = document_of(tmp_path, source)["definition"]
    assert {key: definition[key] for key in ("concurrency", "on_failure") if key in definition} == keys


def test_what_the_translator_finds_is_named_in_the_file(tmp_path: Path) -> None:
    source = FILE.replace('"queue": "gpu"', '"queue": "no queue"').replace("0 6 * * MON", "0 6 * * MOON")
    path = write(tmp_path, source.replace("@step\n", '@step(timeout="soon")\n'))
    lines = path.read_text().splitlines()
    try:
        read_definitions(path)
    except InvalidDefinition as error:
        found = [lines[each.line - 1][each.column - 1 :].strip() for each in error.diagnostics]
    assert sorted(text[:12] for text in found) == ['"queue": "no', 'cron("0 6 * ', 'timeout="soo'], found


def test_a_plain_function_and_yaml_of_the_same_meaning_have_one_plan(tmp_path: Path) -> None:
    python = write(
        tmp_path,
        """
        @step(queue="gpu")
        def train(data, depth): ...

        @step
        def build(dataset): ...

        @step
        def best(models): ...

        @workflow(include=[])
        def train_digits(dataset: str = "digits", depths: list[int] = [4, 8]):
            data = build(dataset)
            if data["rows"] < 10:
                return None
            return best([train(data, depth) for depth in depths])
        """,
        name="digits.py",
    )
    yaml = tmp_path / "digits.yaml"
    yaml.write_text(
        """
segue: 1
name: train-digits
params:
  dataset: {type: string, default: digits}
  depths: {type: array, items: {type: integer}, default: [4, 8]}
code: {include: []}
steps:
  build: {python: "digits:build", with: {dataset: "${{ params.dataset }}"}}
  train:
    needs: {build: "${{ !(output.rows < 10) }}"}
    map: {over: "${{ params.depths }}", as: depth}
    python: digits:train
    with: {data: "${{ steps.build.output }}", depth: "${{ depth }}"}
    queue: gpu
  best: {python: "digits:best", with: {models: "${{ steps.train.output }}"}}
output: "${{ steps.build.output.rows < 10 ? null : steps.best.output }}"
"""
    )
    assert read_definition(python).translated.plan == read_definition(yaml).translated.plan
