"""`segue convert` and `segue fmt`: a definition written anew, in the other spelling or in the usual layout."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from segue.cli.definitions import File, Workflow
from segue.cli.output_file import write_output


class Spelling(StrEnum):
    """What a definition can be written in."""

    YAML = "yaml"
    PYTHON = "python"


def convert(
    file: File,
    to: Annotated[Spelling, typer.Option("--to", help="The spelling to write.", show_default=False)],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; stdout without it.")] = None,
    workflow: Workflow = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a definition in the other spelling.

    It keeps its meaning, to the hash of its plan, and its comments.
    """
    from segue.errors import SubmitError
    from segue.submission import read_definition

    definition = read_definition(file, workflow)
    if definition.document is not None and to is Spelling.PYTHON:
        raise SubmitError(f"{file} is Python already.", hint="`ruff format` lays Python out.")
    if output is not None and output.exists() and not force:
        raise SubmitError(f"{output} is there already.", hint="Name another file, or use --force.")
    text = _written(definition, to)
    _verify(text, to, definition.translated.plan_hash, file)
    if output is None:
        typer.echo(text, nl=False)
        return
    write_output(output, text)
    typer.echo(f"{output} is {definition.name}, too: {definition.translated.plan_hash}", err=True)


def fmt(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Definitions in YAML.", show_default=False)],
    check: Annotated[bool, typer.Option("--check", help="Change nothing; end with 1 if something would.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Change nothing; show what would.")] = False,
) -> None:
    """Lay out definitions in YAML in the usual way.

    Meaning, comments and blank lines stay.
    """
    import difflib

    changed = 0
    for file in files:
        before, after = _laid_out(file)
        if before == after:
            continue
        changed += 1
        if diff:
            lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), str(file), str(file))
            typer.echo("".join(lines), nl=False)
        elif check:
            typer.echo(f"{file} would be laid out anew")
        else:
            write_output(file, after)
            typer.echo(f"{file} is laid out anew")
    if check and changed:
        raise typer.Exit(1)


def _laid_out(file: Path) -> tuple[str, str]:
    """Return the text of a definition, and the same in the usual layout."""
    from segue.errors import SubmitError
    from segue.submission import read_definition

    if file.suffix == ".py":
        raise SubmitError(f"{file} is Python.", hint="`ruff format` lays Python out.")
    definition = read_definition(file)
    text = _written(definition, Spelling.YAML)
    _verify(text, Spelling.YAML, definition.translated.plan_hash, file)
    return definition.text, text


def _written(definition: object, to: Spelling) -> str:
    from segue.cli.server_packages import server_packages
    from segue.submission import Definition

    with server_packages("convert"):
        from translator.writing import document_source, write_python, write_yaml, yaml_source
    assert isinstance(definition, Definition)
    name = definition.path.name
    if definition.document is None:
        source = yaml_source(definition.text, name)
    else:
        source = document_source(definition.document, name)
    return write_python(source) if to is Spelling.PYTHON else write_yaml(source)


def _verify(text: str, to: Spelling, plan_hash: str, file: Path) -> None:
    """Make sure that what was written means what was read.

    Raises:
        SubmitError: It does not.
    """
    from segue.errors import InvalidDefinition, SubmitError

    try:
        same = _hash(text, to, file.absolute().parent) == plan_hash
        reason = "it would mean something else"
    except InvalidDefinition as error:
        same, reason = False, error.diagnostics[0].message
    if not same:
        name = "Python" if to is Spelling.PYTHON else "YAML"
        raise SubmitError(
            f"{file} cannot be written as {name}: {reason}. Nothing was written.",
            hint="This is a mistake of ours; please tell us, with the definition.",
        )


def _hash(text: str, to: Spelling, folder: Path) -> str:
    """Return the hash of a definition that would lie in a folder, beside the shared steps that it uses."""
    import os
    from tempfile import TemporaryDirectory

    from segue.evaluate import evaluate
    from segue.translation import translate

    if to is Spelling.YAML:
        return translate("flow.yaml", text, None, folder).plan_hash
    with TemporaryDirectory(prefix="segue-") as scratch:
        path = Path(scratch) / "flow.py"
        write_output(path, text)
        [document] = evaluate(path, os.environ.get("SEGUE_PYTHON"))
    return translate("flow.py", "", document, folder).plan_hash
