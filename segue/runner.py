"""Calls a Python step's function, in a process of its own and in the user's interpreter.

Imported by its bare name in a fresh interpreter (`activities.operators.python`): reads `job.json` in a folder, and
leaves `output.json` or `error.json` there. It knows the standard library alone, of Python 3.9 and later, and imports
little of it: what it imports, every step waits for. What the user's code prints is never taken for a result.
"""

# pathlib takes as long to import as all the rest.
# ruff: noqa: PTH100, PTH103, PTH112, PTH113, PTH118, PTH123
from __future__ import annotations

import sys

# Before anything else is imported: this folder must shadow neither the standard library nor the user's code.
sys.path[:] = [entry for entry in sys.path if entry != __file__.rpartition("/")[0]]

import importlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402

TYPE_CHECKING = False  # typing's own takes 3 ms
if TYPE_CHECKING:
    from typing import Any

JOB, OUTPUT, ERROR = "job.json", "output.json", "error.json"
REFERENCE = "$segue"
MAX_DEPTH = 200
MAX_DOCUMENT_BYTES = 64 * 1024 * 1024


class StepError(Exception):
    """What the step's author should read; a failure of the step that is none of its own exceptions."""

    def __init__(self, type: str, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.report = {"type": type, "message": message, "detail": detail, "retryable": False}


def main(folder: str) -> int:
    """Run the job in `folder` and return the exit code of this process."""
    for stream in (sys.stdout, sys.stderr):
        # Text that cannot be encoded is printed escaped: no step fails for what it says.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    with open(os.path.join(folder, JOB), encoding="utf-8") as file:
        job = json.load(file)
    sys.path[:0] = [job["work"], job["path"]]
    try:
        document = encode(call(job), folder)
    except StepError as error:
        return fail(folder, error.report)
    except SystemExit as error:
        if error.code is None or error.code == 0:
            document = b"null"
        else:
            print(error.code if not isinstance(error.code, int) else f"exit({error.code})", file=sys.stderr)
            code = error.code if isinstance(error.code, int) else 1
            return fail(folder, {"type": "ExitCode", "message": f"exit({error.code!r})", "detail": {"exit_code": code}})
    except BaseException as error:
        return fail(folder, explain(error, job))
    with open(os.path.join(folder, OUTPUT), "wb") as output:
        output.write(document)
    return 0


def fail(folder: str, report: dict[str, Any]) -> int:
    """Leave the report of a failure."""
    with open(os.path.join(folder, ERROR), "w", encoding="utf-8") as file:
        json.dump(report, file)
    return 1


def call(job: dict[str, Any]) -> Any:
    """Import the job's function and return what it returns."""
    function = find(job)
    inputs = {name: received(value) for name, value in job["inputs"].items()}
    try:
        value = function(**inputs)
    except TypeError as error:
        # Raised by the call itself, not by the function: its arguments do not fit.
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            raise StepError("InputInvalid", misfit(function, inputs, error)) from None
        raise
    if hasattr(value, "__await__"):
        import asyncio

        async def awaited() -> Any:
            return await value

        return asyncio.run(awaited())
    return value


def received(value: Any) -> Any:
    """Turn an input as the worker gives it into what the function gets: local copies as bytes or paths."""
    if isinstance(value, list):
        return [received(item) for item in value]
    if not isinstance(value, dict):
        return value
    if REFERENCE not in value:
        return {name: received(item) for name, item in value.items()}
    from pathlib import Path

    path = Path(value["path"])
    return path if value[REFERENCE] == "file" else path.read_bytes()


def find(job: dict[str, Any]) -> Any:
    """Return the function that `module:function` names.

    Raises:
        StepError: There is no such module or function.
    """
    module_name, _, name = job["callable"].partition(":")
    try:
        found = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name + ".").startswith(error.name + "."):
            hint = close(module_name, modules(job["work"]))
            raise StepError("CallableNotFound", f"there is no module {module_name!r} in the bundle{hint}") from None
        raise
    for part in name.split("."):
        if not hasattr(found, part):
            hint = close(part, [known for known in dir(found) if callable(getattr(found, known, None))])
            raise StepError("CallableNotFound", f"{module_name} has no function {name!r}{hint}")
        found = getattr(found, part)
    if not callable(found):
        raise StepError("CallableNotFound", f"{job['callable']} is a {type(found).__name__}, not a function")
    return found


