"""What is printed when a run has ended: the result, or the first cause and the way to its log."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

import typer

from segue.cli.run_view import duration_text
from segue.client_base import outcome
from segue.models import Run

LOG_TAIL_LINES = 10


def print_outcome(run: Run, url: str, *, as_json: bool) -> None:
    """Print how a run ended; with JSON, a document on stdout and the words for people on stderr."""
    if run.state != "succeeded":
        _print_failure(run, url)
    if as_json:
        typer.echo(json.dumps(outcome(run), indent=2))
    elif run.state == "succeeded":
        took = duration_text(run.started_at, run.ended_at, datetime.now(UTC), "running")
        typer.echo(f"{run.id} succeeded{f' in {took}' if took else ''}")
        if run.output is not None:
            typer.echo(json.dumps(run.output, indent=2, ensure_ascii=False))


def _print_failure(run: Run, url: str) -> None:
    lines = [f"{run.id} {run.state}" + (f": {run.reason}" if run.reason else "")]
    failure = run.first_failure
    if failure is not None and failure.error is not None:
        lines.append(f"{failure.key}: {failure.error.type}: {failure.error.message}")
        tail = failure.error.detail.get("log_tail")
        text = tail if isinstance(tail, str) else "\n".join(map(str, tail or []))
        lines += [f"  | {line}" for line in text.splitlines()[-LOG_TAIL_LINES:]]
        lines.append(f"The whole log: segue logs {run.id} '{failure.key}'")
    lines.append(url)
    print("\n".join(lines), file=sys.stderr)
