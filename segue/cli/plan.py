"""`segue plan`: what a definition would do, before it does anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any

import typer

from segue.cli.definitions import File, Workflow

ASKED = 50
"""Queues that the service is asked about at a time."""


class Format(StrEnum):
    """How a plan is shown."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


def plan(
    file: File,
    param: Annotated[list[str] | None, typer.Option("-p", "--param", metavar="KEY=VALUE", help="A param.")] = None,
    params: Annotated[str | None, typer.Option(metavar="FILE", help="Params as a JSON file; - is stdin.")] = None,
    workflow: Workflow = None,
    shape: Annotated[Format, typer.Option("--format", "-f", help="How to show it.")] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the compiled plan itself, as JSON.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="The same as --format mermaid.")] = False,
) -> None:
    """Show what a definition would do.

    Which steps would run and why, on which queues, and when. Executes nothing.
    """
    from segue.cli.given_params import read_params
    from segue.submission import read_definition

    compiled = read_definition(file, workflow).translated.plan
    if as_json:
        typer.echo(json.dumps(compiled, indent=2))
        return
    given = read_params(param or [], params, compiled["params"])
    forecast = _forecast(compiled, given)
    _show(compiled, forecast, Format.MERMAID if mermaid else shape)


def _show(compiled: dict[str, Any], forecast: dict[str, Any], shape: Format) -> None:
    from segue.cli.plan_mermaid import mermaid_chart
    from segue.cli.plan_svg import svg_picture
    from segue.cli.plan_text import plan_lines

    if shape is Format.JSON:
        typer.echo(json.dumps(forecast, indent=2))
    elif shape is Format.SVG:
        typer.echo(svg_picture(forecast), nl=False)
    else:
        for line in mermaid_chart(forecast) if shape is Format.MERMAID else plan_lines(compiled, forecast):
            typer.echo(line)


def _forecast(compiled: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    from datetime import UTC, datetime

    from segue.cli.server_packages import server_packages
    from segue.errors import InvalidParams
    from segue.secret_sources import SecretSources

    with server_packages("plan"):
        from translator.forecast.forecast import forecast
        from workflows.params import ParamsError, check_params
        from workflows.plan import Plan
    plan = Plan.from_json(compiled)
    # What must still be given is no error here: the forecast says so.
    asked = {name: schema for name, schema in plan.params.items() if name in given or "default" in schema}
    try:
        values = check_params(asked, dict(given))
    except ParamsError as error:
        problems = [(problem.path, problem.message) for problem in error.errors]
        raise InvalidParams("The params do not fit the workflow.", problems) from None
    variables, pollers = ask_service(sorted({step.queue for step in plan.steps}))
    found = forecast(plan, values, variables, pollers, datetime.now(UTC), SecretSources().has)
    return found.to_json()


def ask_service(queues: list[str]) -> tuple[dict[str, Any] | None, dict[str, int] | None]:
    """Return the variables of the service that is up here, and how many workers each queue has; else None for each."""
    from segue.client import Client
    from segue.errors import SegueError

    variables, pollers = None, None
    # A plan can be made without a service; one that does not answer is as good as none.
    with suppress(SegueError), Client(patience=0) as client:
        variables = client.vars()
        found: dict[str, list[str]] = {}
        for start in range(0, len(queues), ASKED):
            found |= client.queues(queues[start : start + ASKED])
        pollers = {name: len(workers) for name, workers in found.items()}
    return variables, pollers
