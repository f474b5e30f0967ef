"""`segue fleet`: who serves which queue, and what waits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli.sizes import size_text

if TYPE_CHECKING:
    from segue.fleet import Fleet, FleetQueue, FleetWorker

WATCH_SECONDS = 2.0
_CLEAR = "\x1b[H\x1b[2J"


def fleet(
    queue: Annotated[list[str] | None, typer.Option("--queue", "-q", help="Only this queue; may be repeated.")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show queues and workers.

    What waits in each queue and for how long, who serves it, where, and with what.
    """
    from segue.client import Client

    with Client() as client:
        while True:
            found = client.fleet(queue or ())
            if as_json:
                typer.echo(json.dumps(asdict(found), default=_plain, indent=None if watch else 2))
            else:
                typer.echo((_CLEAR if watch else "") + "\n".join(fleet_lines(found)))
            if not watch:
                return
            time.sleep(WATCH_SECONDS)


def fleet_lines(found: Fleet) -> Iterator[str]:
    """Yield a fleet as people read it."""
    if not found.queues:
        yield "Nobody serves a queue, and nothing waits. Start a worker: segue worker --queue cpu"
        return
    yield from _table(("QUEUE", "WORKERS", "SLOTS", "WAITING", "OLDEST"), [_queue(each) for each in found.queues])
    if found.workers:
        yield ""
        head = ("WORKER", "STATE", "SLOTS", "VERSION", "RESOURCES", "LABELS")
        yield from _table(head, [_worker(each) for each in found.workers])
    troubled = [each for each in found.queues if each.problem]
    if troubled:
        yield ""
    yield from (f"{each.name}: {each.problem}" for each in troubled)


def _queue(queue: FleetQueue) -> tuple[str, ...]:
    from segue.duration import seconds_text

    oldest = "" if queue.oldest_wait is None else seconds_text(round(queue.oldest_wait))
    return (queue.name, str(queue.workers), f"{queue.used}/{queue.slots}", str(queue.backlog), oldest)


def _worker(worker: FleetWorker) -> tuple[str, ...]:
    slots = "" if worker.slots is None else f"{worker.used}/{worker.slots}"
    has = ", ".join(
        f"{size_text(value) if name == 'memory' else format(value, 'g')} {name}"
        for name, value in worker.resources.items()
        if value
    )
    labels = ",".join(f"{name}={value}" for name, value in worker.labels.items())
    return (worker.name, worker.state, slots, worker.version, has, labels)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[index]) for row in [head, *rows]) for index in range(len(head))]
    for row in [head, *rows]:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
