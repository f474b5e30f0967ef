"""`segue artifacts`: the files that steps have left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from segue.cli.completion import step_keys
from segue.cli.look import AsJson, RunId, print_table

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def artifacts(
    run_id: RunId,
    step: Annotated[
        str | None,
        typer.Argument(metavar="[STEP]", autocompletion=step_keys, help="Only this step's, or this item's."),
    ] = None,
    get: Annotated[
        str | None, typer.Option("--get", metavar="NAME", help="Write this one to a file instead; needs a STEP.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; its own name in this folder without it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the files that a run's steps have left, or fetch one."""
    from segue.client import Client
    from segue.errors import SubmitError

    if (get is not None and step is None) or (output is not None and get is None):
        raise SubmitError("Which file is meant?", hint="segue artifacts RUN STEP --get NAME -o FILE")
    with Client() as client:
        if get is not None and step is not None:
            path = output or Path(get.rsplit("/", 1)[-1])
            about = client.save_artifact(run_id, step, get, path)
            typer.echo(f"{path}: {_bytes(about.size)}, {about.type}")
            return
        keys = [step] if step is not None else _that_ran(client.get_run(run_id))
        found = [(key, each) for key in keys for each in client.artifacts(run_id, key)]
    if as_json:
        names = ("name", "size", "sha256", "type")
        typer.echo(json.dumps([{"step": key} | {n: getattr(each, n) for n in names} for key, each in found], indent=2))
        return
    rows = [(key, each.name, _bytes(each.size), each.type) for key, each in found]
    print_table(("STEP", "NAME", "SIZE", "TYPE"), rows)


def _that_ran(run: Any) -> list[str]:
    """Return the keys of the steps that can have left files: a worker has run them, here or in the run they are of."""
    return [step.key for step in run.steps if step.worker is not None or "kept" in step.detail]


def _bytes(size: float) -> str:
    unit = 0
    while size >= 1_000 and unit + 1 < len(_UNITS):
        size, unit = size / 1_024, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 or size >= 10 else f"{size:.1f} {_UNITS[unit]}"
