"""`priority` and `resources` in each spelling, and in what is shown of a plan."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from segue import InvalidDefinition
from segue.cli.plan_text import plan_lines
from segue.evaluate import evaluate
from tests.segue.definitions import write
from translator import compile_document, compile_yaml
from translator.forecast.forecast import forecast
from translator.manual.schema import definition_schema

NOW = datetime(2026, 11, 24, tzinfo=UTC)
YAML = """
segue: 1
name: flow
defaults: {priority: 4, resources: {cpu: 1}}
steps:
  train:
    python: flow:train
    queue: gpu
    priority: 1
    resources: {cpu: 4, memory: 8Gi, gpu: 1}
"""
OPERATORS = """
with DAG("flow", default_args={"priority": 4, "resources": {"cpu": 1}}) as dag:
    train = PythonOperator(
        python_callable="flow:train", queue="gpu", priority=1, resources={"cpu": 4, "memory": "8Gi", "gpu": 1}
    )
"""
FUNCTION = """
@step(queue="gpu", priority=1, resources={"cpu": 4, "memory": "8Gi", "gpu": 1})
def train(): ...

@workflow
def flow():
    train()
"""


def compiled(folder: Path, source: str) -> Any:
    [document] = evaluate(write(folder, source))
    return compile_document(document, "flow.py")


def test_operators_and_functions_say_what_yaml_says(tmp_path: Path) -> None:
    wanted = compile_yaml(YAML, "flow.yaml")
    assert compiled(tmp_path, OPERATORS).content_hash == wanted.content_hash
    [train] = compiled(tmp_path, FUNCTION).steps
    assert (train.priority, train.resources) == (wanted.steps[0].priority, wanted.steps[0].resources)
    assert train.resources == {"cpu": 4, "memory": 8 * 2**30, "gpu": 1}


def test_airflows_weight_is_refused_since_it_counts_the_other_way(tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        compiled(tmp_path, 'with DAG("flow") as dag:\n    EmptyOperator(task_id="a", priority_weight=10)\n')
    [problem] = refused.value.diagnostics
    assert problem.hint == "its opposite is priority: priority=1 goes first, priority=5 last"


def test_a_plan_shows_both() -> None:
    plan = compile_yaml(YAML, "flow.yaml")
    lines = [line.strip() for line in plan_lines(plan.to_json(), forecast(plan, {}, None, None, NOW).to_json())]
    assert "priority 1" in lines
    assert "occupies 4 cpu, 8Gi memory, 1 gpu" in lines


def test_editors_are_told_of_both() -> None:
    schema = definition_schema()
    assert schema["$defs"]["step"]["properties"]["priority"]["maximum"] == 5
    assert {*schema["$defs"]["resources"]["properties"]} == {"cpu", "memory", "gpu"}
    assert schema["$defs"]["resources"]["additionalProperties"] is False
