"""Completes workflow names, run ids and step keys in the shell, when a service is up. Silent when none is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import typer


def workflow_names(incomplete: str) -> Iterator[str]:
    """Yield the names of workflows."""
    yield from _asked(lambda client: [found.name for found in client.workflows()], incomplete)


def run_ids(incomplete: str) -> Iterator[str]:
    """Yield the ids of the newest runs."""
    yield from _asked(lambda client: [found.id for found in client.runs(limit=100)], incomplete)


def step_keys(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the keys of the steps of the run that the command line names."""
    run = context.params.get("run_id")
    if run:
        yield from _asked(lambda client: [step.key for step in client.get_run(run).steps], incomplete)


def variable_names(incomplete: str) -> Iterator[str]:
    """Yield the names of variables."""
    yield from _asked(lambda client: sorted(client.vars()), incomplete)


def _asked(question: Callable[[Any], list[str]], incomplete: str) -> Iterator[str]:
    from segue.client import Client

    # A shell that is typed into is no place for a message.
    with suppress(Exception), Client(patience=0) as client:
        yield from (name for name in question(client) if name.startswith(incomplete))
