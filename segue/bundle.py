"""The bundle: the code that travels with a workflow, as a zip file that is the same for the same files.

Collects what the include patterns and the requirements file name, below the definition's folder alone. Hidden files,
caches and virtual environments never travel, and no link leads out of the folder.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.errors import InvalidBundle

MAX_FILES = 5_000
MAX_BYTES = 64 * 1024 * 1024
MAX_ENTRIES_SEEN = 200_000
DEFAULT_INCLUDE = ("**/*.py",)
LOCK, PROJECT = "uv.lock", "pyproject.toml"

_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""A zip file cannot say that a time is unknown; this is its earliest."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A zip file and its name.

    Attributes:
        files: Paths inside it, sorted.
        sha256: Hex digits.
    """

    files: tuple[str, ...]
    data: bytes
    sha256: str


def make_bundle(
    folder: Path,
    include: Sequence[str] = DEFAULT_INCLUDE,
    requirements: Sequence[str] = (),
    extra: Sequence[str] = (),
) -> Bundle | None:
    """Return the bundle of a definition's folder; None when there is nothing to send.

    Args:
        folder: The folder of the definition.
        include: Glob patterns relative to it: `*` and `?` within a name, `**` for any number of folders.
        requirements: Paths of files with requirements, relative to it; a lock travels with its `pyproject.toml`.
        extra: Paths of further files relative to it.

    Raises:
        InvalidBundle: A pattern or path leads out of the folder or fits no file, or there is too much.
    """
    locked = [str(Path(path).with_name(PROJECT)) for path in requirements if Path(path).name == LOCK]
    named = [*requirements, *locked, *extra]
    for path in named:
        _check_named(folder, path)
    files = sorted({*_matching(folder, include), *(_normal(path) for path in named)})
    if not files:
        return None
    data = _zip(folder, files)
    return Bundle(tuple(files), data, hashlib.sha256(data).hexdigest())


def _matching(folder: Path, include: Sequence[str]) -> Iterator[str]:
    patterns = {pattern: re.compile(_regex(pattern)) for pattern in include}
    unused = dict.fromkeys(patterns)
    for path in files_below(folder):
        fitting = [pattern for pattern, regex in patterns.items() if regex.fullmatch(path)]
        if not fitting:
            continue
        for pattern in fitting:
            unused.pop(pattern, None)
        _check_inside(folder, path)
        yield path
    for pattern in unused:
        if pattern not in DEFAULT_INCLUDE:
            raise InvalidBundle(
                f'code.include: "{pattern}" fits no file in {folder}.',
                hint="Patterns are relative to the definition's folder; hidden files and caches never travel.",
            )


def files_below(folder: Path) -> Iterator[str]:
    """Yield the paths of all files that may travel, relative to the folder.

    Raises:
        InvalidBundle: There are too many.
    """
    seen = 0
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if _may_enter(Path(root, name)))
        inside = Path(root).relative_to(folder)
        for name in sorted(files):
            seen += 1
            if seen > MAX_ENTRIES_SEEN:
                raise InvalidBundle(
                    f"{folder} holds more than {MAX_ENTRIES_SEEN:,} files.",
                    hint="Put the definition and its code into a folder of their own.",
                )
            # A pipe or a socket among them would be read for ever.
            if not name.startswith(".") and not name.endswith(".pyc") and Path(root, name).is_file():
                yield (inside / name).as_posix()


def _may_enter(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name in _SKIPPED_FOLDERS or folder.is_symlink():
        return False
    return not (folder / "pyvenv.cfg").exists()


def _check_named(folder: Path, path: str) -> None:
    if not (folder / path).is_file():
        raise InvalidBundle(f"{path}: there is no such file in {folder}.")
    _check_inside(folder, path)


def _check_inside(folder: Path, path: str) -> None:
    if (
        Path(path).is_absolute()
        or ".." in Path(path).parts
        or not (folder / path).resolve().is_relative_to(folder.resolve())
    ):
        raise InvalidBundle(
            f"{path} leads out of the definition's folder.", hint="Copy the file into the folder, or leave it out."
        )


def _normal(path: str) -> str:
    return Path(path).as_posix()


def _regex(pattern: str) -> str:
    if pattern.startswith("/") or ".." in pattern.split("/"):
        raise InvalidBundle(f'code.include: "{pattern}" leads out of the definition\'s folder.')
    parts = []
    for token in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern.removeprefix("./")):
        parts.append({"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(token) or re.escape(token))
    return "".join(parts)


def _zip(folder: Path, files: Sequence[str]) -> bytes:
    if len(files) > MAX_FILES:
        raise InvalidBundle(
            f"code.include fits {len(files):,} files; a bundle may have {MAX_FILES:,}.", hint="Name fewer of them."
        )
    buffer, size = io.BytesIO(), 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in files:
            data = _content(folder, path, MAX_BYTES - size)
            size += len(data)
            info = zipfile.ZipInfo(path, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            executable = os.access(folder / path, os.X_OK)
            info.create_system = 3  # Unix: so that the same files give the same bytes everywhere
            info.external_attr = (0o100755 if executable else 0o100644) << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def _content(folder: Path, path: str, room: int) -> bytes:
    try:
        with (folder / path).open("rb") as file:
            data = file.read(room + 1)
    except OSError as error:
        raise InvalidBundle(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > room:
        raise InvalidBundle(
            f"The bundle has more than {MAX_BYTES // 1024 // 1024} MiB (at {path}).",
            hint="Code travels in bundles; let steps fetch data from where it lives.",
        )
    return data
