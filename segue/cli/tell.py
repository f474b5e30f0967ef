"""`segue approve`, `reject`, `release` and `send`: telling a run that is going on what it waits for."""

from __future__ import annotations

import json
from typing import Annotated, Any
from uuid import uuid4

import typer

from segue.cli.completion import run_ids, step_keys

RunId = Annotated[str, typer.Argument(metavar="RUN", autocompletion=run_ids, show_default=False)]
StepKey = Annotated[str, typer.Argument(metavar="STEP", autocompletion=step_keys, show_default=False)]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why; shown with the step.")]


def approve(
    run_id: RunId,
    step: StepKey,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="KEY=VALUE", help="A value of the step's form.")
    ] = None,
    comment: Comment = "",
) -> None:
    """Say yes to a step that waits for an approval."""
    from segue.client import Client

    with Client() as client:
        found = next((each for each in client.get_run(run_id).steps if each.key == step), None)
        form = found.detail.get("approval", {}).get("form", {}) if found is not None else {}
        client.answer(run_id, step, True, values_of(param or [], form), comment)
    typer.echo(f"{step} of {run_id}: approved")


def values_of(texts: list[str], form: dict[str, Any]) -> dict[str, Any]:
    """Read what a form asks for, as the params of a run are read."""
    from segue.calls import UNFIT
    from segue.cli.given_params import read_params
    from segue.errors import InvalidParams

    try:
        return read_params(texts, None, form)
    except InvalidParams as error:
        if not error.problems:
            raise
        problems = [(path.replace("params", "values", 1), problem) for path, problem in error.problems]
        raise InvalidParams(UNFIT["values_invalid"], problems) from None


def reject(run_id: RunId, step: StepKey, comment: Comment = "") -> None:
    """Say no to a step that waits for an approval."""
    from segue.client import Client

    with Client() as client:
        client.answer(run_id, step, False, comment=comment)
    typer.echo(f"{step} of {run_id}: rejected")


def release(
    run_id: RunId,
    step: StepKey,
    retry: Annotated[bool, typer.Option("--retry/--fail", help="Try it again, or let it fail.", show_default=False)],
) -> None:
    """Decide about a step that failed and is held."""
    from segue.client import Client

    with Client() as client:
        client.release(run_id, step, "retry" if retry else "fail")
    typer.echo(f"{step} of {run_id}: {'is tried again' if retry else 'fails'}")


def send(
    run_id: RunId,
    name: Annotated[str, typer.Argument(metavar="EVENT", help="The event's name.", show_default=False)],
    payload: Annotated[str, typer.Option(help="JSON: the output of the step that waits for it.")] = "null",
    event_id: Annotated[
        str | None, typer.Option("--id", help="The same id is heard once; without it, a new one is made.")
    ] = None,
) -> None:
    """Send an event to a run that waits for it."""
    from segue.client import Client
    from segue.errors import SubmitError

    try:
        value: Any = json.loads(payload)
    except ValueError as error:
        raise SubmitError(f"--payload is not JSON: {error}.") from None
    with Client() as client:
        client.send_event(run_id, event_id or uuid4().hex, name, value)