def modules(folder: str) -> list[str]:
    """Return the names of the modules below a folder."""
    found: list[str] = []
    for parent, _, names in os.walk(folder):
        package = os.path.relpath(parent, folder).replace(os.sep, ".")
        for name in names:
            if name.endswith(".py") and len(found) < 5_000:
                found.append(f"{package}.{name[:-3]}" if package != "." else name[:-3])
    return [name[: -len(".__init__")] if name.endswith(".__init__") else name for name in found]


def close(name: str, known: list[str]) -> str:
    """Return a hint at what was meant, or nothing."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def misfit(function: Any, inputs: dict[str, Any], error: TypeError) -> str:
    """Say why a function cannot be called with these inputs."""
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return str(error)
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    required = {p.name for p in parameters if p.default is p.empty}
    problems = [f"it takes no {name!r}{close(name, names)}" for name in inputs if name not in names]
    problems += [f"{name!r} is missing" for name in names if name in required and name not in inputs]
    called = getattr(function, "__name__", "the function")
    return (
        f"{called}({', '.join(names)}) cannot be called with `with`: " + ", ".join(problems) if problems else str(error)
    )


def explain(error: BaseException, job: dict[str, Any]) -> dict[str, Any]:
    """Print the traceback of the user's own frames, and return the report of an exception."""
    import traceback

    frames = error.__traceback__
    while frames is not None and ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, frames))
        message = str(error)
    except Exception as problem:
        text = message = f"an exception that cannot be printed: {type(problem).__name__}"
    # Files are named as in the bundle: where its copy happened to be helps nobody.
    print(text.replace(job["work"] + os.sep, "").rstrip("\n"), file=sys.stderr)
    if isinstance(error, ModuleNotFoundError):
        message += "; " + missing(job)
    # `retry.unless` may say `requests.exceptions.Timeout` as well as `Timeout`.
    line = type(error).__mro__[:-1]
    ancestors = [known.__name__ for known in line[1:]] + [f"{known.__module__}.{known.__qualname__}" for known in line]
    return {"type": type(error).__name__, "message": message or type(error).__name__, "ancestors": ancestors}


def ours(filename: str) -> bool:
    """Whether a frame is this script's or the import system's."""
    return (
        filename == __file__ or filename.startswith("<frozen importlib") or filename.endswith("importlib/__init__.py")
    )


def missing(job: dict[str, Any]) -> str:
    """Say where a package that is not there is to be named."""
    if job["requirements"]:
        return f"packages come from {job['requirements']}: is it named there?"
    return "name the package in a requirements file, and the file in the workflow: code: {requirements: FILE}"


def encode(value: Any, folder: str) -> bytes:
    """Return a step's output as strict JSON; bytes and files in it become local markers for the worker.

    Raises:
        StepError: `OutputInvalid`, naming the place in the value.
    """
    try:
        text = json.dumps(Encoder(folder).plain(value, "output"), ensure_ascii=False, separators=(",", ":"))
    except ValueError as error:  # an integer of more than 4,300 digits
        raise invalid("output", f"is not JSON: {error}") from None
    document = text.encode()
    if len(document) > MAX_DOCUMENT_BYTES:
        raise invalid("output", f"has {len(document):,} bytes of JSON; above {MAX_DOCUMENT_BYTES:,}, return a file")
    return document


