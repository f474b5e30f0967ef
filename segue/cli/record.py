"""`segue record`: a real run as a file that tests replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from segue.cli.completion import run_ids
from segue.cli.output_file import write_output

RunId = Annotated[str, typer.Argument(metavar="RUN", autocompletion=run_ids, show_default=False)]


def record(
    run_id: RunId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; standard output without it.")
    ] = None,
) -> None:
    """Write what a run's steps did to a file.

    Tests replay it: segue.testing.recorded. Large outputs are written as references.
    """
    from segue.client import Client
    from segue.errors import RunError
    from segue.testing.recordings import recording_of

    with Client() as client:
        run = client.get_run(run_id)
    if not run.ended:
        raise RunError(f"The run {run_id} is {run.state}.", hint="Record it when it has ended.")
    text = json.dumps(recording_of(run), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    write_output(output, text)
    typer.echo(f"{output}: {run.id}, {run.state}, {len(run.steps)} steps and items")
