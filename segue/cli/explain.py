"""`segue explain`: what a code of an error or a warning means, with an example and the way out."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer


def explain(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Such as E0401 or W0101.", show_default=False)],
) -> None:
    """Explain a code, with an example and the way out."""
    from segue.errors import SubmitError
    from segue.values import closest

    found = pages()
    page = found.get(code.upper())
    if page is None:
        hint = closest(code.upper(), list(found)) or f"There are {', '.join(found)}."
        raise SubmitError(f"There is no code {code}.", hint=hint)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        # The words behind a language say how the example is tested; Rich would not know the language with them.
        Console().print(Markdown(re.sub(r"^```(\w+) \w+$", r"```\1", page, flags=re.MULTILINE)))
    else:
        typer.echo(re.sub(r"^```(\w+) \w+$", r"```\1", page, flags=re.MULTILINE), nl=False)


def pages() -> dict[str, str]:
    """Return the page of every code, as Markdown."""
    from importlib.resources import files

    found: dict[str, str] = {}
    folder = files("segue.cli").joinpath("pages")
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".md"):
            for section in re.split(r"^(?=## )", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
                found[section[3:8]] = section.strip("\n") + "\n"
    return found
