"""DAGs in Python become the document that their YAML would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.segue.definitions import RELATIVEDELTA, definition_of, document_of, problem_of, steps_of

FULL = """
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    with DAG(
        description="Trains a model",
        schedule_interval="@daily",
        start_date=datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Paris")),
        catchup="24h",
        overlap="skip",
        triggers=[event("dataset.published", params={"dataset": event.dataset})],
        default_args={
            "owner": "vision",
            "depends_on_past": False,
            "retries": 2,
            "retry_delay": timedelta(seconds=10),
            "queue": "cpu",
        },
        params={"dataset": "digits", "min_accuracy": Param(0.9, type="number"), "grid": {"type": "array"}},
        max_active_tasks=10,
        dagrun_timeout=timedelta(hours=12),
        requirements="requirements.txt",
    ) as dag:
        initiate = PythonOperator(python_callable="pipeline:initiate", op_kwargs={"dataset": params.dataset})
        dataset = HttpOperator(
            submit={"method": "POST", "url": f"{vars.API}/builds"},
            poll={"url": submit.json.href, "every": "15s", "until": response.json.state != "running"},
            output={"uri": response.json.uri},
        )
        check = PythonOperator("check_data", "pipeline:check", op_kwargs={"uri": dataset.output["uri"], "all": dataset})
        train = PythonOperator.partial(
            python_callable="pipeline:train",
            queue="gpu",
            execution_timeout=timedelta(hours=2),
            retries=0,
            limit=4,
            min_success="80%",
        ).expand(hp=params.grid)
        done = BashOperator(
            bash_command='echo "$MODELS"',
            env={"MODELS": train.output, "RUN": run.id},
            trigger_rule="none_failed",
            condition=size(params.grid) > 0,
            description="Says so",
        )
        end = EmptyOperator()
        initiate >> dataset
        check.when(check.output["quality"] == "good") >> train
        [check.when(check.output["quality"] == "bad"), train] >> done >> end
        dag.output = {"models": train.output}
