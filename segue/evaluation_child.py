"""The child process that executes a Python definition and writes down the workflows it makes.

Started by `segue.evaluate`, alone with the standard library, `segue` and the user's folder on its path. Everything it
needs itself is imported before the user's folder joins the path. It never lets a stack trace of ours out: whatever the
user's file does wrong becomes a diagnostic with the user's file and line.
"""

from __future__ import annotations

import json
import linecache
import os
import re
import signal
import sys
import sysconfig
from contextlib import suppress
from importlib import import_module
from importlib.util import decode_source
from itertools import islice
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any, NoReturn

import segue
from segue import arrows, dag, document, engine, expression, operators, source_map, triggers, waiting  # noqa: F401  # see above
from segue.child_path import PACKAGE
from segue.codes import Code
from segue.errors import Diagnostic, InvalidDefinition
from segue.values import closest

_MESSAGE_LIMIT = 2_000
_MEMORY = 256 * 1024 * 1024
"""What a file may fill that sees the standard library alone; the packages of an interpreter of the user's may need
more."""
_folder: Path | None = None
"""The folder around the package that is evaluated, if one is: all files in it are the user's."""


class _TimedOut(BaseException):
    """Raised by the alarm, wherever the user's code is at that moment."""


def main() -> NoReturn:
    """Evaluate `argv[2]`, write the outcome to `argv[3]`, give up after `argv[4]` seconds, and end the process.

    As part of a package, it is imported as `argv[5]` from the folder `argv[6]`.
    """
    path, result, seconds = Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])
    global _folder
    name, root = sys.argv[5:7] if len(sys.argv) > 5 else ("", str(path.parent))
    _folder = Path(root)
    sys.argv = [str(path)]
    engine.evaluating = True
    if b"workflow" in path.read_bytes():  # the compiler takes a while to import, and most files do without
        import_module("segue.functions.compile")
    sys.dont_write_bytecode = True  # from here on: nothing is left beside the user's files
    sys.path.insert(1, root)
    outcome = _outcome(path, name, seconds)
    result.write_text(json.dumps(outcome), encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # Threads and exit handlers of the user's file have nothing left to say.
    os._exit(0)


def _outcome(path: Path, name: str, seconds: float) -> dict[str, Any]:
    try:
        return {"documents": _documents(path, name, seconds)}
    except InvalidDefinition as error:
        found = error.diagnostics
    except SyntaxError as error:
        found = [_syntax(error, path)]
    except _TimedOut as error:
        message = f"the file did not finish within {seconds:g} s"
        hint = "a definition only describes steps: move the work into the functions that steps call"
        found = [_diagnostic(error.__traceback__, path, Code.TIMEOUT, message, hint)]
    except SystemExit as error:
        message = f"the file ended the process with exit({error.code!r})"
        found = [_diagnostic(error.__traceback__, path, Code.EXIT, message)]
    except BaseException as error:  # the user's file may raise anything
        found = [_diagnostic(error.__traceback__, path, Code.EXCEPTION, _message(error), _hint(error))]
    return {"diagnostics": [{**d.to_json(), "source": _line(d.file, d.line)} for d in found]}


def _documents(path: Path, name: str, seconds: float) -> list[dict[str, Any]]:
    try:
        source = decode_source(path.read_bytes())
    except (UnicodeDecodeError, SyntaxError) as error:
        raise _refused(path, Code.SYNTAX, f"the file is not text: {error}") from None
    _limit_memory()
    signal.signal(signal.SIGALRM, _alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        module = import_module(name) if name else _executed(source, path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    found = _found(path, module)
    if not found:
        hint = 'write `with DAG("name") as dag:` at its top level, or @workflow before a function'
        raise _refused(path, Code.NO_DAG, "the file makes no DAG and has no @workflow", hint)
    return _documents_of(found, source)


def _documents_of(found: list[Any], source: str) -> list[dict[str, Any]]:
    """Return the documents of all workflows, or raise with what is wrong with any of them."""
    documents, problems = [], []
    for each in found:
        try:
            documents.append(each.document(source))
        except InvalidDefinition as error:
            problems += error.diagnostics
    if problems:
        raise InvalidDefinition(problems)
    return documents


def _executed(source: str, path: Path) -> ModuleType:
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    # Not `__main__`: functions of this file are then importable under the name that a step's process will use.
    sys.modules[path.stem] = module
    exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    return module


def _limit_memory() -> None:
    """Let a file that fills the memory fail by itself, before the machine does."""
    if not sys.flags.no_site:
        return
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _alarm(number: int, frame: FrameType | None) -> None:
    raise _TimedOut


def _found(path: Path, module: ModuleType) -> list[Any]:
    """Return the workflows of this file: the DAGs that it made or holds, and the functions that it decorates.

    What a file beside it made for itself is not meant.
    """
    held = [value for value in vars(module).values() if isinstance(value, dag.DAG)]
    found: list[Any] = [made for made in dag.made if made.file == path or any(made is value for value in held)]
    functions = sys.modules.get("segue.functions.workflow")
    if functions is not None:
        found += [made for made in functions.made if made.file == path]
    names = [each.name for each in found]
    for each in found:
        if names.count(each.name) > 1:
            kind = "DAGs" if isinstance(each, dag.DAG) else "workflows"
            raise InvalidDefinition(
                [
                    Diagnostic(
                        each.place.file,
                        each.place.line,
                        each.place.column + 1,
                        Code.DUPLICATE_WORKFLOW,
                        f'two {kind} in this file have the name "{each.name}"',
                    )
                ]
            )
    return found


def _refused(path: Path, code: str, message: str, hint: str = "") -> InvalidDefinition:
    return InvalidDefinition([Diagnostic(str(path), 0, 0, code, message, hint)])


def _syntax(error: SyntaxError, path: Path) -> Diagnostic:
    file = error.filename or str(path)
    return Diagnostic(file, error.lineno or 0, error.offset or 0, Code.SYNTAX, f"{type(error).__name__}: {error.msg}")


def _diagnostic(trace: TracebackType | None, path: Path, code: str, message: str, hint: str = "") -> Diagnostic:
    place = _innermost(trace, path)
    return Diagnostic(*(place or (str(path), 0, 0)), code=code, message=message, hint=hint)


def _innermost(trace: TracebackType | None, path: Path) -> tuple[str, int, int] | None:
    """Return the last place in the user's own files that an exception came through."""
    found = None
    while trace is not None:
        code = trace.tb_frame.f_code
        if _is_users(code.co_filename, path):
            position = next(islice(code.co_positions(), trace.tb_lasti // 2, None), (None, None, None, None))
            found = code.co_filename, trace.tb_lineno, (position[2] or 0) + 1
        trace = trace.tb_next
    return found


def _is_users(file: str, path: Path) -> bool:
    if file == str(path):
        return True
    own = (str(PACKAGE), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
    return Path(file).is_relative_to(_folder or path.parent) and not any(
        Path(file).is_relative_to(folder) for folder in own
    )


def _message(error: BaseException) -> str:
    if missing := _missing_name(error):
        return f"segue has nothing called {missing!r}"
    return f"{type(error).__name__}: {_text(error)}"[:_MESSAGE_LIMIT]


def _hint(error: BaseException) -> str:
    if missing := _missing_name(error):
        return closest(missing, segue.__all__)
    if isinstance(error, ModuleNotFoundError):
        return (
            "a definition sees the standard library, segue and the files beside it: "
            "import anything else inside the functions that steps call, or name an interpreter in SEGUE_PYTHON"
        )
    if isinstance(error, MemoryError):
        return f"a definition may fill {_MEMORY // 1024**2} MB: move the work into the functions that steps call"
    if isinstance(error, ImportError) and "relative import" in str(error):
        return "a file of a package is found through its package: segue validate FOLDER/"
    if isinstance(error, TypeError) and ">>" in str(error):
        return "an arrow needs an operator or a group on one side; use chain([a, b], [c, d]) for two lists"
    return ""


def _missing_name(error: BaseException) -> str | None:
    if not isinstance(error, ImportError) or error.name != "segue":
        return None
    found = re.match("cannot import name '([^']+)'", str(error))
    return found[1] if found else None


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # a user's exception class may fail in any way
        return "(its message cannot be shown)"


def _line(file: str, line: int) -> str:
    return linecache.getline(file, line).rstrip("\n") if line else ""
