"""Values between mocks and the core: what a mock gives as a step's output, what it sees of the outputs of others.

As in production, an output above 16 KiB, and every file, travels as a reference; the original stays in memory here.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.runner import Encoder
from segue.runner import StepError as RunnerError
from segue.testing.mocks import Fail
from workflows.declared import Declared, OutputProblem, check_declared, schemas_of, typed_text
from workflows.messages import JSON, MAX_INLINE_BYTES, REFERENCE, StepTask
from workflows.plan import COMMAND_KINDS
from workflows.secret_texts import LateText, filled, names_of
from workflows.values import json_size


class NoOutput(Exception):
    """A value that cannot be the step's output; `failure` is what its worker says."""

    def __init__(self, failure: Fail) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(slots=True)
class Memory:
    """What references of one run stand for: object key to value, bytes or path; and secrets by name."""

    objects: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def revealed(self, task: StepTask) -> StepTask:
        """Return a task with its secrets, or with what stands for those that the test does not give."""
        return filled(task, {name: self.secrets.get(name, f"<secret {name}>") for name in names_of(task)})

    def keep(self, kind: str, key: str, size: int, sha256: str, original: Any) -> dict[str, JSON]:
        """Keep an object and return the reference to it."""
        self.objects[key] = original
        return {REFERENCE: kind, "key": key, "size": size, "sha256": sha256}

    def seen(self, value: JSON) -> Any:
        """Return a copy of a value as a step's own code sees it; a reference to what is not here stays one."""
        if isinstance(value, list):
            return [self.seen(each) for each in value]
        if isinstance(value, LateText):
            return str(value)
        if not isinstance(value, dict):
            return value
        key = value.get("key")
        if REFERENCE in value and key in self.objects:
            original = self.objects[key]
            return self.seen(original) if value[REFERENCE] == "json" else original
        return {name: self.seen(each) for name, each in value.items()}

    def text(self, value: JSON) -> str:
        """Return a value as an environment variable holds it."""
        plain = _with_paths(self.seen(value))
        return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


class _Originals(Encoder):
    """The encoder of Python steps, but for bytes and files, which it keeps in memory."""

    def __init__(self, memory: Memory, folder: str) -> None:
        super().__init__(folder)
        self.memory = memory

    def converted(self, value: Any, path: str) -> Any:
        if isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(value)
            return self._keep("bytes", "bytes", data, data)
        if isinstance(value, os.PathLike):
            local = Path(os.fsdecode(os.fspath(value)))
            # A mock may name a file that only the real step would make.
            data = local.read_bytes() if local.is_file() else b""
            return self._keep("file", local.name, data, local) | {"name": local.name}
        return super().converted(value, path)

    def _keep(self, kind: str, name: str, data: bytes, original: Any) -> dict[str, JSON]:
        key = f"{self.folder}/{self.files}-{name}"
        self.files += 1
        return self.memory.keep(kind, key, len(data), hashlib.sha256(data).hexdigest(), original)


def output_of(
    value: Any, kind: str, declared: Declared | None, memory: Memory, folder: str, *, recorded: bool = False
) -> tuple[JSON, JSON]:
    """Return an output as its worker reports it, and as the step gave it: small values are the same twice.

    Args:
        value: What the mock gave.
        kind: The step's.
        declared: The step's declared output.
        memory: Takes what travels by reference.
        folder: The attempt's, in object keys.
        recorded: The value comes from a real run, where it was checked; it may hold references.

    Raises:
        NoOutput: The worker of a real step would not take it.
    """
    if recorded:
        return value, value
    try:
        whole = _Originals(memory, folder).plain(value, "output")
        if kind in COMMAND_KINDS and isinstance(whole, dict):
            texts = {name: text for name, text in whole.items() if isinstance(text, str)}
            whole = {**whole, **typed_text(texts, declared)}
        whole = check_declared(whole, declared)
    except RunnerError as error:
        report: dict[str, Any] = error.report
        raise NoOutput(Fail(report["type"], str(error), report["detail"], retryable=False)) from None
    except OutputProblem as problem:
        raise NoOutput(Fail("OutputInvalid", str(problem), {"path": problem.path}, retryable=False)) from None
    size = json_size(whole)
    if size <= MAX_INLINE_BYTES or kind == "workflow":  # a run's output is never kept apart
        return whole, whole
    data = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
    return memory.keep("json", f"{folder}/output.json", size, hashlib.sha256(data).hexdigest(), whole), whole


def example_output(declared: Declared | None) -> JSON:
    """Return an output that fits a declaration; null when there is none."""
    if not declared:
        return None
    schemas = schemas_of(declared)
    return {name: example(schemas[name]) if name in schemas else None for name in declared}


def example(schema: dict[str, Any]) -> JSON:
    """Return a small value that a schema most likely takes."""
    if "default" in schema:
        return schema["default"]
    if "const" in schema:
        return schema["const"]
    for several in ("examples", "enum"):
        if schema.get(several):
            return schema[several][0]
    kind = schema.get("type", "null")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "string":
            return "x" * int(schema.get("minLength", 0))
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        case "boolean":
            return False
        case "array":
            return [example(schema.get("items", {}))] * int(schema.get("minItems", 0))
        case "object":
            properties = schema.get("properties", {})
            return {name: example(properties.get(name, {})) for name in schema.get("required", ())}
        case _:
            return None


def _with_paths(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_paths(each) for each in value]
    if isinstance(value, dict):
        return {name: _with_paths(each) for name, each in value.items()}
    if isinstance(value, bytes):
        return "bytes"
    return str(value) if isinstance(value, Path) else value
