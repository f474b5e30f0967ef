"""Shows a run while it goes on: a live table in a terminal, else a line for each change."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from segue.cli.run_view import RunView, fitting, row_of
from segue.models import Run, RunEvent

if TYPE_CHECKING:
    from rich.console import Group

REFRESH_SECONDS = 0.2
_AROUND_THE_TABLE = 5
_STYLES = {
    "queued": "yellow",
    "running": "cyan",
    "retrying": "magenta",
    "held": "bold yellow",
    "succeeded": "green",
    "failed": "bold red",
    "upstream_failed": "red",
    "skipped": "dim",
    "cancelled": "red",
    "waiting": "dim",
}


def show_progress(run: Run, events: Callable[[int], Iterable[RunEvent]], stream: TextIO) -> None:
    """Show a run on a stream until it has ended.

    Args:
        run: The run as it is now.
        events: Yields what happens behind the event of a number.
        stream: Where to; a terminal gets a table.
    """
    if stream.isatty():
        _show_table(RunView(run), () if run.ended else events(run.seq), stream)
    else:
        _print_lines(run.created_at, events(0), stream)


def _show_table(view: RunView, events: Iterable[RunEvent], stream: TextIO) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream)
    lock = threading.Lock()

    def table() -> Group:
        with lock:
            return _table(view, console.height - _AROUND_THE_TABLE)

    # The clock of running steps goes on between events: Live asks for the table by itself.
    with Live(get_renderable=table, console=console, refresh_per_second=1 / REFRESH_SECONDS):
        for event in events:
            with lock:
                view.apply(event)


def _table(view: RunView, room: int) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    rows, hidden = fitting(view.rows(), max(3, room))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
    for name in ("step", "state", "queue"):
        table.add_column(name, no_wrap=True)
    table.add_column("attempt", justify="right")
    table.add_column("duration", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        state = Text(row.state, _STYLES.get(row.state, ""))
        # Text, not markup: a user's message may hold square brackets.
        table.add_row(Text(row.name), state, row.queue, row.attempt, row.duration, Text(row.note, "dim"))
    if hidden:
        table.add_row(Text(f"... and {hidden} more", "dim"))
    head = [Text(f"{view.summary.id}: {view.summary.state} ({view.counts})")]
    if view.summary.stuck:
        head.append(Text(f"stuck: {view.summary.stuck}", "bold red"))
    return Group(*head, table)


def _print_lines(created: datetime | None, events: Iterable[RunEvent], stream: TextIO) -> None:
    start = created or datetime.now(UTC)
    stuck = ""
    last: dict[str, tuple[object, ...]] = {}
    for event in events:
        at = event.at or datetime.now(UTC)
        if event.run is not None and event.run.stuck != stuck:
            stuck = event.run.stuck
            said = f"stuck: {stuck}" if stuck else "moves again"
            print(f"{(at - start).total_seconds():7.1f} s  {said}", file=stream, flush=True)
        if event.step is None or event.step.state == "waiting":
            continue
        known = (event.step.state, event.step.attempt, event.step.reason)
        if event.step.progress is not None and last.get(event.step.key) == known:
            continue  # how far it is would be a line each second
        last[event.step.key] = known
        row = row_of(event.step, at)
        took = row.duration if event.step.ended_at is not None else ""
        words = [row.name.strip(), row.state, row.queue, f"attempt {row.attempt}" if row.attempt else "", took]
        line = "  ".join(word for word in [*words, row.note] if word)
        print(f"{(at - start).total_seconds():7.1f} s  {line}", file=stream, flush=True)


def default_stream(as_json: bool) -> TextIO:
    """Return where progress goes: out of the way of a script that reads JSON."""
    return sys.stderr if as_json else sys.stdout
