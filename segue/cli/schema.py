"""`segue schema`: what editors want to know of definitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from segue.cli.output_file import write_output


def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; stdout without it.")] = None,
) -> None:
    """Print the JSON Schema of definitions in YAML, for editors.

    A definition whose first line is `# yaml-language-server: $schema=segue.schema.json` is then completed and checked
    while it is written.
    """
    from segue.cli.server_packages import server_packages

    with server_packages("schema"):
        from translator.manual.schema import definition_schema
    text = json.dumps(definition_schema(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_output(output, text)
