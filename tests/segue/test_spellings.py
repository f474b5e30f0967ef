"""YAML and Python are spellings of one model: what means the same compiles to the same plan."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from segue import InvalidDefinition
from segue.evaluate import evaluate
from segue.submission import Definition, read_definition, read_definitions
from tests.segue.definitions import write
from tests.segue.pairs import FILES, PAIRS
from translator import compile_document, compile_yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "train-digits"

YAML = """
segue: 1
name: flow
description: Every kind of step and option
labels: {team: vision}
params:
  dataset: {type: string, enum: [digits, wine], default: digits}
  min_accuracy: {type: number, default: 0.9}
  grid: {type: array, default: [{depth: 4}]}
triggers:
  - schedule: {cron: "0 6 * * MON", timezone: Europe/Paris, overlap: skip, catchup: 24h}
    params: {dataset: wine}
  - event: {name: dataset.published}
    params: {dataset: "${{ event.dataset }}"}
max_parallel: 100
timeout: 12h
defaults: {queue: cpu, timeout: 30m, retry: {attempts: 3, delay: 10s, backoff: 2, max_delay: 5m}, env: {A: "1"}}
code: {include: ["pipeline/**"], requirements: requirements.txt}
steps:
  initiate:
    python: pipeline.train:initiate
    with: {dataset: "${{ params.dataset }}"}
  dataset:
    needs: initiate
    http:
      submit: {method: POST, url: "${{ vars.API }}/builds", json: {name: "${{ params.dataset }}"}}
      poll:
        url: "${{ submit.json.href }}"
        every: 15s
        until: "${{ response.json.state != 'running' }}"
        fail_if: "${{ response.json.state == 'failed' }}"
      cancel: {method: DELETE, url: "${{ submit.json.href }}"}
    output: {uri: "${{ response.json.uri }}"}
  check-data:
    python: pipeline.checks:quality
    with: {uri: "${{ steps.dataset.output.uri }}"}
  train:
    needs: {initiate: true, check-data: "${{ output.quality == 'good' && params.min_accuracy > 0.5 }}"}
    map: {over: "${{ params.grid }}", as: hp, limit: 4, min_success: 80%}
    python: pipeline.train:train
    with: {hp: "${{ hp }}", uri: "${{ steps.dataset.output.uri }}"}
    queue: gpu
    timeout: {run: 2h, queue: 6h}
    retry: {attempts: 1, delay: 10s, backoff: 2, max_delay: 5m}
  report:
    needs: [train]
    run: python -m pipeline.report "$MODELS"
    env: {MODELS: "${{ steps.train.output }}", WHO: "run ${{ run.id }}"}
    output: {accuracy: {type: number}}
    if: "${{ size(params.grid) > 0 }}"
    description: Writes the report
  bell:
    needs: {report: "${{ output.accuracy < params.min_accuracy }}", check-data: "${{ output.quality == 'bad' }}"}
    trigger_rule: one_success
    http: {method: PUT, url: "${{ vars.API }}/bell", expect: [200, 202]}
  end:
    needs: [bell, report]
    trigger_rule: all_done
    uses: noop
output: {accuracy: "${{ steps.report.output.accuracy }}"}
"""

PYTHON = """
from datetime import timedelta

with DAG(
    "flow",
    description="Every kind of step and option",
    labels={"team": "vision"},
    params={
        "dataset": Param("digits", type="string", enum=["digits", "wine"]),
        "min_accuracy": 0.9,
        "grid": [{"depth": 4}],
    },
    triggers=[
        cron("0 6 * * MON", timezone="Europe/Paris", overlap="skip", catchup="24h", params={"dataset": "wine"}),
        event("dataset.published", params={"dataset": event.dataset}),
    ],
    max_parallel=100,
    dagrun_timeout=timedelta(hours=12),
    default_args={
        "queue": "cpu",
        "execution_timeout": timedelta(minutes=30),
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=5),
        "env": {"A": "1"},
    },
    include=["pipeline/**"],
    requirements="requirements.txt",
) as dag:
    initiate = PythonOperator(python_callable="pipeline.train:initiate", op_kwargs={"dataset": params.dataset})
    dataset = HttpOperator(
        submit={"method": "POST", "url": f"{vars.API}/builds", "json": {"name": params.dataset}},
        poll={
            "url": submit.json.href,
            "every": "15s",
            "until": response.json.state != "running",
            "fail_if": response.json.state == "failed",
        },
        cancel={"method": "DELETE", "url": submit.json.href},
        output={"uri": response.json.uri},
    )
    check = PythonOperator("check-data", "pipeline.checks:quality", op_kwargs={"uri": dataset.output["uri"]})
    train = PythonOperator.partial(
        python_callable="pipeline.train:train",
        op_kwargs={"uri": dataset.output.uri},
        queue="gpu",
        timeout={"run": "2h", "queue": timedelta(hours=6)},
        retries=0,
        limit=4,
        min_success="80%",
    ).expand(hp=params.grid)
    report = BashOperator(
        bash_command='python -m pipeline.report "$MODELS"',
        env={"MODELS": train.output, "WHO": f"run {run.id}"},
        output={"accuracy": {"type": "number"}},
        condition=size(params.grid) > 0,
        description="Writes the report",
    )
    bell = HttpOperator(url=f"{vars.API}/bell", method="PUT", expect=[200, 202], trigger_rule="one_success")
    end = EmptyOperator(trigger_rule="all_done")

    initiate >> [dataset, train]
    check.when((check.output.quality == "good") & (params.min_accuracy > 0.5)) >> train >> report
    [
        report.when(report.output["accuracy"] < params.min_accuracy),
        check.when(check.output["quality"] == "bad"),
    ] >> bell
    [bell, report] >> end
    dag.output = {"accuracy": report.output.accuracy}
