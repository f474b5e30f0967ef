"""`segue retry`, `rerun`, `pause`, `resume`, `skip`, `mark` and `change`: doing something to a run.

Each says what was done; what may not be done is refused with the way out, and ends with code 2.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from segue.cli.completion import run_ids, step_keys

RunId = Annotated[str, typer.Argument(metavar="RUN", autocompletion=run_ids, show_default=False)]
StepKey = Annotated[str, typer.Argument(metavar="STEP", autocompletion=step_keys, show_default=False)]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; shown with the run.")]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def retry(
    run_id: RunId,
    step: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STEP]...", autocompletion=step_keys, show_default=False, help="All that failed."),
    ] = None,
    reason: Reason = "",
) -> None:
    """Let a run that failed or was cancelled go on: what failed is tried again, the rest is kept."""
    from segue.client import Client

    with Client() as client:
        client.retry(run_id, step or [], reason)
    typer.echo(f"{run_id} goes on")


def pause(run_id: RunId, reason: Reason = "") -> None:
    """Start no further step of a run; what runs goes on to its end."""
    from segue.client import Client

    with Client() as client:
        client.pause(run_id, reason)
    typer.echo(f"{run_id} is paused; `segue resume {run_id}` lets it go on")


def resume(run_id: RunId, reason: Reason = "") -> None:
    """Let a paused run go on."""
    from segue.client import Client

    with Client() as client:
        client.resume(run_id, reason)
    typer.echo(f"{run_id} goes on")


def skip(run_id: RunId, step: StepKey, reason: Reason = "") -> None:
    """Let a step that has not ended count as skipped."""
    from segue.client import Client

    with Client() as client:
        client.skip(run_id, step, reason)
    typer.echo(f"{step} of {run_id}: skipped")


def mark(
    run_id: RunId,
    step: StepKey,
    output: Annotated[str, typer.Option(help="JSON: the output of the step.")] = "null",
    reason: Reason = "",
) -> None:
    """Let a step that has not ended count as succeeded, with an output."""
    from segue.client import Client
    from segue.errors import SubmitError

    try:
        value: Any = json.loads(output)
    except ValueError as error:
        raise SubmitError(f"--output is not JSON: {error}.", hint="""Text is JSON in quotes: '"ready"'""") from None
    with Client() as client:
        client.mark(run_id, step, value, reason)
    typer.echo(f"{step} of {run_id}: marked as succeeded")


def change(
    run_id: RunId,
    step: StepKey,
    queue: Annotated[str | None, typer.Option(help="The queue it moves to.")] = None,
    attempts: Annotated[int | None, typer.Option("--retry", min=1, help="Attempts in all, from now on.")] = None,
    delay: Annotated[str | None, typer.Option(help="Time before the second attempt, such as 30s.")] = None,
    timeout: Annotated[str | None, typer.Option(help="Time that an attempt may take, such as 2h.")] = None,
    queue_timeout: Annotated[str | None, typer.Option(help="Time that it may wait for a worker.")] = None,
    total_timeout: Annotated[str | None, typer.Option(help="Time that all of it may take.")] = None,
    reason: Reason = "",
) -> None:
    """Change how a step is run: one that waits, also for its next attempt."""
    from segue.client import Client

    retry = {"attempts": attempts, "delay": _seconds(delay, "--delay")}
    times = {"run": (timeout, "--timeout"), "queue": (queue_timeout, "--queue-timeout")}
    times["total"] = (total_timeout, "--total-timeout")
    limits = {name: _seconds(text, option) for name, (text, option) in times.items()}
    with Client() as client:
        client.change(run_id, step, queue=queue, retry=_given(retry), limits=_given(limits), reason=reason)
    typer.echo(f"{step} of {run_id}: changed")


def rerun(
    run_id: RunId,
    step: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="STEP", autocompletion=step_keys, help="Run it again, and what follows it."),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="KEY=VALUE", help="A param that is to be another.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="Of the workflow; the newest without it.")] = None,
    same_version: Annotated[bool, typer.Option("--same-version", help="The version of the older run.")] = False,
    reason: Reason = "",
) -> None:
    """Start a new run that takes over what an ended one has done, and runs again what has to."""
    from segue.cli.given_params import read_params
    from segue.client import Client

    with Client() as client:
        if param or same_version:
            old = client.get_run(run_id)
            version = old.version if same_version else version
            plan = client.get_plan(old.workflow, version or client.get_workflow(old.workflow).version)
        params = read_params(param, None, plan.get("params", {})) if param else {}
        made = client.rerun(run_id, step or [], params, version=version, reason=reason)
    typer.echo(made.run.id)
    for line in made.notes:
        typer.echo(line)
    typer.echo(f"kept: {', '.join(made.kept) or 'nothing'}")
    for name, why in made.again.items():
        typer.echo(f"runs again: {name}, as {why}")


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _seconds(text: str | None, option: str) -> float | None:
    """Read a duration as definitions write it, or plain seconds."""
    from segue.errors import SubmitError

    if text is None:
        return None
    number = text.rstrip("smhd")
    unit = text[len(number) :] or "s"
    try:
        return float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        raise SubmitError(f"{option} {text!r} is not a duration.", hint="Write 30s, 5m, 2h or 7d.") from None
