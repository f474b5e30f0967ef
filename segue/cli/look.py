"""`segue runs`, `segue show`, `segue logs` and `segue cancel`: looking at runs, and ending them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from segue.cli.completion import run_ids, step_keys, workflow_names

RunId = Annotated[str, typer.Argument(metavar="RUN", autocompletion=run_ids, show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def runs(
    workflow: Annotated[
        str | None, typer.Argument(autocompletion=workflow_names, help="Only runs of this workflow.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only runs in this state: pending, running, paused, succeeded, failed or cancelled."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    from segue.client import Client

    with Client() as client:
        found = client.runs(workflow, state=state, limit=limit)
    if as_json:
        typer.echo(json.dumps([_plain(run) for run in found], indent=2))
        return
    rows = [(run.id, _state(run), _started(run.started_at or run.created_at), _took(run), _why(run)) for run in found]
    print_table(("RUN", "STATE", "STARTED", "TOOK", "CAUSE"), rows)
    for stuck in dict.fromkeys(run.stuck for run in found if run.stuck):
        typer.echo(f"Stuck: {stuck}")


def show(run_id: RunId, as_json: AsJson = False) -> None:
    """Show a run and its steps."""
    from segue.cli.run_view import RunView
    from segue.client import Client
    from segue.client_base import outcome

    with Client() as client:
        run = client.get_run(run_id)
        url = client.run_url(run_id)
        unserved = [] if as_json else _unserved(client, run)
    if as_json:
        typer.echo(json.dumps(outcome(run), indent=2))
        return
    typer.echo(f"{run.id}  version {run.version}  {_state(run)}  {_took(run)}".rstrip())
    if run.stuck:
        typer.echo(f"Stuck: {run.stuck}")
    if run.reason:
        typer.echo(run.reason)
    rows = [(row.name, row.state, row.queue, row.attempt, row.duration, row.note) for row in RunView(run).rows()]
    print_table(("STEP", "STATE", "QUEUE", "ATTEMPT", "DURATION", "WHY"), rows)
    for queue in unserved:
        typer.echo(f"Nobody serves the queue {queue}. Start a worker: segue worker --queue {queue}")
    for operation in run.operations:
        typer.echo(f"{_started(operation.at)}  {operation.reason}")
    if run.output is not None:
        typer.echo(json.dumps(run.output, indent=2, ensure_ascii=False))
    typer.echo(url)


def logs(
    run_id: RunId,
    step: Annotated[str, typer.Argument(metavar="STEP", autocompletion=step_keys, show_default=False)],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the step has ended.")] = False,
    attempt: Annotated[str | None, typer.Option(help="An attempt's number or name; the newest without it.")] = None,
) -> None:
    """Print what a step wrote.

    What it wrote to stderr goes to stderr. A terminal shows levels in colours and groups with a heading.
    """
    from segue.cli.marked_log import MarkedLog
    from segue.client import Client

    chosen = int(attempt) if attempt is not None and attempt.isdigit() else attempt
    log = MarkedLog(colours=not os.environ.get("NO_COLOR"))
    with Client() as client:
        for line in client.logs(run_id, step, attempt=chosen, follow=follow):
            stream = sys.stderr if line.stream == "stderr" else sys.stdout
            text = log.shown(line.text) if stream.isatty() else line.text
            if text is not None:
                print(text, file=stream, flush=follow)


def cancel(
    run_id: RunId,
    reason: Annotated[str, typer.Option(help="Why; shown with the run.")] = "",
) -> None:
    """Ask a run to cancel."""
    from segue.client import Client

    with Client() as client:
        run = client.cancel(run_id, reason)
    typer.echo(f"{run.id} had ended already: {run.state}" if run.ended else f"{run.id} is being cancelled")


def _plain(run: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(run).items()}


def _unserved(client: Any, run: Any) -> list[str]:
    """Return the queues of this run's waiting steps that nobody serves; none when that cannot be found out."""
    from segue.errors import SegueError

    queues = list(dict.fromkeys(step.queue for step in run.steps if step.state == "queued"))[:50]
    try:
        return [queue for queue, workers in client.queues(queues).items() if not workers] if queues else []
    except SegueError:
        return []


def _started(at: datetime | None) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at is not None else ""


def _state(run: Any) -> str:
    return f"{run.state} (stuck)" if run.stuck else str(run.state)


def _took(run: Any) -> str:
    from segue.cli.run_view import duration_text

    return duration_text(run.started_at, run.ended_at, datetime.now(UTC), "running")


def _why(run: Any) -> str:
    return run.cause.kind if run.cause.kind == "manual" else f"{run.cause.kind} {run.cause.id}"


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print columns as wide as they must be, so that grep and awk can read them too."""
    widths = [max(len(row[index]) for row in [head, *rows]) for index in range(len(head))]
    for row in [head, *rows]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