"""


def test_a_dag_becomes_the_definition_that_yaml_would_have(tmp_path: Path) -> None:
    document = document_of(tmp_path, FULL)
    assert document["language"] == "python"
    assert document["source"] == (tmp_path / "flow.py").read_text()
    assert document["definition"] == {
        "segue": 1,
        "name": "flow",
        "description": "Trains a model",
        "labels": {"owner": "vision"},
        "params": {
            "dataset": {"type": "string", "default": "digits"},
            "min_accuracy": {"type": "number", "default": 0.9},
            "grid": {"type": "array"},
        },
        "triggers": [
            {"schedule": {"cron": "0 0 * * *", "timezone": "Europe/Paris", "overlap": "skip", "catchup": "24h"}},
            {"event": {"name": "dataset.published"}, "params": {"dataset": "${{ event.dataset }}"}},
        ],
        "max_parallel": 10,
        "timeout": "12h",
        "defaults": {"queue": "cpu", "retry": {"attempts": 3, "delay": "10s"}},
        "code": {"requirements": "requirements.txt"},
        "steps": {
            "initiate": {"python": "pipeline:initiate", "with": {"dataset": "${{ params.dataset }}"}},
            "dataset": {
                "http": {
                    "submit": {"method": "POST", "url": "${{ vars.API }}/builds"},
                    "poll": {
                        "url": "${{ submit.json.href }}",
                        "every": "15s",
                        "until": "${{ response.json.state != 'running' }}",
                    },
                },
                "output": {"uri": "${{ response.json.uri }}"},
                "needs": {"initiate": True},
            },
            "check_data": {
                "python": "pipeline:check",
                "with": {"uri": "${{ steps.dataset.output.uri }}", "all": "${{ steps.dataset.output }}"},
            },
            "train": {
                "python": "pipeline:train",
                "with": {"hp": "${{ hp }}"},
                "queue": "gpu",
                "retry": {"attempts": 1, "delay": "10s"},
                "timeout": "2h",
                "map": {"over": "${{ params.grid }}", "as": "hp", "limit": 4, "min_success": "80%"},
                "needs": {"check_data": "${{ output.quality == 'good' }}"},
            },
            "done": {
                "run": 'echo "$MODELS"',
                "env": {"MODELS": "${{ steps.train.output }}", "RUN": "${{ run.id }}"},
                "trigger_rule": "none_failed",
                "if": "${{ size(params.grid) > 0 }}",
                "description": "Says so",
                "needs": {"check_data": "${{ output.quality == 'bad' }}", "train": True},
            },
            "end": {"uses": "noop", "needs": {"done": True}},
        },
        "output": {"models": "${{ steps.train.output }}"},
    }


def test_positions_point_at_the_argument_not_at_the_operator(tmp_path: Path) -> None:
    document = document_of(tmp_path, FULL)
    lines = document["source"].splitlines()

    def at(pointer: str) -> str:
        line, column = document["positions"][pointer]
        text: str = lines[line - 1][column - 1 :]
        return text

    assert at("").startswith("DAG(")
    assert at("/triggers/0/schedule/cron").startswith("schedule_interval=")
    assert at("/triggers/0/schedule/catchup").startswith("catchup=")
    assert at("/triggers/1").startswith('event("dataset.published"')
    assert at("/triggers/1/params/dataset").startswith(chr(34) + "dataset")
    assert at("/params/min_accuracy").startswith('"min_accuracy": Param(')
    assert at("/steps/check_data").startswith('PythonOperator("check_data"')
    assert at("/steps/check_data/with/uri").startswith('"uri": dataset')
    assert at("/steps/dataset/http/poll/until").startswith('"until":')
    assert at("/steps/train/map/over").startswith("hp=params.grid")
    assert at("/steps/train/map/limit").startswith("limit=4")
    assert at("/steps/train/retry/attempts").startswith("retries=0")
    assert at("/steps/train/timeout").startswith("execution_timeout=")
    assert at("/steps/done/if").startswith("condition=")
    assert at("/steps/train/needs/check_data").startswith("check.when(")
    assert at("/steps/done/needs/train").startswith("[check.when(")


def test_columns_count_characters_not_bytes(tmp_path: Path) -> None:
    document = document_of(tmp_path, 'with DAG("flow"):\n    é = EmptyOperator("ééé"); a = EmptyOperator()\n')
    assert document["positions"]["/steps/a"] == [3, 35]


@pytest.mark.parametrize(
    ("arrows", "needs"),
    [
        ("a >> b", {"b": ["a"]}),
        ("a << b", {"a": ["b"]}),
        ("a >> b >> c", {"b": ["a"], "c": ["b"]}),
        ("a >> [b, c] >> d", {"b": ["a"], "c": ["a"], "d": ["b", "c"]}),
        ("a >> [b, c] >> [d]", {"b": ["a"], "c": ["a"], "d": ["b", "c"]}),
        ("[a, b] >> c << d", {"c": ["a", "b", "d"]}),
        ("[a, b] << c", {"a": ["c"], "b": ["c"]}),
        ("d << [a, [b, c]]", {"d": ["a", "b", "c"]}),
        ("a >> b; a >> b", {"b": ["a"]}),
        ("chain(a, b, c, d)", {"b": ["a"], "c": ["b"], "d": ["c"]}),
        ("chain(a, [b, c], d)", {"b": ["a"], "c": ["a"], "d": ["b", "c"]}),
        ("chain([a, b], [c, d])", {"c": ["a"], "d": ["b"]}),
        ("a.set_downstream([b, c]); d.set_upstream(a)", {"b": ["a"], "c": ["a"], "d": ["a"]}),
    ],
)
def test_arrows_are_needs(tmp_path: Path, arrows: str, needs: dict[str, list[str]]) -> None:
    steps = steps_of(tmp_path, f"a, b, c, d = (EmptyOperator(name) for name in 'abcd')\n{arrows}\n")
    assert {step: list(keys["needs"]) for step, keys in steps.items() if "needs" in keys} == needs


def test_a_condition_holds_for_one_arrow_and_goes_along_a_row(tmp_path: Path) -> None:
    steps = steps_of(
        tmp_path,
        """
        a, b, c = (EmptyOperator(name) for name in "abc")
        a.when(a.output.ok == 1) >> b.when("output.n > params.n") >> c
        a >> c
        """,
    )
    assert steps["b"]["needs"] == {"a": "${{ output.ok == 1 }}"}
    assert steps["c"]["needs"] == {"b": "${{ output.n > params.n }}", "a": True}


def test_a_condition_may_speak_of_other_steps(tmp_path: Path) -> None:
    steps = steps_of(
        tmp_path,
        """
        a, b, c = (EmptyOperator(name) for name in "abc")
        b.when((b.output.n > a.output.n) & (a.status == "succeeded")) >> c
        """,
    )
    assert steps["c"]["needs"] == {"b": "${{ output.n > steps.a.output.n && steps.a.status == 'succeeded' }}"}


def test_a_group_prefixes_ids_and_is_joined_at_its_ends(tmp_path: Path) -> None:
    steps = steps_of(
        tmp_path,
        """
        start = EmptyOperator()
        with TaskGroup("prepare") as prepare:
            one = EmptyOperator()
            two = EmptyOperator("second")
            with TaskGroup("inner"):
                three = PythonOperator(python_callable="m:f", op_kwargs={"x": one.output})
            one >> two
        with TaskGroup("plain", prefix_group_id=False) as plain:
            four = EmptyOperator()
        start >> prepare >> plain
        """,
    )
    assert list(steps) == ["start", "prepare_one", "prepare_second", "prepare_inner_three", "four"]
    assert steps["prepare_one"]["needs"] == {"start": True}
    assert steps["prepare_second"]["needs"] == {"prepare_one": True}
    assert "needs" not in steps["prepare_inner_three"], "it refers to a step of the group, so it is not a first step"
    assert steps["prepare_inner_three"]["with"] == {"x": "${{ steps.prepare_one.output }}"}
    assert steps["four"]["needs"] == {"prepare_second": True, "prepare_inner_three": True}


def test_steps_get_the_names_of_variables_also_in_functions_and_without_a_with_block(tmp_path: Path) -> None:
    document = document_of(
        tmp_path,
        """
        dag = DAG("flow")
        first = EmptyOperator(dag=dag)

        def more():
            second, third = EmptyOperator(dag=dag), EmptyOperator(task_id="3rd", dag=dag)
            return second >> third

        first >> more()
        """,
    )
    assert list(document["definition"]["steps"]) == ["first", "second", "3rd"]


def test_a_map_hands_its_item_to_a_python_step_unless_the_step_says_how(tmp_path: Path) -> None:
    steps = steps_of(
        tmp_path,
        """
        a = PythonOperator.partial("a", "m:f", op_kwargs={"x": 1}).expand(hp=[{"depth": 4}, {"depth": 8}])
        b = PythonOperator.partial(python_callable="m:f", op_kwargs={"hp": item.depth}).expand(hp=a.output)
        c = BashOperator.partial(bash_command="true", env={"N": item["n"]}, max_active_tis_per_dagrun=2).expand(row=a)
        """,
    )
    assert steps["a"]["with"] == {"x": 1, "hp": "${{ hp }}"}
    assert steps["a"]["map"] == {"over": [{"depth": 4}, {"depth": 8}], "as": "hp"}
    assert steps["b"]["with"] == {"hp": "${{ hp.depth }}"}
    assert steps["c"]["env"] == {"N": "${{ row.n }}"}
    assert steps["c"]["map"] == {"over": "${{ steps.a.output }}", "as": "row", "limit": 2}


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ("retries=3", {"retry": {"attempts": 4}}),
        ("retry_exponential_backoff=False, retries=1", {"retry": {"attempts": 2, "backoff": 1}}),
        ("retry_exponential_backoff=True, retries=1", {"retry": {"attempts": 2, "backoff": 2}}),
        ("retry_delay=0.5, max_retry_delay=90", {"retry": {"delay": "500ms", "max_delay": "90s"}}),
        ('retry={"attempts": 3, "delay": timedelta(minutes=1)}', {"retry": {"attempts": 3, "delay": "1m"}}),
        ("execution_timeout=timedelta(minutes=90)", {"timeout": "90m"}),
        ('timeout="2h"', {"timeout": "2h"}),
        ('timeout={"run": 60, "queue": timedelta(days=1)}', {"timeout": {"run": "1m", "queue": "1d"}}),
        ('execution_timeout=60, timeout={"queue": "6h"}', {"timeout": {"run": "1m", "queue": "6h"}}),
        ('condition="params.x > 1"', {"if": "${{ params.x > 1 }}"}),
        ("cache=True", {"cache": True}),
        ('cache={"ttl": timedelta(days=7)}', {"cache": {"ttl": "7d"}}),
        ('artifacts=["*.png", "a/b"]', {"artifacts": ["*.png", "a/b"]}),
        ("depends_on_past=False, email_on_failure=False", {}),
    ],
)
def test_options_have_airflows_names_or_our_own(tmp_path: Path, options: str, keys: dict[str, Any]) -> None:
    steps = steps_of(tmp_path, f"from datetime import timedelta\na = EmptyOperator({options})\n")
    assert steps == {"a": {"uses": "noop", **keys}}


def test_a_step_completes_its_retry_and_timeout_from_the_dags(tmp_path: Path) -> None:
    definition = document_of(
        tmp_path,
        """
        with DAG("flow", default_args={"retries": 5, "retry_delay": 7, "timeout": {"queue": "1h"},
                                       "trigger_rule": "all_done", "env": {"A": "1"},
                                       "cache": {"ttl": "1h"}}):
            a = EmptyOperator()
            b = EmptyOperator(retries=1, execution_timeout=60, trigger_rule="all_success")
        """,
    )["definition"]
    assert definition["defaults"] == {
        "retry": {"attempts": 6, "delay": "7s"},
        "timeout": {"queue": "1h"},
        "env": {"A": "1"},
        "cache": {"ttl": "1h"},
    }
    assert definition["steps"] == {
        "a": {"uses": "noop", "trigger_rule": "all_done"},
        "b": {
            "uses": "noop",
            "trigger_rule": "all_success",
            "retry": {"attempts": 2, "delay": "7s"},
            "timeout": {"run": "1m", "queue": "1h"},
        },
    }


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("5", {"type": "integer", "default": 5}),
        ("True", {"type": "boolean", "default": True}),
        ("2.5", {"type": "number", "default": 2.5}),
        ("'a'", {"type": "string", "default": "a"}),
        ("[1]", {"type": "array", "default": [1]}),
        ("{'a': 1}", {"type": "object", "default": {"a": 1}}),
        ("None", {"default": None}),
        ("{'type': 'string', 'enum': ['a']}", {"type": "string", "enum": ["a"]}),
        ("Param(5)", {"type": "integer", "default": 5}),
        ("Param(5, minimum=1)", {"minimum": 1, "type": "integer", "default": 5}),
        ("Param(type='integer')", {"type": "integer"}),
        ("Param(None, type=['null', 'string'])", {"type": ["null", "string"], "default": None}),
    ],
)
def test_params_are_schemas_or_plain_defaults(tmp_path: Path, value: str, schema: dict[str, Any]) -> None:
    source = f'with DAG("flow", params={{"x": {value}}}):\n    a = EmptyOperator()\n'
    assert document_of(tmp_path, source)["definition"]["params"] == {"x": schema}


@pytest.mark.parametrize(
    ("target", "name"),
    [("work", "flow:work"), ("os.getcwd", "posix:getcwd"), ("'a.b:c'", "a.b:c"), ("near.fly", "near:fly")],
)
def test_a_function_is_named_by_where_a_step_finds_it(tmp_path: Path, target: str, name: str) -> None:
    (tmp_path / "near.py").write_text("def fly(): ...\n")
    source = f"""
        import os, near
        def work(): ...
        with DAG("flow"):
            a = PythonOperator(python_callable={target})
    """
    assert document_of(tmp_path, source)["definition"]["steps"]["a"]["python"] == name


def test_without_a_name_a_dag_has_the_files(tmp_path: Path) -> None:
    from segue.evaluate import evaluate
    from tests.segue.definitions import write

    path = write(tmp_path, "with DAG():\n    a = EmptyOperator()\n", name="Train_digits.py")
    assert evaluate(path)[0]["definition"]["name"] == "train-digits"


def test_a_bare_dag_has_no_empty_keys(tmp_path: Path) -> None:
    assert definition_of(tmp_path, "a = EmptyOperator()") == {
        "segue": 1,
        "name": "flow",
        "steps": {"a": {"uses": "noop"}},
    }


MISTAKES = {
    "duplicate id": ('a = EmptyOperator("x")\nb = EmptyOperator("x")', 4, "E0725", 'two steps have the id "x"'),
    "duplicate by variable": ('x = EmptyOperator()\ny = EmptyOperator("x")', 3, "E0725", 'two steps have the id "x"'),
    "no id": ("[EmptyOperator() for _ in range(2)]", 3, "E0724", "no variable holds it"),
    "arrow to itself": ("a = EmptyOperator()\na >> a", 4, "E0402", "cannot need itself"),
    "arrow to a number": ("a = EmptyOperator()\na >> 5", 4, "E0722", "5 is not a step"),
    "arrow to an output": ("a = EmptyOperator()\na >> a.output", 4, "E0722", "is not a step"),
    "arrow to half a map": (
        "a = EmptyOperator()\na >> EmptyOperator.partial('x')",
        4,
        "E0722",
        "is not a step",
    ),
    "expression in if": ("a = EmptyOperator()\nif a.output.x:\n    pass", 4, "E0722", "has no value yet"),
    "condition decided early": ("a = EmptyOperator()\na.when(a.output is None)", 4, "E0722", "Python has decided"),
    "condition is a step": ("a = EmptyOperator()\na.when(a)", 4, "E0722", "an operator is not a condition"),
    "two conditions": (
        "a = EmptyOperator()\nb = EmptyOperator()\na.when(a.output.x == 1) >> b\na.when(a.output.x == 2) >> b",
        6,
        "E0722",
        "two arrows with different conditions",
    ),
    "chain of uneven lists": (
        "a, b, c = (EmptyOperator(n) for n in 'abc')\nchain([a, b], [c])",
        4,
        "E0722",
        "pair by pair",
    ),
    "empty group": (
        "a = EmptyOperator()\nwith TaskGroup('g') as g:\n    pass\na >> g",
        6,
        "E0722",
        "has no steps",
    ),
    "id asked too early": ("a = EmptyOperator()\na.id", 4, "E0722", "no id yet"),
    "id is no text": ("a = EmptyOperator(5)", 3, "E0722", "a step's id is text"),
    "unknown option": ("a = EmptyOperator(retris=3)", 3, "E0723", "has no argument 'retris'"),
    "later option": ("a = EmptyOperator(pool='x')", 3, "E0202", "is not supported yet"),
    "email": ("a = EmptyOperator(email_on_failure=True)", 3, "E0202", "is not supported yet"),
    "no wait": ("a = WaitOperator()", 3, "E0722", "needs duration, until or event"),
    "wait for a schedule": ("a = WaitOperator(event=cron('@daily'))", 3, "E0722", "cannot wait for this trigger"),
    "until a number": ("a = WaitOperator(until=5)", 3, "E0722", "until=5 is not a datetime"),
    "no workflow": ("a = WorkflowOperator()", 3, "E0722", "needs workflow"),
    "no other dag": ("a = TriggerDagRunOperator()", 3, "E0722", "needs trigger_dag_id"),
    "fire and forget": (
        "a = TriggerDagRunOperator(trigger_dag_id='x', wait_for_completion=False)",
        3,
        "E0202",
        "wait_for_completion=False",
    ),
    "no file": ("a = UsesOperator()", 3, "E0722", "UsesOperator needs uses"),
    "an inner map alone": ("a = EmptyOperator()\na.expand(x=[1])", 4, "E0722", "expand() goes on a map"),
    "op_args": ("a = PythonOperator(python_callable='m:f', op_args=[1])", 3, "E0202", "op_args"),
    "lambda": ("a = PythonOperator(python_callable=lambda: 1)", 3, "E0722", "cannot import"),
    "script from an expression": ("a = BashOperator(bash_command=params.x)", 3, "E0722", "values travel through env"),
    "no script": ("a = BashOperator()", 3, "E0722", "needs bash_command"),
    "no function": ("a = PythonOperator()", 3, "E0722", "needs python_callable"),
    "no url": ("a = HttpOperator()", 3, "E0722", "needs url"),
    "value without JSON": (
        "a = PythonOperator(python_callable='m:f', op_kwargs={'x': [1, object()]})",
        3,
        "E0722",
        "op_kwargs['x'][1] is a value of type object",
    ),
    "key without JSON": ("a = BashOperator(bash_command='x', env={1: 'x'})", 3, "E0722", "key 1, which is not text"),
    "nan": ("a = PythonOperator(python_callable='m:f', op_kwargs={'x': float('nan')})", 3, "E0722", "nan"),
    "two maps": ("a = EmptyOperator.partial('a').expand(x=[1], y=[2])", 3, "E0202", "expand() with 2 lists"),
    "map over an argument": (
        "a = BashOperator.partial('a').expand(bash_command=['x'])",
        3,
        "E0202",
        "expand(bash_command=...)",
    ),
    "retries": ("a = EmptyOperator(retries=-1)", 3, "E0722", "not a number of retries"),
    "duration": ("a = EmptyOperator(retry_delay=[])", 3, "E0722", "not a duration"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, mistake: str) -> None:
    body, line, code, words = MISTAKES[mistake]
    source = 'with DAG("flow") as dag:\n' + "".join(f"    {each}\n" for each in body.splitlines())
    problem = problem_of(tmp_path, source)
    assert words in problem.message
    assert (problem.line, problem.code) == (line, code)
    assert problem.column > 0
    assert problem.source.strip() in source


@pytest.mark.parametrize(
    ("arguments", "code", "words", "hint"),
    [
        ("schedule=relativedelta(months=1, days=1)", "E0722", "mixes months with days", "calendar months"),
        ("schedule=relativedelta(day=1)", "E0722", "names a time, not a rhythm", "use days instead of day"),
        ("schedule=timedelta(hours=6), start_date='2024-01-01'", "E0722", "not a datetime", "datetime("),
        ("concurrency=16", "E0722", "concurrency=16 has two meanings", "max_active_runs=16"),
        ("dagrun_timeout=relativedelta(months=1)", "E0722", "is not a duration", "no fixed length"),
        ("schedule='@once'", "E0202", "@once", "segue run"),
        ("schedule=5", "E0722", "schedule=5", "cron"),
        ("catchup=True", "E0202", "catchup=True", "24h"),
        ("schedule='@daily', start_date=datetime(2999, 1, 1)", "E0202", "in the future", "deploy"),
        ("start_date='2024-01-01'", "E0722", "not a datetime", "datetime("),
        ("overlap='skip'", "E0722", "overlap needs a schedule", "schedule="),
        ("tags=['x']", "E0723", "no argument 'tags'", ""),
        ("shedule='@daily'", "E0723", "no argument 'shedule'", 'did you mean "schedule"?'),
        ("default_args={'retris': 1}", "E0723", "no argument 'retris'", 'did you mean "retries"?'),
        ("params={'x': object()}", "E0722", "params['x']", "text, numbers"),
    ],
)
def test_a_mistake_in_the_dag_is_named(tmp_path: Path, arguments: str, code: str, words: str, hint: str) -> None:
    (tmp_path / "deltas.py").write_text(RELATIVEDELTA)
    source = f"""
        from datetime import datetime, timedelta; from deltas import relativedelta
        with DAG("flow", {arguments}):
            a = EmptyOperator()
    """
    problem = problem_of(tmp_path, source)
    assert words in problem.message
    assert problem.code == code
    assert hint in problem.hint
    assert problem.line == 4


def test_operators_need_a_dag_and_arrows_stay_inside_one(tmp_path: Path) -> None:
    assert "outside a DAG" in problem_of(tmp_path, "a = EmptyOperator()\n").message
    both = 'with DAG("a"):\n    x = EmptyOperator()\nwith DAG("b"):\n    y = EmptyOperator()\n'
    assert "from one DAG into another" in problem_of(tmp_path, both + "    x >> y\n").message
    stray = both + "    z = PythonOperator(python_callable='m:f', op_kwargs={'x': x.output})\n"
    assert "a step of another DAG" in problem_of(tmp_path, stray).message