"""


def yaml_definition(folder: Path) -> Definition:
    path = folder / "flow.yaml"
    path.write_text(YAML)
    return read_definition(path)


def test_both_spellings_of_every_kind_of_step_compile_to_the_same_plan(tmp_path: Path) -> None:
    yaml = yaml_definition(tmp_path)
    python = read_definition(write(tmp_path, PYTHON))
    assert python.translated.plan == yaml.translated.plan
    assert python.translated.plan_hash == yaml.translated.plan_hash


def test_both_spellings_of_the_example_have_the_same_plan_and_the_same_bundle() -> None:
    yaml, python = read_definition(EXAMPLE / "train.yaml"), read_definition(EXAMPLE / "train.py")
    assert python.translated.plan_hash == yaml.translated.plan_hash
    assert yaml.bundle() == python.bundle() is not None


@pytest.mark.parametrize("key", PAIRS)
def test_both_spellings_of_a_key_compile_to_the_same_plan(tmp_path: Path, key: str) -> None:
    yaml, python = PAIRS[key]
    [document] = evaluate(write(tmp_path, python))
    found = compile_document(document, "flow.py", FILES)
    assert found == compile_yaml(f"segue: 1\nname: flow\n{yaml}", "flow.yaml", FILES)


def test_a_dag_as_airflow_and_dateutil_write_it_runs_as_written(tmp_path: Path) -> None:
    """The interpreter is the user's, with the user's dateutil."""
    source = """
        from datetime import datetime, timedelta
        from dateutil.relativedelta import relativedelta

        default_args = {"owner": "vision", "depends_on_past": False, "retries": 1, "retry_delay": timedelta(minutes=5)}

        with DAG(
            "train-digits",
            schedule_interval=relativedelta(months=1),
            start_date=datetime(2025, 1, 1),
            default_args=default_args,
            catchup=False,
        ) as dag:
            initiate = BashOperator(task_id="initiate", bash_command="echo start")
            embedding = PythonOperator(task_id="embedding", python_callable="pipeline.embed:fetch")
            dataset = HttpOperator(task_id="dataset", endpoint="https://example.com/builds", method="POST", data="x")
            approve = ApprovalOperator(task_id="approve")
            release = EmptyOperator(task_id="release", trigger_rule="none_failed")

            initiate >> [embedding, dataset] >> approve >> release
    """
    [document] = evaluate(write(tmp_path, source), sys.executable)
    yaml = """
        segue: 1
        name: train-digits
        labels: {owner: vision}
        triggers: [{schedule: {every: 1 month, start: 2025-01-01}}]
        defaults: {retry: {attempts: 2, delay: 5m}}
        steps:
          initiate: {run: echo start}
          embedding: {needs: initiate, python: "pipeline.embed:fetch"}
          dataset: {needs: initiate, http: {url: "https://example.com/builds", method: POST, body: x}}
          approve: {needs: [embedding, dataset], approve: {}}
          release: {needs: approve, uses: noop, trigger_rule: none_failed}
    """
    assert compile_document(document, "flow.py") == compile_yaml(dedent(yaml), "flow.yaml")


@pytest.mark.parametrize(
    ("source", "place", "message"),
    [
        ("a = WaitOperator(\n        duration='10 m')", "duration='10 m'", '"for" is "10 m", which is not a duration'),
        ("a = WaitOperator(event='x',\n        condition=params.x)", "condition=params.x", '"params" is not known'),
        ("a = ApprovalOperator(\n        on_timeout='no', timeout='1h')", "on_timeout='no'", '"on_timeout" is "no"'),
        ("a = WorkflowOperator(\n        workflow='No')", "workflow='No'", '"No" cannot be the name of a workflow'),
        ("a = UsesOperator('./x.yaml')", "UsesOperator('./x.yaml')", 'there is no file "x.yaml"'),
        (
            "a = EmptyOperator()\n    with Finally():\n        b = EmptyOperator()\n    a >> b",
            "a >> b",
            'the finally step "b" needs "a"',
        ),
        (
            "a = EmptyOperator.partial('a').expand(x=[1]).expand(\n        y=5)",
            "y=5",
            '"over" must be a list, or one expression',
        ),
    ],
)
def test_a_mistake_in_a_new_key_is_named_in_the_python_file(
    tmp_path: Path, source: str, place: str, message: str
) -> None:
    path = write(tmp_path, f'with DAG("flow", params={{"x": 1}}):\n    {source}\n')
    with pytest.raises(InvalidDefinition) as caught:
        read_definitions(path)
    [problem] = caught.value.diagnostics
    assert path.read_text().splitlines()[problem.line - 1][problem.column - 1 :].startswith(place)
    assert problem.message.startswith(message)


def test_a_wrong_rhythm_is_named_where_the_schedule_stands(tmp_path: Path) -> None:
    source = 'from datetime import timedelta\nwith DAG("flow",\n    schedule=timedelta(0)):\n    a = EmptyOperator()\n'
    with pytest.raises(InvalidDefinition) as caught:
        read_definitions(write(tmp_path, source))
    [problem] = caught.value.diagnostics
    assert (problem.line, problem.column, problem.code) == (4, 5, "E0603")


def test_a_mistake_that_the_translator_finds_is_named_in_the_python_file(tmp_path: Path) -> None:
    source = PYTHON.replace('op_kwargs={"dataset": params.dataset}', 'op_kwargs={"dataset": params.datset}').replace(
        'queue="gpu"', 'queue="no queue"'
    )
    path = write(tmp_path, source)
    with pytest.raises(InvalidDefinition) as caught:
        read_definitions(path)
    lines = path.read_text().splitlines()
    found = {
        each.message: lines[each.line - 1][each.column - 1 :]
        for each in caught.value.diagnostics
        if each.file == str(path)
    }
    texts = list(found.values())
    assert any(text.startswith('"dataset": params.datset') for text in texts), found
    assert any(text.startswith('queue="no queue"') for text in texts), found
    assert "params.datset" in str(caught.value), "the line is shown"


def test_a_cycle_over_several_steps_is_named_in_the_python_file(tmp_path: Path) -> None:
    source = 'with DAG("flow"):\n    a = EmptyOperator()\n    b = EmptyOperator()\n    a >> b\n    b >> a\n'
    with pytest.raises(InvalidDefinition) as caught:
        read_definitions(write(tmp_path, source))
    [problem] = caught.value.diagnostics
    assert problem.line in (5, 6)
    assert "a" in problem.message
    assert "b" in problem.message


def test_the_own_file_travels_when_a_step_calls_a_function_of_it(tmp_path: Path) -> None:
    source = 'def work(): ...\nwith DAG("flow", include=[]):\n    a = PythonOperator(python_callable=work)\n'
    bundle = read_definition(write(tmp_path, source)).bundle()
    assert bundle is not None
    assert bundle.files == ("flow.py",)
    assert read_definition(write(tmp_path, source.replace("=work)", "='near:f')"))).bundle() is None


def test_one_of_several_workflows_is_chosen_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f'with DAG("{name}"):\n    a = EmptyOperator()\n' for name in ("one", "two")))
    assert [each.name for each in read_definitions(path)] == ["one", "two"]
    assert read_definition(path, "two").name == "two"
    with pytest.raises(InvalidDefinition, match="several workflows") as caught:
        read_definition(path)
    assert caught.value.diagnostics[0].hint == "name one of them with --workflow: one, two"
    with pytest.raises(InvalidDefinition, match='no workflow "three"'):
        read_definition(path, "three")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("flow.txt", b"", "E0702"),
        ("flow.yaml", None, "E0701"),
        ("flow.yaml", b"\xff", "E0703"),
        ("flow.yaml", b"#" * (1024 * 1024 + 1), "E0101"),
    ],
)
def test_a_file_that_is_no_definition_is_said_to_be_so(
    tmp_path: Path, name: str, content: bytes | None, code: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidDefinition) as caught:
        read_definitions(tmp_path / name)
    assert [each.code for each in caught.value.diagnostics] == [code]
