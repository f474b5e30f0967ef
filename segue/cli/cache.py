"""`segue cache`: the outputs that are kept for reuse."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli.completion import workflow_names
from segue.cli.look import AsJson, print_table
from segue.cli.problems import guarded
from segue.errors import NotFound
from segue.values import closest

if TYPE_CHECKING:
    from segue.client import Client

app = typer.Typer(help="Outputs kept for reuse: steps with `cache`.", no_args_is_help=True)

OneStep = Annotated[str | None, typer.Argument(metavar="[STEP]", help="Only of this step.", show_default=False)]


@app.command("list")
@guarded
def list_(
    workflow: Annotated[
        str | None, typer.Argument(metavar="[WORKFLOW]", autocompletion=workflow_names, help="Only of this workflow.")
    ] = None,
    step: OneStep = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List outputs that are kept for reuse, and those that are being computed."""
    from segue.client import Client

    with Client() as client:
        found = client.cached(workflow, step, limit=limit)
        if workflow is not None and not found:
            _check_known(client, workflow)
    if as_json:
        plain = [asdict(each) | {"at": each.at.isoformat() if each.at else None} for each in found]
        typer.echo(json.dumps(plain, indent=2))
        return
    now = datetime.now(UTC)
    rows = [
        (each.workflow, each.step, each.key[:12], each.state, _age(each.at, now), each.run, each.step_key)
        for each in found
    ]
    print_table(("WORKFLOW", "STEP", "KEY", "STATE", "AGE", "RUN", "AS"), rows)


@app.command()
@guarded
def clear(
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", autocompletion=workflow_names, show_default=False)],
    step: OneStep = None,
) -> None:
    """Compute anew from now on.

    What is being computed ends as it began, and is not reused.
    """
    from segue.client import Client

    with Client() as client:
        count = client.clear_cache(workflow, step)
        if count == 0:
            _check_known(client, workflow)
    typer.echo(f"{count} output{'' if count == 1 else 's'} of {workflow}{f', step {step}' if step else ''} cleared")


def _check_known(client: Client, workflow: str) -> None:
    """Refuse a name that is misspelt, of which nothing can be kept."""
    known = [each.name for each in client.workflows()]
    if workflow not in known:
        raise NotFound(f"There is no workflow {workflow!r}.", hint=closest(workflow, known))


def _age(at: datetime | None, now: datetime) -> str:
    from segue.cli.run_view import duration_text

    return duration_text(at, now, now, "")
