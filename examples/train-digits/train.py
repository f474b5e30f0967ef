"""The workflow of train.yaml a second time, in Python: both compile to the same plan."""

from segue import (
    DAG,
    BashOperator,
    HttpOperator,
    Param,
    PythonOperator,
    cron,
    event,
    expr,
    item,
    params,
    response,
    run,
    submit,
    vars,
    workflow,
)

with DAG(
    "train-digits",
    description="Trains, judges and releases a classifier of handwritten digits or of wines",
    labels={"team": "vision"},
    params={
        "dataset": Param("digits", type="string", enum=["digits", "wine"]),
        "min_rows": Param(100, type="integer", minimum=1),
        "min_accuracy": Param(0.9, type="number", minimum=0, maximum=1),
        "corrupt": Param(0, type="number", minimum=0, maximum=1, description="Share of the rows to damage"),
        "trees": Param(600, type="integer", minimum=1, maximum=20000, description="More trees take longer"),
        "grid": Param(
            [{"depth": 4}, {"depth": 8}, {"depth": 12}],
            type="array",
            items={"type": "object", "required": ["depth"], "properties": {"depth": {"type": "integer", "minimum": 1}}},
        ),
    },
    triggers=[
        cron("0 6 * * MON", timezone="Europe/Paris", overlap="skip", catchup="1h", params={"dataset": "wine"}),
        event("dataset.published", params={"dataset": event.dataset}),
    ],
    timeout="1h",
    default_args={
        "execution_timeout": "10m",
        "retries": 2,
        "retry_delay": "1s",
        "env": {"SERVICES_URL": vars.SERVICES_URL},
    },
    include=["pipeline/**/*.py"],
    requirements="requirements.txt",
) as dag:
    initiate = PythonOperator(
        python_callable="pipeline.initiate:initiate",
        op_kwargs={"dataset": params.dataset},
    )
    embedding = PythonOperator(
        python_callable="pipeline.embed:fit",
        op_kwargs={"dataset": params.dataset},
    )
    dataset = HttpOperator(
        submit={
            "method": "POST",
            "url": f"{vars.SERVICES_URL}/builds",
            "json": {"key": run.id, "dataset": params.dataset, "corrupt": params.corrupt},
        },
        poll={
            "url": submit.json.href,
            "every": "500ms",
            "until": response.json.state != "running",
            "fail_if": response.json.state == "failed",
        },
        cancel={"method": "DELETE", "url": submit.json.href},
        output={"uri": response.json.uri, "rows": response.json.rows},
    )
    check_data = PythonOperator(
        python_callable="pipeline.checks:data_quality",
        op_kwargs={"uri": dataset.output.uri, "min_rows": params.min_rows},
    )
    train = PythonOperator.partial(
        python_callable="pipeline.train:train",
        op_kwargs={"data": dataset.output.uri, "embedding": embedding.output, "hp": item, "trees": params.trees},
        queue="gpu",
        limit=4,
    ).expand(hp=params.grid)
    check_model = BashOperator(
        bash_command="python -m pipeline.evaluate",
        env={"DATA": dataset.output.uri, "MODELS": train.output},
        output={"best": {"type": "integer"}, "accuracy": {"type": "number"}},
    )
    release = PythonOperator(
        python_callable="pipeline.release:release",
        op_kwargs={
            "dataset": params.dataset,
            "candidate": train.output[check_model.output.best],
            "accuracy": check_model.output.accuracy,
        },
    )
    notify_data_team = HttpOperator(
        method="POST",
        url=f"{vars.SERVICES_URL}/notifications",
        json={
            "key": run.id,
            "to": "data@example.com",
            "text": f"Run {run.id} of {workflow.name} released nothing",
            "data": check_data.output,
        },
        trigger_rule="one_success",
    )

    initiate >> [embedding, dataset]
    embedding >> train
    check_data.when(check_data.output.quality == "good") >> train
    check_data.when(check_data.output.quality == "bad") >> notify_data_team
    check_model.when(check_model.output.accuracy >= params.min_accuracy) >> release
    check_model.when(check_model.output.accuracy < params.min_accuracy) >> notify_data_team
    dag.output = {
        "quality": expr("steps.check_data.output?.quality"),
        "accuracy": expr("steps.check_model.output?.accuracy"),
        "model": expr("steps.release.output?.model"),
    }
