"""How the command line says that something is wrong: one paragraph on stderr, and an exit code."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import typer

if TYPE_CHECKING:
    from segue.errors import InvalidDefinition

P = ParamSpec("P")
T = TypeVar("T")

INTERRUPTED = 130
BROKEN = 70
"""For a mistake of ours, as sysexits.h has it."""


def tell(message: str, hint: str = "") -> None:
    """Print a message and the way out."""
    text = message if "\n" in message or ": error[" in message else f"segue: {message}"
    print("\n".join(part for part in (text, hint) if part), file=sys.stderr)


def more(error: InvalidDefinition) -> str:
    """Return the line below what is wrong with a definition: how much that is, and where to read on."""
    count = len(error.diagnostics)
    return f"{count} error{'s' * (count != 1)}; more: segue explain {error.diagnostics[0].code}"


def guarded(command: Callable[P, T]) -> Callable[P, T]:
    """Return a command that ends the process in good manners whatever happens in it."""

    @functools.wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return command(*arguments, **options)
        except (typer.Exit, typer.Abort):
            raise
        except BaseException as error:
            raise SystemExit(_exit_code(error)) from error

    return run


def _exit_code(error: BaseException) -> int:
    """Say what happened; return what the process ends with."""
    from segue.errors import InvalidDefinition, SegueError

    if isinstance(error, InvalidDefinition):
        tell(error.message, f"\n{more(error)}")
        return error.exit_code
    if isinstance(error, SegueError):
        tell(error.message, error.hint)
        return error.exit_code
    if isinstance(error, SystemExit):
        if isinstance(error.code, str):
            tell(error.code)
            return 2
        return error.code or 0
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # Whoever read us has seen enough. What is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if os.environ.get("SEGUE_DEBUG"):
        raise error
    tell(
        f"Something went wrong inside Segue: {type(error).__name__}: {error}",
        "This is a mistake of ours. SEGUE_DEBUG=1 shows where it happened.",
    )
    return BROKEN
