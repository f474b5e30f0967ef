"""The commands of `segue`, gathered. What a command needs is imported when it runs, so that `--help` is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from segue.cli import (
    artifacts,
    cache,
    definitions,
    explain,
    fleet,
    lint,
    look,
    metrics,
    operate,
    plan,
    record,
    run,
    schema,
    service,
    tell,
    variables,
    writing,
)
from segue.cli.problems import guarded

app = typer.Typer(
    name="segue",
    help="Segue runs workflows: DAGs of steps, in YAML or Python, on Temporal.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from segue import __version__

        typer.echo(f"segue {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Segue runs workflows: DAGs of steps, in YAML or Python, on Temporal."""


app.command()(guarded(service.dev))
app.command()(guarded(definitions.validate))
app.command()(guarded(plan.plan))
app.command()(guarded(lint.lint))
app.command()(guarded(explain.explain))
app.command()(guarded(schema.schema))
app.command()(guarded(writing.convert))
app.command()(guarded(writing.fmt))
app.command()(guarded(definitions.deploy))
app.command()(guarded(run.run))
app.command()(guarded(look.runs))
app.command()(guarded(look.show))
app.command()(guarded(look.logs))
app.command()(guarded(artifacts.artifacts))
app.command()(guarded(metrics.metrics))
app.command()(guarded(look.cancel))
app.command()(guarded(operate.retry))
app.command()(guarded(operate.rerun))
app.command()(guarded(operate.pause))
app.command()(guarded(operate.resume))
app.command()(guarded(operate.skip))
app.command()(guarded(operate.mark))
app.command()(guarded(operate.change))
app.command()(guarded(record.record))
app.command()(guarded(run.fire))
app.command()(guarded(tell.send))
app.command()(guarded(tell.approve))
app.command()(guarded(tell.reject))
app.command()(guarded(tell.release))
app.command()(guarded(service.ui))
app.add_typer(cache.app, name="cache")
app.add_typer(variables.app, name="vars")
app.command()(guarded(service.api))
app.command()(guarded(service.worker))
app.command()(guarded(fleet.fleet))
