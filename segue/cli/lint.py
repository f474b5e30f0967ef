"""`segue lint`: what is valid, and yet probably not meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segue.errors import Diagnostic
    from segue.submission import Definition

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Definitions.", show_default=False)]


def lint(
    files: Files,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 when there is a warning.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Warn about what is valid, and yet probably not meant.

    Looks at workers and variables too, when a service is up.
    """
    from segue.submission import read_definitions

    warnings = [each for file in files for definition in read_definitions(file) for each in warnings_of(definition)]
    if as_json:
        typer.echo(json.dumps([warning.to_json() for warning in warnings], indent=2))
    else:
        for warning in warnings:
            typer.echo(warning.render() + "\n")
        codes = sorted({warning.code for warning in warnings})
        typer.echo(f"{_counted(len(warnings))}{'; more: segue explain ' + codes[0] if codes else ''}")
    if strict and warnings:
        raise typer.Exit(1)


def warnings_of(definition: Definition, *, ask: bool = True) -> list[Diagnostic]:
    """Return the warnings about a definition; `ask` the service about workers and variables."""
    from datetime import UTC, datetime

    from segue.cli.plan import ask_service
    from segue.cli.server_packages import server_packages
    from segue.errors import Diagnostic
    from segue.evaluate import shown_path

    with server_packages("lint"):
        from translator.lint import lint as look
    queues = sorted({step["queue"] for step in definition.translated.plan["steps"]})
    variables, pollers = ask_service(queues) if ask else (None, None)
    text, document = definition.text, definition.document
    name = shown_path(definition.path)
    found = look(text, document, name, definition.translated.files, datetime.now(UTC), variables, pollers)
    return [
        Diagnostic(each.file, each.line, each.column, each.code, each.message, each.hint, each.source) for each in found
    ]


def _counted(count: int) -> str:
    return "no warnings" if count == 0 else f"{count} warning{'s' * (count != 1)}"
