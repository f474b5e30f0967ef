"""`segue dev`, `segue api`, `segue worker` and `segue ui`: the service and its parts."""

from __future__ import annotations

import math
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from segue.cli.server_packages import server_packages
from segue.cli.stack_errors import settings_errors, stack_errors

DATA = Path(".segue")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")


def dev(
    data: Annotated[Path, typer.Option(help="Folder of all state; made when it is not there.")] = DATA,
    s3: Annotated[bool, typer.Option("--s3", help="Keep objects in a SeaweedFS server instead of a folder.")] = False,
    port: Annotated[int | None, typer.Option(help="Port of the API and the web page; a free one without it.")] = None,
    queue: Annotated[
        list[str] | None, typer.Option("--queue", "-q", help="A step queue that gets a worker; cpu and gpu without it.")
    ] = None,
) -> None:
    """Run the whole service on this machine.

    Temporal, database, object store, API, web page and workers, each a process. Ctrl-C stops them; a second start goes
    on where the first was.
    """
    with server_packages("dev"):
        from workers.stack import Stack
    with stack_errors(), Stack(data, tuple(queue or ("cpu", "gpu")), s3=s3, api_port=port, log=_log) as stack:
        typer.echo(f"Segue is up. Its state is in {stack.data}; Ctrl-C stops it.")
        typer.echo(f"  web page   {stack.service['ui_url']}")
        typer.echo(f"  Temporal   {stack.service['temporal_ui_url']}")
        for line in ways_to(stack.data, str(stack.service["api_url"])):
            typer.echo(line)
        typer.echo("  try        segue run FILE")
        stack.wait()
        typer.echo("Stopping.")


def ways_to(data: Path, api_url: str) -> list[str]:
    """Return what to do first where commands do not find the service by themselves: they look for its usual folder."""
    if data.name == DATA.name:
        return []
    key = shlex.quote(str(data / "api-key"))
    return [f'  first      export SEGUE_API_URL={api_url} SEGUE_API_KEY="$(cat {key})"']


def api(
    host: Annotated[str | None, typer.Option(help="The address to listen on (SEGUE_API_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on (SEGUE_API_PORT).")] = None,
) -> None:
    """Run the API and the web page.

    With the settings of the SEGUE_ environment variables.
    """
    with server_packages("api"), settings_errors():
        from api.serve import serve
        from store.settings import Settings

        given: dict[str, Any] = {"api_host": host, "api_port": port}
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    serve(settings)


def worker(
    queue: Annotated[list[str], typer.Option("--queue", "-q", help="A queue to serve; may be given several times.")],
    slots: Annotated[int | None, typer.Option(help="Steps at a time per queue.", min=1)] = None,
    cpu: Annotated[float | None, typer.Option(help="Cores for steps that name `resources`.", min=0.1)] = None,
    memory: Annotated[str | None, typer.Option(help="Memory for such steps: 16Gi. Without it, all there is.")] = None,
    gpu: Annotated[int | None, typer.Option(help="Devices for such steps.", min=0)] = None,
    labels: Annotated[list[str] | None, typer.Option(help="Shown in the fleet: zone=a,team=vision.")] = None,
    drain: Annotated[str, typer.Option(help="What steps in flight get to end when the worker is to stop.")] = "2s",
) -> None:
    """Run a worker.

    With the settings of the SEGUE_ environment variables.
    """
    with server_packages("worker"):
        from activities.room import Room
        from workers.machine import find_machine
        from workers.worker import Offer, default_slots, main
        from workflows.durations import parse_duration
        from workflows.sizes import parse_size
    size, seconds = None if memory is None else parse_size(memory), parse_duration(drain)
    if cpu is not None and not math.isfinite(cpu):
        raise SystemExit(f"--cpu {cpu} is not a number of cores, such as 4")
    if memory is not None and not size:
        raise SystemExit(f"--memory {memory} is not a size, such as 16Gi")
    if seconds is None:
        raise SystemExit(f"--drain {drain} is not a duration, such as 30s")
    room = Room(find_machine(cpu, size, gpu))
    with settings_errors():
        main(queue, Offer(slots or default_slots(), read_labels(labels or []), seconds, room))


def read_labels(given: list[str]) -> dict[str, str]:
    """Return the labels in `k=v,...` texts.

    Raises:
        SystemExit: One is none.
    """
    found = {}
    for text in (part.strip() for each in given for part in each.split(",")):
        name, equals, value = text.partition("=")
        if not equals or not _LABEL.fullmatch(name) or not _LABEL.fullmatch(value):
            raise SystemExit(f"--labels: {text!r} is not NAME=VALUE, such as zone=a")
        found[name] = value
    return found


def ui(
    open_it: Annotated[bool, typer.Option("--open/--no-open", help="Open it in a browser.")] = True,
) -> None:
    """Open the web page, and print its address."""
    from segue.discovery import find_service

    address = find_service()
    typer.echo(address.ui_url)
    if open_it and sys.stdout.isatty():
        import webbrowser

        webbrowser.open(address.ui_url)


def _log(line: str) -> None:
    typer.echo(line, err=True)
