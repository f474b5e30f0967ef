"""`segue validate`, `segue plan` and `segue deploy`: what a definition is, before it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

File = Annotated[Path, typer.Argument(metavar="FILE", help="A definition in YAML or Python.", show_default=False)]
Workflow = Annotated[
    str | None, typer.Option("--workflow", "-w", help="Which workflow, when a Python file has several.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def validate(file: File, as_json: AsJson = False) -> None:
    """Check a definition.

    Ends with 2 when something is wrong with it.
    """
    from segue.codes import Code
    from segue.errors import Diagnostic, InvalidBundle, InvalidDefinition
    from segue.evaluate import shown_path
    from segue.submission import read_definitions

    try:
        definitions = read_definitions(file)
        for definition in definitions:
            definition.bundle()
    except InvalidDefinition as error:
        if not as_json:
            raise
        typer.echo(json.dumps([diagnostic.to_json() for diagnostic in error.diagnostics], indent=2))
        raise typer.Exit(error.exit_code) from None
    except InvalidBundle as error:
        if not as_json:
            raise
        problem = Diagnostic(shown_path(file), 0, 0, Code.BUNDLE, error.message, error.hint)
        typer.echo(json.dumps([problem.to_json()], indent=2))
        raise typer.Exit(error.exit_code) from None
    if as_json:
        typer.echo("[]")
        return
    for definition in definitions:
        steps = len(definition.translated.plan["steps"])
        typer.echo(f"{file}: {definition.name} is valid: {steps} steps, {definition.translated.plan_hash}")


def plan(
    file: File,
    workflow: Workflow = None,
    as_json: AsJson = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")] = False,
) -> None:
    """Show what a definition compiles to.

    Prints its steps, queues, needs and conditions.
    """
    from segue.cli.plan_text import mermaid_chart, plan_lines
    from segue.submission import read_definition

    translated = read_definition(file, workflow).translated
    if as_json:
        typer.echo(json.dumps(translated.plan, indent=2))
    else:
        for line in mermaid_chart(translated.plan) if mermaid else plan_lines(translated.plan, translated.plan_hash):
            typer.echo(line)


def deploy(file: File, workflow: Workflow = None, as_json: AsJson = False) -> None:
    """Store a definition on the service.

    It becomes its workflow's newest version, with its code. Nothing changes when it is there already.
    """
    from dataclasses import asdict

    from segue.client import Client
    from segue.submission import read_definition, read_definitions

    definitions = [read_definition(file, workflow)] if workflow else read_definitions(file)
    with Client() as client:
        deployed = [client.submit(definition) for definition in definitions]
    if as_json:
        documents = [asdict(each) for each in deployed]
        typer.echo(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2))
        return
    for each in deployed:
        what = "is new" if each.created else "is there already"
        typer.echo(f"{each.name} version {each.version} {what}")
        for trigger in each.triggers:
            typer.echo(f"  {_trigger(trigger)}")


def _trigger(trigger: dict[str, Any]) -> str:
    from segue.cli.plan_text import trigger_text

    what = trigger_text(trigger)
    zone = f" ({trigger['timezone']})" if trigger.get("timezone") else ""
    return f"{trigger['kind']} {what}{zone}: {trigger['id']}"
