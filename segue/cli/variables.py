"""`segue vars`: the service's variables, which definitions read as `vars.NAME`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from segue.cli.completion import variable_names
from segue.cli.problems import guarded

app = typer.Typer(help="The service's variables, read as vars.NAME.", no_args_is_help=True)


@app.command("set")
@guarded
def set_(
    assignments: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="The values are JSON, not text.")] = False,
) -> None:
    """Set variables; runs that are started from now on see them."""
    from segue.client import Client
    from segue.errors import SubmitError

    given = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SubmitError(f"{text!r} is not NAME=VALUE.")
        try:
            given[name] = json.loads(value) if as_json else value
        except ValueError as error:
            raise SubmitError(f"The value of {name} is not JSON: {error}.") from None
    with Client() as client:
        for name, value in given.items():
            client.set_var(name, value)


@app.command("list")
@guarded
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False) -> None:
    """List all variables."""
    from segue.client import Client

    with Client() as client:
        found = client.vars()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for name, value in sorted(found.items()):
        typer.echo(f"{name}={value if isinstance(value, str) else json.dumps(value)}")


@app.command()
@guarded
def unset(names: Annotated[list[str], typer.Argument(metavar="NAME...", autocompletion=variable_names)]) -> None:
    """Remove variables."""
    from segue.client import Client

    with Client() as client:
        for name in names:
            client.delete_var(name)
