"""`segue metrics`: the numbers that the steps of a run have told."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli.completion import run_ids, step_keys
from segue.cli.look import AsJson, print_table

if TYPE_CHECKING:
    from segue.client import Client
    from segue.measures import Series

WITHOUT_WORKER = frozenset({"approve", "wait", "workflow"})


def metrics(
    run_id: Annotated[str, typer.Argument(metavar="RUN", autocompletion=run_ids, show_default=False)],
    step: Annotated[
        str | None,
        typer.Argument(metavar="[STEP]", autocompletion=step_keys, help="Only of this step.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the metrics of a run's steps.

    All points are in the JSON, which maps steps to metrics.
    """
    from segue.client import Client

    with Client() as client:
        keys = [step] if step is not None else _told(client, run_id)
        found = {key: client.metrics(run_id, key) for key in keys}
    if as_json:
        plain = {key: {name: asdict(each) for name, each in series.items()} for key, series in found.items() if series}
        typer.echo(json.dumps(plain, indent=2))
        return
    rows = [(key, *row_of(each)) for key, series in found.items() for each in series.values()]
    if rows:
        print_table(("STEP", "METRIC", "POINTS", "FIRST", "LAST", "MIN", "MAX"), rows)
    else:
        typer.echo("No step has told any metric.", err=True)


def row_of(series: Series) -> tuple[str, ...]:
    """Return the cells of a series: its name, how many points, its first and last value, the least and the largest."""
    numbers = [value for value in series.values if value is not None]
    ends = [series.values[0], series.values[-1]] if series.values else [None, None]
    told = [*ends, min(numbers, default=None), max(numbers, default=None)]
    texts = ["-" if value is None else f"{value:.6g}" for value in told]
    return (series.name, str(len(series.values)), *texts)


def _told(client: Client, run_id: str) -> list[str]:
    """Return the keys of the steps that may have told something."""
    steps = client.get_run(run_id).steps
    mapped = {step.step for step in steps if step.item is not None}
    ran = [step for step in steps if step.attempt and step.kind not in WITHOUT_WORKER]
    return [step.key for step in ran if step.item is not None or step.step not in mapped]
