"""Where the values of secrets come from on a machine: environment variables, and files in one folder.

Read when a step needs one and kept nowhere, so a file that is replaced counts from the next attempt on. A value is
never part of a message. Knows the standard library alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

PREFIX = "SEGUE_SECRET_"
"""What the environment variable of a secret begins with; its name follows in capitals."""
FOLDER = "SEGUE_SECRETS_DIR"
"""The environment variable that names the folder with a file for each secret, as Docker and Kubernetes mount them."""
MAX_SECRET_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SecretUnusable(Exception):
    """A source has the secret, but not as a text that can be given to a step; the message says why, without it."""


class SecretSources:
    """The secrets of this machine.

    Args:
        environment: Variables; those of this process unless given.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment

    def find(self, name: str) -> str | None:
        """Return a secret's value, or None when no source has it; an empty one counts as not there.

        Raises:
            SecretUnusable: It cannot be read, is too large, or is not text.
        """
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            return None  # a name is never a path: the translator takes no other
        variable = variable_of(name)
        value = self._environment.get(variable)
        if value:
            return _checked(os.fsencode(value), variable)
        folder = self._environment.get(FOLDER)
        return _read(Path(folder) / name) if folder else None

    def has(self, name: str) -> bool:
        """Tell whether a step on this machine would get the secret."""
        try:
            return self.find(name) is not None
        except SecretUnusable:
            return False


def secret_here(name: str) -> str:
    """Return a secret of this machine.

    Raises:
        SegueError: It has none of that name, or none that can be used.
    """
    from segue.errors import SegueError

    try:
        value = SecretSources().find(name)
    except SecretUnusable as unusable:
        raise SegueError(f'The secret "{name}" cannot be used: {unusable}.') from None
    if value is None:
        raise SegueError(f'There is no secret "{name}" here: {way_out(name, "the environment")}.')
    return value


def variable_of(name: str) -> str:
    """Return the environment variable of a secret."""
    return f"{PREFIX}{name.upper()}"


def way_out(name: str, where: str = "its environment") -> str:
    """Return what to do about a secret that no source has."""
    return f"set {variable_of(name)} in {where}, or put a file {name} into the folder that {FOLDER} names"


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 2)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretUnusable(f"the file {path} cannot be read: {error.strerror}") from None
    # Editors and `echo` end a file with a newline, which is no part of a password.
    for newline in (b"\r\n", b"\n"):
        if data.endswith(newline):
            data = data[: -len(newline)]
            break
    return _checked(data, f"the file {path}") or None


def _checked(data: bytes, source: str) -> str:
    if len(data) > MAX_SECRET_BYTES:
        raise SecretUnusable(f"{source} has more than {MAX_SECRET_BYTES:,} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SecretUnusable(f"{source} is not UTF-8 text; keep it as base64") from None
    if "\0" in text:
        raise SecretUnusable(f"{source} has a NUL character; keep it as base64")
    return text
