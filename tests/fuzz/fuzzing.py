"""Runs the fuzzer over a corpus, and keeps the corpus: one input a line, as JSON, the short ones first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from workflows.expressions import parse
from workflows.expressions.patterns import compile_pattern

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parents[1]
OURS = (f"{REPOSITORY}/workflows/", f"{REPOSITORY}/translator/")
MAX_CORPUS = 400_000
"""Bytes of a corpus file."""
MAX_INPUT = 4_096
SECONDS_AN_INPUT = 30
MEGABYTES = 2_048

WORDS = {
    "expressions": (
        *("params", "steps", "check", "output", "status", "skipped", "large", "grid", "depth", "none", "big", "null"),
        *("true", "false", "has(", "size(", "string(", "int(", "double(", "bool(", "timestamp(", "duration("),
        *(".map(i, ", ".filter(i, ", ".all(i, ", ".exists(i, ", ".matches(", ".split(", ".join(", ".replace("),
        *(".contains(", ".startsWith(", ".endsWith(", ".lowerAscii()", ".upperAscii()", "?.", "&&", "||", "==", "!="),
        *(
            "<=",
            ">=",
            " in ",
            "'2025-01-31T06:00:00Z'",
            "'1h30m'",
            "9223372036854775807",
            "1e308",
            r"\u00e9",
            "r'\\d+'",
        ),
    ),
    "definitions": (
        *(
            "segue: 1\n",
            "name: demo\n",
            "steps:\n",
            "params:\n",
            "  a:\n",
            "run: ",
            "python: m:f",
            "http: ",
            "uses: noop",
        ),
        *(
            "needs: ",
            "if: ",
            "with: ",
            "env: ",
            "map: ",
            "over: ",
            "output: ",
            "trigger_rule: ",
            "retry: ",
            "timeout: ",
        ),
        *("triggers: ", "schedule: ", "cron: ", "event: ", "defaults: ", "labels: ", "code: ", "type: ", "integer"),
        *("enum: ", "properties: ", "items: ", "default: ", "${{ ", " }}", "params.x", "steps.a.output", "&a ", "*a"),
        *("<<: ", "!!str ", "|\n", ">-\n", "---\n", "{", "}", "[", "]", "'", '"', ": ", "- ", "\t", "\ufeff"),
    ),
}


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """The end of a run: what the fuzzer said, the corpus it leaves, and the input that broke something, if one did."""

    log: str
    corpus: list[str]
    broken: str | None


def read_corpus(target: str) -> list[str]:
    """Return the inputs that are kept."""
    path = FOLDER / "corpus" / f"{target}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def write_corpus(target: str, inputs: Iterable[str]) -> None:
    """Keep inputs, as many as there is room for."""
    lines, size = [], 0
    for text in sorted(set(inputs), key=lambda text: (len(text), text)):
        line = json.dumps(text) + "\n"
        size += len(line)
        if size <= MAX_CORPUS:
            lines.append(line)
    (FOLDER / "corpus" / f"{target}.jsonl").write_text("".join(lines), encoding="utf-8")


def fuzz(target: str, seconds: int) -> Fuzzed:
    """Fuzz a target, a name in `TARGETS`, for some seconds, starting from its corpus."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        corpus = _unpacked(read_corpus(target), place / "corpus")
        words = place / "words.dict"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS[target]), encoding="utf-8")
        options = [f"-max_total_time={seconds}", f"-timeout={SECONDS_AN_INPUT}", f"-rss_limit_mb={MEGABYTES}"]
        options += [f"-max_len={MAX_INPUT}", f"-dict={words}", f"-artifact_prefix={place}/broken-", "-reload=0"]
        log, code = _child(target, corpus, *options)
        # It also leaves inputs that are merely slow, in a process that counts every line.
        found = [path for path in sorted(place.glob("broken-*")) if "slow-unit" not in path.name]
        broken = _text(found[0]) if found else None
        if code and broken is None:
            raise RuntimeError(f"the fuzzer could not run:\n{log[-3_000:]}")
        return Fuzzed(log, [_text(path) for path in sorted(corpus.iterdir())], broken)


def minimised(target: Callable[[str], None], inputs: Iterable[str]) -> list[str]:
    """Return the inputs that go a way through the code that no shorter one goes."""
    known: set[tuple[object, ...]] = set()
    kept = []
    for text in sorted(set(inputs), key=lambda text: (len(text), text)):
        ways = _ways(target, text)
        if not ways <= known:
            known |= ways
            kept.append(text)
    return kept


def _ways(target: Callable[[str], None], text: str) -> set[tuple[object, ...]]:
    """Return the steps from line to line in our code that an input takes."""
    ways: set[tuple[object, ...]] = set()
    parse.cache_clear()
    compile_pattern.cache_clear()

    def enter(frame: FrameType, event: str, argument: object) -> object:
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        before = 0

        def step(frame: FrameType, event: str, argument: object) -> object:
            nonlocal before
            ways.add((frame.f_code, before, frame.f_lineno))
            before = frame.f_lineno
            return step

        return step

    sys.settrace(enter)  # type: ignore[arg-type]
    try:
        target(text)
    finally:
        sys.settrace(None)
    return ways


def _child(target: str, corpus: Path, *options: str) -> tuple[str, int]:
    command = [sys.executable, "-m", "tests.fuzz.child", target, str(corpus), *options]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    # What Python says of an exception comes last.
    return done.stderr + done.stdout, done.returncode


def _unpacked(inputs: list[str], folder: Path) -> Path:
    folder.mkdir()
    for place, text in enumerate(inputs):
        (folder / f"{place:05}").write_bytes(text.encode("utf-8", "replace"))
    return folder


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def _escaped(word: str) -> str:
    """Return a word as libFuzzer's dictionaries write it."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in (0x22, 0x5C) else f"\\x{byte:02X}" for byte in word.encode()
    )
