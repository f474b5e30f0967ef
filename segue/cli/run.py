"""`segue run` and `segue fire`: starting runs, and following them to their end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli.completion import workflow_names
from segue.cli.server_packages import server_packages
from segue.cli.stack_errors import stack_errors

if TYPE_CHECKING:
    from segue.client import Client
    from segue.submission import Definition


def run(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|NAME",
            help="A definition, deployed first with those of its file that it calls, or a workflow's name.",
            autocompletion=workflow_names,
            show_default=False,
        ),
    ],
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="KEY=VALUE", help="A param; several are allowed.")
    ] = None,
    params: Annotated[str | None, typer.Option(metavar="FILE", help="A JSON object of params; - is stdin.")] = None,
    workflow: Annotated[
        str | None, typer.Option("--workflow", "-w", help="Which workflow, when there are several.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON document; progress on stderr.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the run's id and do not wait.")] = False,
    data: Annotated[Path, typer.Option(help="State of the stack that is started when no service is up.")] = Path(
        ".segue"
    ),
) -> None:
    """Run a workflow and show it live.

    Without a service, one is started for as long as the run takes.
    """
    from segue.cli.outcome import print_outcome
    from segue.cli.progress import default_stream, show_progress
    from segue.client_base import is_file
    from segue.submission import read_with_called

    # What is wrong with the definition is said before anything is started.
    definition, called = read_with_called(Path(what), workflow) if is_file(what) else (None, [])
    with _service(data, [*called, definition] if definition else [], detach) as (client, stays):
        for each in called:
            client.submit(each)
        handle = _start(client, definition, what, param or [], params)
        if detach:
            typer.echo(json.dumps({"run": handle.id, "workflow": handle.workflow}) if as_json else handle.id)
            return
        stream = default_stream(as_json)
        print(f"{handle.id}  {handle.url}", file=stream, flush=True)
        try:
            show_progress(handle.get(), handle.events, stream)
        except KeyboardInterrupt:
            go_on = "The run goes on." if stays else "The run goes on with the next `segue dev`."
            print(f"{go_on} segue show {handle.id}, segue cancel {handle.id}", file=sys.stderr)
            raise
        ended = handle.wait(check=False)
        print_outcome(ended, handle.url, as_json=as_json)
    raise typer.Exit(0 if ended.state == "succeeded" else 1)


def fire(
    workflow: Annotated[str, typer.Argument(autocompletion=workflow_names, show_default=False)],
    event_id: Annotated[str, typer.Option("--id", help="The same id starts one run, however often it is sent.")],
    payload: Annotated[str, typer.Option(help="JSON: what `event` is in the definition.")] = "null",
    name: Annotated[str | None, typer.Option(help="The event's name, checked against the trigger.")] = None,
) -> None:
    """Send an event to a workflow.

    Prints the id of the run that its event trigger starts; why it starts none, or none yet, goes to stderr.
    """
    from segue.client import Client
    from segue.errors import SubmitError

    try:
        value = json.loads(payload)
    except ValueError as error:
        raise SubmitError(f"--payload is not JSON: {error}.") from None
    with Client() as client:
        event = client.fire(workflow, event_id, value, name=name)
    if event.state in ("accepted", "started"):
        typer.echo(event.run)
    else:
        print(f"{event.state}: {event.reason}", file=sys.stderr)


@contextmanager
def _service(data: Path, definitions: list[Definition], detach: bool) -> Iterator[tuple[Client, bool]]:
    """Yield a client of the service that is up, or of a stack that lives as long as this block; and which it is."""
    from segue.client import Client
    from segue.discovery import Address, find_service
    from segue.errors import ServiceUnreachable

    try:
        address = find_service()
    except ServiceUnreachable:
        if detach:
            raise
    else:
        with Client(address=address) as client:
            yield client, True
        return
    with server_packages("run"):
        from workers.stack import Stack
    print(f"No service is up: starting one for this run, its state in {data}.", file=sys.stderr, flush=True)
    steps = [step for definition in definitions for step in definition.translated.plan["steps"]]
    queues = dict.fromkeys(["cpu", "gpu", *(step["queue"] for step in steps)])
    with (
        stack_errors(),
        Stack(data, tuple(queues), log=_log) as stack,
        Client(address=Address.from_service(stack.service)) as client,
    ):
        yield client, False


def _start(client: Client, definition: Definition | None, name: str, texts: list[str], file: str | None) -> Any:
    from segue.cli.given_params import read_params

    if definition is None:
        version = client.get_workflow(name).version
        # Asking for the schemas is needed for text alone; the service checks params anyway.
        schemas = client.get_plan(name, version)["params"] if texts else {}
        return client.run(name, read_params(texts, file, schemas), version=version)
    given = read_params(texts, file, definition.translated.plan["params"])
    deployed = client.submit(definition)
    return client.run(deployed.name, given, version=deployed.version)


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
