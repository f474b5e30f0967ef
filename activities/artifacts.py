"""The files that a step leaves: found in its folders, named, and told apart.

All files in `$SEGUE_ARTIFACTS` are kept, and in the folder in which the step runs those that its `artifacts` name.
Nothing outside of the attempt's own folder ever is: links are passed over, whatever they point at.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from activities.errors import StepFailed
from activities.values import invalid

MAX_NAME_BYTES = 150
"""Of each part of a name."""
MAX_PATH_BYTES = 500
MAX_ARTIFACTS = 10_000
MAX_SEEN = 100_000
"""Files that are looked at in the folder in which a step runs."""
MANIFEST = "artifacts.json"
"""The object beside the files that lists them, with what is known of each."""
IN_FOLDER = "$SEGUE_ARTIFACTS"
_ODD = re.compile(r"[\x00-\x1f\x7f\\/]")
_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_REGEX = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}

# The same on every machine: what is installed there must not change what is recorded.
_TYPES = mimetypes.MimeTypes(filenames=())
for _ending, _type in {
    ".ipynb": "application/x-ipynb+json",
    ".md": "text/markdown",
    ".ndjson": "application/x-ndjson",
    ".npy": "application/x-npy",
    ".parquet": "application/vnd.apache.parquet",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}.items():
    _TYPES.add_type(_type, _ending)


@dataclass(slots=True)
class Found:
    """The artifacts of an attempt.

    Attributes:
        paths: By name.
        problem: What fails the step, if it has not failed anyway.
        links: How many links were passed over.
    """

    paths: dict[str, Path] = field(default_factory=dict)
    problem: StepFailed | None = None
    links: int = 0


def find_artifacts(scratch: Path, folder: Path, work: Path, patterns: Sequence[str]) -> Found:
    """Return the artifacts of an attempt; blocks.

    Args:
        scratch: The attempt's own folder.
        folder: Where all files are artifacts.
        work: Where those are that a pattern fits.
        patterns: Relative to `work`.
    """
    found = Found()
    try:
        _take_folder(found, scratch, folder)
        if patterns:
            _take_fitting(found, scratch, work, patterns)
    except StepFailed as problem:
        found.problem = problem
    return found


def media_type(name: str) -> str:
    """Return the media type that a file's name stands for."""
    return _TYPES.guess_type(name.lower())[0] or "application/octet-stream"


def object_name(name: str) -> str:
    """Return a file's name as part of an object key: valid text, without separators, cut in the middle when long."""
    name = _ODD.sub("_", os.fsencode(name).decode(errors="replace"))
    raw = name.encode()
    if len(raw) > MAX_NAME_BYTES:
        digest = hashlib.sha256(raw).hexdigest()[:8]
        name = f"{raw[:100].decode(errors='ignore')}-{digest}-{raw[-30:].decode(errors='ignore')}"
    return "_" if name in ("", ".", "..") else name


def _take_folder(found: Found, scratch: Path, folder: Path) -> None:
    for path in _files(found, scratch, folder):
        if len(found.paths) >= MAX_ARTIFACTS:
            raise _too_many(found, IN_FOLDER, f"holds more than {MAX_ARTIFACTS:,} files; leave an archive")
        relative = path.relative_to(folder)
        name = _name(relative, IN_FOLDER)
        if name in found.paths:  # two odd names that became one
            name = _told_apart(name, relative)
        found.paths[name] = path


def _take_fitting(found: Found, scratch: Path, work: Path, patterns: Sequence[str]) -> None:
    regexes = {pattern: re.compile(_regex(pattern), re.DOTALL) for pattern in patterns}
    unused = dict.fromkeys(patterns)
    own: set[str] = set()
    folders = {"/".join(parts[:n]) for parts in map(_parts, found.paths) for n in range(1, len(parts))}
    for seen, path in enumerate(_files(found, scratch, work)):
        if seen >= MAX_SEEN:
            hint = f"holds more than {MAX_SEEN:,} files; leave those that are to be kept in {IN_FOLDER}"
            raise _too_many(found, "the folder in which the step runs", hint)
        relative = path.relative_to(work)
        text = os.fsencode(relative).decode(errors="replace")
        fitting = [pattern for pattern, regex in regexes.items() if regex.fullmatch(text)]
        if not fitting:
            continue
        for pattern in fitting:
            unused.pop(pattern, None)
        if len(found.paths) >= MAX_ARTIFACTS:
            raise _too_many(found, "artifacts", f"fits more than {MAX_ARTIFACTS:,} files; leave an archive")
        name = _name(relative, "artifacts")
        if name in own:
            name = _told_apart(name, relative)
        parts = _parts(name)
        above = {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
        if name in folders or any(each in found.paths and each not in own for each in above):
            raise invalid("artifacts", f'"{name}" is in {IN_FOLDER} too: give one of them another name')
        own.add(name)
        found.paths[name] = path
    if unused:
        names = ", ".join(f'"{pattern}"' for pattern in unused)
        raise invalid("artifacts", f"fits no file in the folder in which the step runs: {names} (links do not count)")


def _files(found: Found, scratch: Path, folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, in order; the step may have put a link in its place."""
    if not folder.resolve().is_relative_to(scratch.resolve()):
        found.links += 1
        return
    for parent, folders, names in os.walk(folder):
        folders.sort()
        found.links += sum(Path(parent, name).is_symlink() for name in folders)
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_symlink():
                found.links += 1
            elif path.is_file():  # a pipe or a socket would be read for ever
                yield path


def _too_many(found: Found, where: str, problem: str) -> StepFailed:
    found.paths.clear()  # a part of them would look like all
    return invalid(where, problem)


def _name(relative: Path, where: str) -> str:
    name = "/".join(object_name(part) for part in relative.parts)
    size = len(name.encode())
    if size > MAX_PATH_BYTES:
        raise invalid(where, f"has a path of {size} bytes, {name[:60]}...; at most {MAX_PATH_BYTES} are possible")
    return name


def _told_apart(name: str, relative: Path) -> str:
    return f"{name[:MAX_PATH_BYTES]}~{hashlib.sha256(os.fsencode(relative)).hexdigest()[:8]}"


def _parts(name: str) -> list[str]:
    return name.split("/")


def _regex(pattern: str) -> str:
    """Return what fits a path, or the path of a folder above it."""
    tokens = (_REGEX.get(token) or re.escape(token) for token in _TOKENS.findall(pattern))
    return "".join(tokens) + "(?:/.*)?"
