"""Evaluates a Python definition in a child process, and returns the documents it describes.

The user's code never runs in the calling process. The child sees the standard library, `segue` and the folder of the
file; given an interpreter of the user's own, also what is installed there. It is asked once, killed when it takes too
long, and answers through a file, so nothing it prints can be mistaken for its answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from segue.child_path import isolated
from segue.codes import Code
from segue.errors import Diagnostic, InvalidDefinition
from segue.packages import Module

MAX_SOURCE_BYTES = 1024 * 1024
MAX_RESULT_BYTES = 32 * 1024 * 1024
_GRACE = 3.0
"""Seconds beyond the time-out in which the child may still say where it was."""

_TOO_OLD = 97
_START = (
    f"import sys; sys.version_info >= (3, 11) or sys.exit({_TOO_OLD}); "
    "sys.path.insert(0, sys.argv[1]); from segue.evaluation_child import main; main()"
)


def evaluate(
    path: Path, python: str | None = None, timeout: float = 30, *, module: Module | None = None
) -> list[dict[str, Any]]:
    """Return the definition documents of a Python file: of its DAGs, then of its functions, as it makes them.

    A document is `{"language": "python", "definition": {...}, "positions": {JSON pointer: [line, column]}, "source"}`;
    lines and columns count from 1.

    Args:
        path: The file. Its folder is the child's working directory.
        python: An interpreter of the user's, whose installed packages the file may import; without it, this one, and
            the standard library alone.
        timeout: Seconds that the file may take.
        module: What the file is when it is imported as part of a package; without it, it stands for itself.

    Raises:
        InvalidDefinition: The file cannot be read, is no Python, raises, exits, takes too long, crashes the
            interpreter, makes no workflow, or uses Segue in a way that means nothing.
    """
    shown = shown_path(path)
    _check_readable(path, shown)
    path = path.absolute()
    with TemporaryDirectory(prefix="segue-") as folder:
        result = Path(folder) / "result.json"
        ended = _run(path, result, isolated(Path(folder)), python, timeout, module)
        outcome = _read(result, ended, shown, timeout)
    if "diagnostics" in outcome:
        raise InvalidDefinition([_localised(Diagnostic.from_json(d)) for d in outcome["diagnostics"]])
    documents: list[dict[str, Any]] = outcome["documents"]
    return documents


def shown_path(path: Path) -> str:
    """Return a path as messages name it: relative to the current folder when it is inside."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def _check_readable(path: Path, shown: str) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise _refused(shown, Code.NO_FILE, f"cannot be read: {error.strerror}") from None
    if size > MAX_SOURCE_BYTES:
        raise _refused(shown, Code.TOO_LARGE, f"has {size:,} bytes; a definition may have {MAX_SOURCE_BYTES:,}")


def _run(
    path: Path, result: Path, package: Path, python: str | None, timeout: float, module: Module | None
) -> int | None:
    """Run the child and return its exit status; None when it had to be killed for taking too long."""
    options = ["-I", *([] if python else ["-S"])]
    # The child starts in another folder, so a relative path would lead elsewhere; a link stays one: it makes the venv.
    interpreter = str(Path(python).absolute()) if python and os.sep in python else python or sys.executable
    command = [interpreter, *options, "-c", _START, str(package), str(path), str(result), str(timeout)]
    command += [module.name, str(module.root)] if module is not None else []
    try:
        child = subprocess.Popen(
            command,
            cwd=path.parent if module is None else module.root,
            stdin=subprocess.DEVNULL,
            stdout=2,  # what the file prints is for people; this process's standard output may be for a script
            start_new_session=True,
        )
    except OSError as error:
        raise _refused(shown_path(path), Code.NO_INTERPRETER, f"cannot start {command[0]}: {error.strerror}") from None
    try:
        return child.wait(timeout + _GRACE)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    # The group, not the process: the file may have started others, which outlive it.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _read(result: Path, ended: int | None, shown: str, timeout: float) -> dict[str, Any]:
    if result.is_file() and result.stat().st_size > MAX_RESULT_BYTES:
        raise _refused(shown, Code.TOO_LARGE, f"describes more than {MAX_RESULT_BYTES:,} bytes")
    try:
        outcome: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _without_answer(ended, shown, timeout) from None
    return outcome


def _without_answer(ended: int | None, shown: str, timeout: float) -> InvalidDefinition:
    if ended is None:
        return _refused(shown, Code.TIMEOUT, f"did not finish within {timeout:g} s, and could not be interrupted")
    if ended == _TOO_OLD:
        return _refused(shown, Code.NO_INTERPRETER, "needs Python 3.11 or newer; SEGUE_PYTHON names an older one")
    if ended < 0:
        return _refused(shown, Code.CRASH, f"crashed the interpreter: {signal.Signals(-ended).name}")
    return _refused(shown, Code.EXIT, f"ended the process with status {ended} before its workflow was complete")


def _refused(shown: str, code: str, message: str) -> InvalidDefinition:
    return InvalidDefinition([Diagnostic(shown, 0, 0, code, message)])


def _localised(diagnostic: Diagnostic) -> Diagnostic:
    return Diagnostic(
        shown_path(Path(diagnostic.file)),
        diagnostic.line,
        diagnostic.column,
        diagnostic.code,
        diagnostic.message,
        diagnostic.hint,
        diagnostic.source,
    )