class Encoder:
    """Turns what a function returns into plain JSON values."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.join(folder, "files")
        self.files = 0
        self.around: set[int] = set()

    def plain(self, value: Any, path: str) -> Any:
        """Return the JSON value for one value; `path` is its place."""
        if value is None or value is True or value is False or type(value) is int:
            return value
        if isinstance(value, str):
            return self.text(value, path)
        if isinstance(value, float):
            return self.number(value, path)
        if isinstance(value, (list, tuple)):
            return self.inside(value, path, self.items)
        if isinstance(value, dict):
            return self.inside(value, path, self.members)
        return self.converted(value, path)

    def text(self, value: str, path: str) -> str:
        """Return text that every database and browser takes."""
        if "\0" in value:
            raise invalid(path, "has a NUL character, which databases refuse")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise invalid(path, f"is not valid text: {error.reason} at character {error.start}") from None
        return str.__str__(value)

    def number(self, value: float, path: str) -> float:
        """Return a finite number."""
        if value - value != 0:
            raise invalid(path, f"is {value}, which JSON cannot express")
        return float(value)

    def inside(self, value: Any, path: str, convert: Any) -> Any:
        """Convert what holds other values, unless it holds itself."""
        if id(value) in self.around:
            raise invalid(path, "contains itself")
        if len(self.around) >= MAX_DEPTH:
            raise invalid(path[:200], f"is nested more than {MAX_DEPTH} deep")
        self.around.add(id(value))
        plain = convert(value, path)
        self.around.discard(id(value))
        return plain

    def items(self, value: Any, path: str) -> list[Any]:
        """Convert a list or tuple."""
        return [self.plain(item, f"{path}[{place}]") for place, item in enumerate(value)]

    def members(self, value: dict[Any, Any], path: str) -> dict[str, Any]:
        """Convert a dict."""
        plain = {}
        for name, item in value.items():
            if not isinstance(name, str):
                raise invalid(path, f"has the key {name!r}; JSON allows only text")
            if name == REFERENCE:
                raise invalid(path, f"has the key {REFERENCE}, which is kept for Segue's own references")
            plain[self.text(name, path)] = self.plain(item, f"{path}.{name}")
        return plain

    def converted(self, value: Any, path: str) -> Any:
        """Convert what is not JSON but has an obvious form in it."""
        if isinstance(value, int):
            return int(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.file("bytes", self.write(value))
        if isinstance(value, os.PathLike):
            return self.path(os.fspath(value), path)
        fields = getattr(value, "__dataclass_fields__", None)
        if fields is not None and not isinstance(value, type):
            return self.inside({name: getattr(value, name) for name in fields}, path, self.members)
        if getattr(value, "shape", None) == () and hasattr(value, "item"):  # a number of numpy's
            return self.plain(value.item(), path)
        if callable(getattr(value, "model_dump", None)) and not isinstance(value, type):  # a model of pydantic's
            return self.inside(value.model_dump(mode="json"), path, self.members)
        raise invalid(path, f"is a {type(value).__name__}, which JSON cannot express{advice(value)}")

    def path(self, local: Any, path: str) -> dict[str, str]:
        """Return the marker of a file that the worker is to keep."""
        local = os.path.abspath(os.fsdecode(local))
        if not os.path.isfile(local):
            kind = (
                "a folder; return its files, or leave them in $SEGUE_ARTIFACTS" if os.path.isdir(local) else "no file"
            )
            raise invalid(path, f"is the path of {kind}: {local}")
        return self.file("file", local)

    def file(self, kind: str, local: str) -> dict[str, str]:
        """Return a local marker."""
        return {REFERENCE: kind, "path": local}

    def write(self, value: Any) -> str:
        """Write bytes to a file for the worker and return its path."""
        os.makedirs(self.folder, exist_ok=True)
        local = os.path.join(self.folder, str(self.files))
        self.files += 1
        with open(local, "wb") as file:
            file.write(value)
        return local


def advice(value: Any) -> str:
    """Return what to write instead, for common types."""
    if isinstance(value, (set, frozenset)):
        return ": return sorted(...), since a set has no order"
    if hasattr(value, "isoformat"):
        return ": return .isoformat()"
    if hasattr(value, "tolist"):
        return ": return .tolist(), or save it to a file and return its pathlib.Path"
    if hasattr(value, "__next__"):
        return ": return list(...)"
    return ""


def invalid(path: str, problem: str) -> StepError:
    """Return the failure of an output that has a problem at `path`."""
    return StepError("OutputInvalid", f"{path} {problem}", path=path)
